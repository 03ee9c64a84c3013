#include "unit/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "chat/access.h"
#include "chat/account.h"
#include "chat/conversation.h"
#include "chat/message.h"
#include "store/change.h"
#include "store/queries.h"
#include "store/user.h"

enum { PARTICIPANTS_MAX = 20000, BEGINNING_US = 1000000 };

static void must(struct world *w, enum err e, const char *what)
{
    if (e != ERR_OK) {
        struct str why = w->problems.first != NULL ? w->problems.first->text : STR("");
        fail_msg("%s: %s %.*s", what, err_code(e), STR_ARG(why));
    }
}

void world_init(struct world *w)
{
    *w = (struct world){.now_us = BEGINNING_US,
                        .limits = {.participants_max = PARTICIPANTS_MAX,
                                   .sessions_per_user_max = 3,
                                   .access_lifetime_s = 60,
                                   .refresh_lifetime_s = 600,
                                   .refresh_grace_s = 10,
                                   .password_iterations = 1,
                                   .secret_key = STR("0123456789abcdef0123456789abcdef")}};
    test_database_init(&w->t);
    test_database_migrate(&w->t);
    arena_init(&w->arena);
    w->db = test_database_open(&w->t, store_queries, false);
}

void world_fini(struct world *w)
{
    db_close(w->db);
    arena_fini(&w->arena);
    test_database_fini(&w->t);
}

/* --- commits ------------------------------------------------------------------------------- */

void world_begin(struct world *w)
{
    assert_false(w->open);
    must(w, db_begin_write(w->db), "begin");
    must(w, store_hold_all(w->db), "hold");
    w->stamp = db_stamps(w->db)->at[0];
    w->now_us += 1000;
    w->open = true;
    problems_init(&w->problems, &w->arena);
}

void world_commit(struct world *w)
{
    must(w, db_commit(w->db), "commit");
    w->open = false;
    arena_reset(&w->arena);
}

/* One call: true if it has opened the commit itself. */
static bool enter(struct world *w)
{
    bool own = !w->open;
    if (own) {
        world_begin(w);
    }
    return own;
}

static void leave(struct world *w, bool own)
{
    if (own) {
        world_commit(w);
    }
}

struct call world_call(struct world *w, const struct user *me)
{
    return (struct call){.db = w->db,
                         .arena = &w->arena,
                         .now_us = ++w->now_us,
                         .me = me,
                         .limits = &w->limits,
                         .problems = &w->problems};
}

struct user world_get(struct world *w, struct uuid user_id)
{
    struct user user;
    bool found = false;
    must(w, store_user_get(w->db, &w->arena, user_id, &user, &found), "user");
    assert_true(found);
    return user;
}

static struct conversation_view look(struct world *w, struct call *call, struct uuid id)
{
    struct conversation_view view;
    must(w, chat_conversation_open(call, id, NEED_READ, ERR_NOT_FOUND, &view), "open");
    return view;
}

/* --- people -------------------------------------------------------------------------------- */

struct uuid world_user(struct world *w, const char *name)
{
    bool own = enter(w);
    struct call call = world_call(w, NULL);
    const struct account_draft draft = {
        .username = str_of(name),
        .email = arena_printf(&w->arena, "%s@example.com", name),
    };
    struct user user;
    must(w, chat_account_create(&call, &draft, STR("!"), &user), name);
    struct uuid id = user.id;
    leave(w, own);
    return id;
}

void world_rename(struct world *w, struct uuid user_id, const char *first_name)
{
    bool own = enter(w);
    struct user user = world_get(w, user_id);
    struct user changed = user;
    struct call call = world_call(w, &user);
    changed.first_name = str_of(first_name);
    must(w, chat_account_update(&call, &user, &changed), "rename");
    leave(w, own);
}

void world_delete_user(struct world *w, struct uuid user_id)
{
    bool own = enter(w);
    struct user user = world_get(w, user_id);
    struct call call = world_call(w, &user);
    must(w, chat_account_delete(&call, &user), "delete user");
    leave(w, own);
}

/* --- conversations ------------------------------------------------------------------------- */

