/* People who chat, by the program's own rules, in a database of their own: each call is a commit,
 * unless world_begin() has opened one for several. A call that fails fails the test. */
#pragma once

#include "chat/call.h"
#include "unit/support/database.h"

struct world {
    struct test_database t;
    struct db *db;
    struct arena arena;
    struct chat_limits limits;
    struct problems problems;
    int64_t now_us;
    int64_t stamp; /* of the newest commit */
    bool open;
};

void world_init(struct world *w);
void world_fini(struct world *w);

/* A commit of several calls. */
void world_begin(struct world *w);
void world_commit(struct world *w);
/* Within a commit: for calls that are not here. */
struct call world_call(struct world *w, const struct user *me);
struct user world_get(struct world *w, struct uuid user_id);

struct uuid world_user(struct world *w, const char *name);
void world_rename(struct world *w, struct uuid user_id, const char *first_name);
void world_delete_user(struct world *w, struct uuid user_id);

/* `owner` and, if not zero, `other`. */
struct uuid world_conversation(struct world *w, struct uuid owner, struct uuid other);
void world_retitle(struct world *w, struct uuid by, struct uuid conversation_id, const char *title);
void world_end(struct world *w, struct uuid owner, struct uuid conversation_id);

void world_add(struct world *w, struct uuid by, struct uuid conversation_id, struct uuid user_id);
/* `by` the user himself: he leaves. */
void world_remove(struct world *w, struct uuid by, struct uuid conversation_id,
                  struct uuid user_id);
void world_pin(struct world *w, struct uuid user_id, struct uuid conversation_id);
void world_read(struct world *w, struct uuid user_id, struct uuid conversation_id, int64_t seq);

/* Sends `count` messages in one commit; returns the id of the last. */
struct uuid world_send(struct world *w, struct uuid sender_id, struct uuid conversation_id,
                       int count);
void world_edit(struct world *w, struct uuid sender_id, struct uuid message_id, const char *body);
void world_bury(struct world *w, struct uuid sender_id, struct uuid message_id);
