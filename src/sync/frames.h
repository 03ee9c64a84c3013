/* Rows to frames: the JSON of SYNC.md's table (docs/realtime.md). What is shared holds nothing that
 * depends on the reader. Each returns one reference, the caller's. */
#pragma once

#include "live/frame.h"
#include "store/model.h"
#include "store/participant.h"

enum { FRAME_PARTICIPANTS_MAX = 100 };

/* With its sender; tombstones too. */
struct live_frame *frame_message(const struct message *message);
/* `members`: the first of them, at most FRAME_PARTICIPANTS_MAX. from_seq > 0: "limited", the client
 * forgets what it has below. */
struct live_frame *frame_conversation(const struct conversation *conversation,
                                      const struct member *members, size_t count, int64_t from_seq);
struct live_frame *frame_membership(const struct participant *mine);
struct live_frame *frame_gone(struct uuid conversation_id, int64_t rev);
struct live_frame *frame_read(struct uuid conversation_id, struct uuid user_id, int64_t seq);
struct live_frame *frame_user(const struct user *user);
struct live_frame *frame_typing(struct uuid conversation_id, struct uuid user_id);
/* last_seen_us 0: never. */
struct live_frame *frame_presence(struct uuid user_id, bool online, int64_t last_seen_us);
struct live_frame *frame_hello(const struct user *me, int64_t heartbeat_s);
struct live_frame *frame_reset(const char *reason);
/* `request`: the type of what is answered ("send", "auth", ...). `client_id` as the client sent it,
 * `message` REST's JSON of it; what is absent is left out. */
struct live_frame *frame_ack(struct str request, struct str client_id, struct str message);
/* `error`: REST's error body (JSON); `code`: X-Error-Code; retry_after_s 0: not said. */
struct live_frame *frame_nack(struct str request, struct str client_id, int status,
                              const char *code, struct str error, int64_t retry_after_s);
/* What is wrong with something that the client said, where nothing else answers. */
struct live_frame *frame_error(const char *code, const char *text);
