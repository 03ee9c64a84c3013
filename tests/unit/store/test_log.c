/* What each change leaves behind: rows of the log, stamps, revs without a hole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "chat/conversation.h"
#include "chat/login.h"
#include "chat/session.h"
#include "store/change.h"
#include "store/erasure.h"
#include "store/message.h"
#include "store/session.h"
#include "unit/support/chat_rows.h"
#include "unit/support/world.h"

struct fixture {
    struct world w;
    struct uuid ann, bob, conversation;
    struct position seen;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    world_init(&f->w);
    f->ann = world_user(&f->w, "ann");
    f->bob = world_user(&f->w, "bob");
    f->conversation = world_conversation(&f->w, f->ann, f->bob);
    assert_int_equal(store_position(f->w.db, &f->seen, NULL), ERR_OK);
    *state = f;
    return 0;
}

static int64_t get(struct fixture *f, const char *sql)
{
    return chat_rows_get(&f->w.t, sql);
}

/* True of every database at any time. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    /* Each rev belongs to one change. */
    assert_int_equal(get(f, "SELECT count(*) FROM conversation c WHERE c.rev <> (SELECT count(*)"
                            " FROM change_log l WHERE l.conversation_id = c.id AND l.rev > 0) OR"
                            " c.rev <> (SELECT count(DISTINCT l.rev) FROM change_log l WHERE"
                            " l.conversation_id = c.id AND l.rev > 0)"),
                     0);
    /* Who looks at the conversation's stamp misses nothing that is in it. */
    assert_int_equal(get(f, "SELECT count(*) FROM conversation c WHERE EXISTS (SELECT 1 FROM"
                            " message m WHERE m.conversation_id = c.id AND m.stamp > c.stamp) OR"
                            " EXISTS (SELECT 1 FROM participant p WHERE p.conversation_id = c.id"
                            " AND p.stamp > c.stamp)"),
                     0);
    assert_int_equal(get(f, "SELECT count(*) FROM message WHERE sent_stamp > stamp OR"
                            " sent_stamp = 0"),
                     0);
    assert_int_equal(get(f, "SELECT count(*) FROM participant WHERE joined_stamp > stamp OR"
                            " joined_stamp = 0"),
                     0);
    world_fini(&f->w);
    free(f);
    return 0;
}

static const char *const kind_names[] = {
    [CHANGE_MESSAGE] = "message",
    [CHANGE_CONVERSATION] = "conversation",
    [CHANGE_MEMBERSHIP] = "membership",
    [CHANGE_MINE] = "mine",
    [CHANGE_READ] = "read",
    [CHANGE_USER] = "user",
    [CHANGE_SESSIONS] = "sessions",
    [CHANGE_ENDED] = "ended",
};

/* What was logged since the last time: "kind rev whose," and so on. */
static void assert_logged(struct fixture *f, const char *wanted)
{
    struct change *rows;
    size_t count;
    struct buf text;
    buf_init(&text, 4096);
    struct position present;
    assert_int_equal(store_position(f->w.db, &present, NULL), ERR_OK);
    assert_int_equal(store_change_list(f->w.db, &f->w.arena, &f->seen, &present, &rows, &count),
                     ERR_OK);
    f->seen = present;
    for (size_t i = 0; i < count; i++) {
        const struct change *c = &rows[i];
        bool anns = uuid_eq(c->object_id, f->ann);
        const char *whose = uuid_eq(c->object_id, f->bob) ? " bob" : anns ? " ann" : "";
        buf_printf(&text, "%s%s", i > 0 ? ", " : "", kind_names[c->kind]);
        if (c->rev > 0) {
            buf_printf(&text, " %" PRId64, c->rev);
        }
        buf_str(&text, str_of(whose));
        bool in_one = c->kind != CHANGE_USER && c->kind != CHANGE_SESSIONS;
        assert_int_equal(in_one, !uuid_is_zero(c->conversation_id));
    }
    if (!str_eq(buf_view(&text), str_of(wanted))) {
        fail_msg("logged: %.*s\nwanted: %s", STR_ARG(buf_view(&text)), wanted);
    }
    buf_fini(&text);
}

/* --- conversations ------------------------------------------------------------------------- */

static void test_making_a_conversation(void **state)
{
    struct fixture *f = *state;
    world_conversation(&f->w, f->ann, f->bob);
    assert_logged(f, "conversation 1, membership 2 ann, membership 3 bob");
}

