/* Messages: sending once, editing, deleting, pinning. What a reader may see of them in lists is in
 * chat/history.h. */
#pragma once

#include "chat/access.h"
#include "store/message.h"

struct message_draft {
    struct uuid conversation_id;
    struct str body;       /* trimmed and not empty */
    struct str metadata;   /* a JSON object; absent: {} */
    struct uuid reply_to;  /* zero: none */
    struct uuid client_id; /* zero: none */
};

/* Sends as the caller. A client_id that he has used is looked up before anything is judged: the
 * same request gives the message as it is now (*replayed, perhaps a tombstone), another one
 * ERR_IDEMPOTENCY. ERR_NOT_FOUND: no such conversation; ERR_NOT_PARTICIPANT;
 * ERR_CONVERSATION_CLOSED; ERR_INVALID: a problem of `reply_to`. */
enum err chat_message_send(struct call *call, const struct message_draft *draft,
                           struct message *out, bool *replayed) CHECKED;

/* A message and the conversation that it stands in, as the caller sees them. */
struct message_view {
    struct message message;
    struct conversation_view in;
};

/* Unknown messages, tombstones, and what the caller may not read are ERR_NOT_FOUND. */
enum err chat_message_open(struct call *call, struct uuid id, struct message_view *out) CHECKED;
/* In that conversation: ERR_NOT_FOUND if it does not exist, ERR_NOT_PARTICIPANT if the caller may
 * not read it, ERR_NOT_FOUND if the message is not in it. */
enum err chat_message_open_in(struct call *call, struct uuid conversation_id, struct uuid id,
                              struct message_view *out) CHECKED;

/* ERR_NOT_SENDER */
enum err chat_message_may_edit(const struct call *call, const struct message_view *view) CHECKED;
/* ERR_NOT_SENDER: neither the sender nor one who may delete what he has sent. */
enum err chat_message_may_delete(struct call *call, const struct message_view *view) CHECKED;

/* For those who may, as the two above tell. The same text changes nothing. */
enum err chat_message_edit(struct call *call, struct message_view *view, struct str body) CHECKED;
enum err chat_message_delete(struct call *call, struct message_view *view) CHECKED;
enum err chat_message_set_pinned(struct call *call, struct message_view *view, bool pinned) CHECKED;

/* Moves the caller's read position to this message. */
enum err chat_message_read(struct call *call, struct message_view *view) CHECKED;