struct uuid world_conversation(struct world *w, struct uuid owner, struct uuid other)
{
    bool own = enter(w);
    struct user user = world_get(w, owner);
    struct call call = world_call(w, &user);
    const struct conversation_draft draft = {
        .title = STR("title"),
        .metadata = STR("{}"),
        .people = {.ids = &other, .count = uuid_is_zero(other) ? 0 : 1},
    };
    struct conversation_view view;
    bool existed;
    must(w, chat_conversation_create(&call, &draft, &view, &existed), "conversation");
    struct uuid id = view.conversation.id;
    leave(w, own);
    return id;
}

void world_retitle(struct world *w, struct uuid by, struct uuid conversation_id, const char *title)
{
    bool own = enter(w);
    struct user user = world_get(w, by);
    struct call call = world_call(w, &user);
    struct conversation_view view = look(w, &call, conversation_id);
    const struct conversation_change change = {.title = str_of(title)};
    must(w, chat_conversation_change(&call, &view, &change), "retitle");
    leave(w, own);
}

void world_end(struct world *w, struct uuid owner, struct uuid conversation_id)
{
    bool own = enter(w);
    struct user user = world_get(w, owner);
    struct call call = world_call(w, &user);
    struct conversation_view view = look(w, &call, conversation_id);
    must(w, chat_conversation_delete(&call, &view), "end");
    leave(w, own);
}

/* --- memberships --------------------------------------------------------------------------- */

void world_add(struct world *w, struct uuid by, struct uuid conversation_id, struct uuid user_id)
{
    bool own = enter(w);
    bool joined = false;
    struct user user = world_get(w, by);
    struct call call = world_call(w, &user);
    struct conversation_view view = look(w, &call, conversation_id);
    must(w, chat_participant_add(&call, &view, user_id, &joined), "add");
    assert_true(joined);
    leave(w, own);
}

void world_remove(struct world *w, struct uuid by, struct uuid conversation_id, struct uuid user_id)
{
    bool own = enter(w);
    struct user user = world_get(w, by);
    struct call call = world_call(w, &user);
    struct conversation_view view = look(w, &call, conversation_id);
    must(w, chat_participant_remove(&call, &view, user_id), "remove");
    leave(w, own);
}

void world_pin(struct world *w, struct uuid user_id, struct uuid conversation_id)
{
    bool own = enter(w);
    struct user user = world_get(w, user_id);
    struct call call = world_call(w, &user);
    struct conversation_view view = look(w, &call, conversation_id);
    const struct own_settings settings = {.pinned = !view.mine.pinned};
    must(w, chat_participant_set_mine(&call, &view, &settings), "pin");
    leave(w, own);
}

void world_read(struct world *w, struct uuid user_id, struct uuid conversation_id, int64_t seq)
{
    bool own = enter(w);
    struct user user = world_get(w, user_id);
    struct call call = world_call(w, &user);
    struct conversation_view view = look(w, &call, conversation_id);
    must(w, chat_participant_read(&call, &view, seq), "read");
    leave(w, own);
}

/* --- messages ------------------------------------------------------------------------------ */

struct uuid world_send(struct world *w, struct uuid sender_id, struct uuid conversation_id,
                       int count)
{
    bool own = enter(w);
    struct user user = world_get(w, sender_id);
    struct uuid id = {{0}};
    for (int i = 0; i < count; i++) {
        struct call call = world_call(w, &user);
        const struct message_draft draft = {.conversation_id = conversation_id,
                                            .body = STR("text")};
        struct message message;
        bool replayed;
        must(w, chat_message_send(&call, &draft, &message, &replayed), "send");
        id = message.id;
    }
    leave(w, own);
    return id;
}

void world_edit(struct world *w, struct uuid sender_id, struct uuid message_id, const char *body)
{
    bool own = enter(w);
    struct user user = world_get(w, sender_id);
    struct call call = world_call(w, &user);
    struct message_view view;
    must(w, chat_message_open(&call, message_id, &view), "open message");
    must(w, chat_message_edit(&call, &view, str_of(body)), "edit");
    leave(w, own);
}

void world_bury(struct world *w, struct uuid sender_id, struct uuid message_id)
{
    bool own = enter(w);
    struct user user = world_get(w, sender_id);
    struct call call = world_call(w, &user);
    struct message_view view;
    must(w, chat_message_open(&call, message_id, &view), "open message");
    must(w, chat_message_delete(&call, &view), "delete message");
    leave(w, own);
}