static void test_changing_it(void **state)
{
    struct fixture *f = *state;
    world_retitle(&f->w, f->ann, f->conversation, "other");
    assert_logged(f, "conversation 4");
    world_retitle(&f->w, f->ann, f->conversation, "other"); /* nothing new */
    assert_logged(f, "");
}

/* The title's rev is one, each membership's is another, though the row is written once. */
static void test_title_and_people_at_once(void **state)
{
    struct fixture *f = *state;
    struct uuid cid = world_user(&f->w, "cid");
    assert_logged(f, "user");
    world_begin(&f->w);
    struct user ann = world_get(&f->w, f->ann);
    struct call call = world_call(&f->w, &ann);
    const struct people people = {.ids = &cid, .count = 1};
    const struct conversation_change change = {.title = STR("new"), .people = &people};
    struct conversation_view view;
    assert_int_equal(
        chat_conversation_open(&call, f->conversation, NEED_MANAGE, ERR_NOT_FOUND, &view), ERR_OK);
    assert_int_equal(chat_conversation_change(&call, &view, &change), ERR_OK);
    world_commit(&f->w);
    assert_logged(f, "membership 5, membership 6 bob, conversation 4");
}

static void test_deleting_it(void **state)
{
    struct fixture *f = *state;
    world_send(&f->w, f->ann, f->conversation, 3);
    assert_logged(f, "message 4, message 5, message 6");
    world_end(&f->w, f->ann, f->conversation);
    assert_logged(f, "ended 7");
    assert_int_equal(get(f, "SELECT count(*) FROM participant WHERE left_at IS NULL"), 0);
    assert_int_equal(get(f, "SELECT count(DISTINCT p.stamp) FROM participant p JOIN conversation c"
                            " ON c.id = p.conversation_id AND c.stamp = p.stamp AND c.rev = p.rev"),
                     1);
    world_begin(&f->w);
    const struct erasure erasure = {ERASE_CONVERSATION, f->conversation};
    struct list_key at = {.n = INT64_MIN};
    bool over = false;
    assert_int_equal(
        store_erasure_step(f->w.db, &f->w.arena, f->w.now_us, &erasure, 100, &at, &over), ERR_OK);
    world_commit(&f->w);
    assert_true(over);
    assert_logged(f, "conversation 8");
}

/* --- memberships --------------------------------------------------------------------------- */

static void test_memberships(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_remove(w, f->ann, f->conversation, f->bob);
    assert_logged(f, "membership 4 bob");
    int64_t began = get(f, "SELECT max(joined_stamp) FROM participant");
    world_add(w, f->ann, f->conversation, f->bob);
    assert_logged(f, "membership 5 bob");
    assert_int_equal(get(f, "SELECT max(joined_stamp) FROM participant"), w->stamp);
    assert_true(w->stamp > began);
    world_remove(w, f->ann, f->conversation, f->ann); /* the heir gets another role */
    assert_logged(f, "membership 6 ann, membership 7 bob");
    assert_int_equal(get(f, "SELECT count(*) FROM participant WHERE joined_stamp = stamp"), 0);
}

static void test_own_settings(void **state)
{
    struct fixture *f = *state;
    world_pin(&f->w, f->bob, f->conversation);
    assert_logged(f, "mine 4 bob");
}

static void test_read_positions(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_send(w, f->ann, f->conversation, 3);
    assert_logged(f, "message 4, message 5, message 6"); /* nothing of the sender's own position */
    assert_int_equal(get(f, "SELECT max(read_seq) FROM participant"), 3);
    world_read(w, f->bob, f->conversation, 2);
    assert_logged(f, "read bob");
    int64_t stamp = w->stamp;
    assert_int_equal(get(f, "SELECT stamp FROM conversation"), stamp);
    world_read(w, f->bob, f->conversation, 1); /* it only grows */
    assert_logged(f, "");
    assert_int_equal(get(f, "SELECT stamp FROM conversation"), stamp);
}

static int64_t read_all(struct fixture *f, struct uuid reader)
{
    int64_t changed = -1;
    world_begin(&f->w);
    assert_int_equal(store_message_read_all(f->w.db, reader, &changed), ERR_OK);
    world_commit(&f->w);
    return changed;
}

static void test_reading_all(void **state)
{
    enum { MANY = 250 };
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_begin(w);
    for (int i = 0; i < MANY; i++) {
        world_send(w, f->ann, world_conversation(w, f->ann, f->bob), 2);
    }
    world_commit(w);
    assert_int_equal(store_position(w->db, &f->seen, NULL), ERR_OK);
    assert_int_equal(read_all(f, f->bob), MANY);
    assert_int_equal(
        get(f, "SELECT count(DISTINCT conversation_id) FROM change_log WHERE kind = 5"), MANY);
    assert_int_equal(get(f, "SELECT count(*) FROM change_log WHERE kind = 5"), MANY);
    assert_int_equal(get(f, "SELECT count(*) FROM participant p JOIN conversation c ON c.id ="
                            " p.conversation_id WHERE p.read_seq < c.last_seq"),
                     0);
    assert_int_equal(read_all(f, f->bob), 0);
    assert_int_equal(read_all(f, f->ann), 0);
}

/* --- messages ------------------------------------------------------------------------------ */

static void test_messages(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct uuid id = world_send(w, f->ann, f->conversation, 1);
    int64_t sent = w->stamp;
    assert_logged(f, "message 4");
    world_edit(w, f->ann, id, "other");
    assert_logged(f, "message 5");
    assert_int_equal(get(f, "SELECT sent_stamp FROM message"), sent);
    assert_int_equal(get(f, "SELECT stamp FROM message"), w->stamp);
    world_bury(w, f->ann, id);
    assert_logged(f, "message 6");
}

/* A send writes as little as it can: one row of the log beside what it always wrote. */
static void test_rows_of_a_send(void **state)
{
    struct fixture *f = *state;
    int64_t before = db_changes(f->w.db);
    world_send(&f->w, f->ann, f->conversation, 1);
    /* shard (its counters; the stamp was raised before), message, conversation, participant, log */
    assert_int_equal(db_changes(f->w.db) - before, 6);
}

/* --- users and sessions -------------------------------------------------------------------- */

static void test_users(void **state)
{
    struct fixture *f = *state;
    world_rename(&f->w, f->bob, "Bob");
    assert_logged(f, "user bob");
}

static void test_deleting_a_user(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_send(w, f->bob, f->conversation, 2);
    assert_logged(f, "message 4, message 5");
    world_delete_user(w, f->bob);
    assert_logged(f, "membership 6 bob, message 7, message 8, user bob");
}

static struct session sign_in(struct fixture *f)
{
    const struct device device = {STR("agent"), STR("::1")};
    struct session session;
    world_begin(&f->w);
    struct call call = world_call(&f->w, NULL);
    assert_int_equal(chat_session_open(&call, f->bob, &device, &session), ERR_OK);
    world_commit(&f->w);
    return session;
}

static void test_sessions(void **state)
{
    struct fixture *f = *state;
    struct session session = sign_in(f);
    assert_logged(f, "");
    world_begin(&f->w);
    struct call call = world_call(&f->w, NULL);
    assert_int_equal(chat_session_log_out(&call, &session), ERR_OK); /* its token lives on */
    world_commit(&f->w);
    assert_logged(f, "");
    world_begin(&f->w);
    call = world_call(&f->w, NULL);
    assert_int_equal(chat_session_revoke(&call, &session), ERR_OK);
    world_commit(&f->w);
    assert_logged(f, "sessions bob");
    sign_in(f);
    sign_in(f);
    sign_in(f);
    assert_logged(f, "");
    sign_in(f); /* one more than may be */
    assert_logged(f, "sessions bob");
}

static void test_passwords(void **state)
{
    struct fixture *f = *state;
    struct session session = sign_in(f);
    for (int i = 0; i < 2; i++) {
        world_begin(&f->w);
        struct call call = world_call(&f->w, NULL);
        assert_int_equal(chat_password_set(&call, session.user_id, STR("!"), (struct uuid){{0}}),
                         ERR_OK);
        world_commit(&f->w);
        assert_logged(f, i == 0 ? "sessions bob" : ""); /* then there is none left */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_making_a_conversation),
        TEST(test_changing_it),
        TEST(test_title_and_people_at_once),
        TEST(test_deleting_it),
        TEST(test_memberships),
        TEST(test_own_settings),
        TEST(test_read_positions),
        TEST(test_reading_all),
        TEST(test_messages),
        TEST(test_rows_of_a_send),
        TEST(test_users),
        TEST(test_deleting_a_user),
        TEST(test_sessions),
        TEST(test_passwords),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
