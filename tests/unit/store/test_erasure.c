/* store/erasure.c: what is left of a user's messages and of a conversation, counters, resuming. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/log.h"
#include "store/erasure.h"
#include "store/idempotency.h"
#include "store/queries.h"
#include "store/system.h"
#include "store/ticket.h"
#include "unit/support/chat_rows.h"

enum { NOW_US = 5000, STEPS_MAX = 100 };

struct fixture {
    struct test_database t;
    struct db *db;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    test_database_init(&f->t);
    test_database_migrate(&f->t);
    chat_rows_add(&f->t);
    chat_rows_count(&f->t);
    f->db = test_database_open(&f->t, store_queries, false);
    test_database_script(&f->t, f->db, "UPDATE shard SET stamp = 8"); /* above all rows */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->db);
    test_database_fini(&f->t);
    free(f);
    return 0;
}

static int64_t get(struct fixture *f, const char *sql)
{
    return chat_rows_get(&f->t, sql);
}

/* Takes at most `steps` steps of `most` messages; returns how many were taken until it was over,
 * 0 if it is not. */
static int erase(struct fixture *f, const struct erasure *erasure, int64_t most, int steps)
{
    struct list_key at = {.n = INT64_MIN};
    bool over = false;
    for (int i = 1; i <= steps; i++) {
        assert_int_equal(db_begin_write(f->db), ERR_OK);
        assert_int_equal(store_erasure_step(f->db, &f->t.arena, NOW_US, erasure, most, &at, &over),
                         ERR_OK);
        assert_int_equal(db_commit(f->db), ERR_OK);
        if (over) {
            return i;
        }
    }
    return 0;
}

static void request(struct fixture *f, const char *kind, struct uuid id, int64_t at_us)
{
    assert_int_equal(store_erasure_add(f->db, kind, id, at_us), ERR_OK);
}

static const struct erasure user_1 = {ERASE_USER, {{0xA1}}};
static const struct erasure deleted = {ERASE_CONVERSATION, {{0xC2}}};

static void test_the_oldest_request_comes_first(void **state)
{
    struct fixture *f = *state;
    struct erasure next;
    bool found = true;
    assert_int_equal(store_erasure_next(f->db, &next, &found), ERR_OK);
    assert_false(found);
    request(f, "user", chat_rows_user_1, 20);
    request(f, "conversation", chat_rows_deleted, 10);
    request(f, "conversation", chat_rows_deleted, 30); /* once more: no harm */
    assert_int_equal(store_erasure_next(f->db, &next, &found), ERR_OK);
    assert_true(found);
    assert_int_equal(next.kind, ERASE_CONVERSATION);
    assert_true(uuid_eq(next.id, chat_rows_deleted));
    assert_int_equal(erase(f, &next, 100, STEPS_MAX), 1);
    assert_int_equal(store_erasure_next(f->db, &next, &found), ERR_OK);
    assert_int_equal(next.kind, ERASE_USER);
}

static void assert_user_erased(struct fixture *f)
{
    assert_int_equal(get(f, "SELECT count(*) FROM message WHERE sender_id = (SELECT id FROM account"
                            " WHERE username = 'one') AND (body <> '' OR metadata <> '{}' OR"
                            " deleted_at IS NULL OR fingerprint IS NOT NULL OR pinned_at IS NOT"
                            " NULL OR stamp < 9)"),
                     0);
    assert_int_equal(get(f, "SELECT count(*) FROM message WHERE body <> ''"), CHAT_ROWS_EACH);
    assert_int_equal(get(f, "SELECT count(*) FROM message"), 2 * CHAT_ROWS_EACH);
    assert_int_equal(get(f, "SELECT count(*) FROM message_history"), CHAT_ROWS_EACH);
    assert_int_equal(get(f, "SELECT count(*) FROM erasure"), 0);
}

/* The conversation that is deleted is out of the counters already. */
static void assert_counters(struct fixture *f)
{
    assert_int_equal(get(f, "SELECT message_count FROM conversation WHERE title = 'living'"), 5);
    assert_int_equal(get(f, "SELECT message_count FROM conversation WHERE deleted_at IS NOT NULL"),
                     0);
    assert_int_equal(get(f, "SELECT messages FROM shard"), 5);
}

static void test_a_users_messages(void **state)
{
    struct fixture *f = *state;
    request(f, "user", chat_rows_user_1, 10);
    /* Ten messages in threes: the fourth step finds only one. */
    assert_int_equal(erase(f, &user_1, 3, STEPS_MAX), 4);
    assert_user_erased(f);
    assert_counters(f);
}

/* Each change has a rev of its own, and the conversation has the highest. */
static void test_revs(void **state)
{
    struct fixture *f = *state;
    request(f, "user", chat_rows_user_1, 10);
    assert_int_equal(erase(f, &user_1, 100, STEPS_MAX), 1);
    assert_int_equal(get(f, "SELECT rev FROM conversation WHERE title = 'living'"), 13 + 5);
    assert_int_equal(get(f, "SELECT count(DISTINCT rev) FROM message WHERE body = '' AND"
                            " conversation_id IN (SELECT id FROM conversation WHERE title ="
                            " 'living') AND rev BETWEEN 14 AND 18"),
                     5);
}

/* A process that ended in between knows nothing of where it was. */
static void test_beginning_anew(void **state)
{
    struct fixture *f = *state;
    request(f, "user", chat_rows_user_1, 10);
    assert_int_equal(erase(f, &user_1, 3, 2), 0);
    assert_int_equal(get(f, "SELECT count(*) FROM erasure"), 1);
    assert_int_equal(erase(f, &user_1, 3, STEPS_MAX), 4);
    assert_user_erased(f);
    assert_counters(f);
}

static void test_traces(void **state)
{
    struct fixture *f = *state;
    const struct kept_answer kept = {
        .body_digest = STR("digest"), .status = 201, .answer = STR("{\"quoted\":1}")};
    request(f, "user", chat_rows_user_1, 10);
    assert_int_equal(store_idempotency_add(f->db, chat_rows_user_1, STR("r"), &kept, 1), ERR_OK);
    assert_int_equal(store_idempotency_add(f->db, chat_rows_user_2, STR("r"), &kept, 1), ERR_OK);
    test_database_script(
        &f->t, f->db,
        "INSERT INTO session (id, user_id, kind, generation, issued_at, created_at,"
        " expires_at, last_used_at, user_agent, address) SELECT id, id,"
        " 'jwt', 1, 1, 1, 1, 1, 'browser', '10.0.0.1' FROM account");
    assert_int_equal(erase(f, &user_1, 100, STEPS_MAX), 1);
    assert_int_equal(get(f, "SELECT count(*) FROM idempotency"), 1);
    assert_int_equal(get(f, "SELECT count(*) FROM session WHERE user_agent <> ''"), 1);
    assert_int_equal(get(f, "SELECT count(*) FROM session WHERE address <> ''"), 1);
}

static void test_a_conversation(void **state)
{
    struct fixture *f = *state;
    request(f, "conversation", chat_rows_deleted, 10);
    assert_int_equal(erase(f, &deleted, 4, STEPS_MAX), 3);
    assert_int_equal(get(f, "SELECT count(*) FROM message m JOIN conversation c ON c.id ="
                            " m.conversation_id WHERE c.deleted_at IS NOT NULL AND (m.body <> '' OR"
                            " m.metadata <> '{}' OR m.deleted_at IS NULL)"),
                     0);
    /* Those who sent them are still there, and what they send once more is known again. */
    assert_int_equal(get(f, "SELECT count(*) FROM message WHERE fingerprint IS NULL"), 0);
    assert_int_equal(get(f, "SELECT count(*) FROM message WHERE body <> ''"), CHAT_ROWS_EACH);
    assert_int_equal(get(f, "SELECT count(*) FROM message_history"), CHAT_ROWS_EACH);
    assert_int_equal(get(f, "SELECT count(*) FROM conversation WHERE deleted_at IS NOT NULL AND"
                            " title = '' AND metadata = '{}' AND rev = 17"),
                     1);
    assert_int_equal(get(f, "SELECT messages FROM shard"), CHAT_ROWS_EACH);
    assert_int_equal(get(f, "SELECT count(*) FROM erasure"), 0);
}

static void test_nothing_to_erase(void **state)
{
    struct fixture *f = *state;
    const struct erasure nobody = {ERASE_USER, {{0xEE}}};
    const struct erasure nothing = {ERASE_CONVERSATION, {{0xEE}}};
    request(f, "user", nobody.id, 10);
    request(f, "conversation", nothing.id, 10);
    assert_int_equal(erase(f, &nobody, 3, STEPS_MAX), 1);
    assert_int_equal(erase(f, &nothing, 3, STEPS_MAX), 1);
    assert_int_equal(get(f, "SELECT count(*) FROM erasure"), 0);
    assert_int_equal(get(f, "SELECT messages FROM shard"), CHAT_ROWS_EACH);
}

static bool anything_before(struct fixture *f, struct purge_times before)
{
    bool any = false;
    assert_int_equal(store_purge_any(f->db, &before, &any), ERR_OK);
    return any;
}

static void test_purge(void **state)
{
    struct fixture *f = *state;
    const struct kept_answer kept = {
        .body_digest = STR("digest"), .status = 201, .answer = STR("{}")};
    int64_t dropped = 0;
    assert_false(anything_before(f, (struct purge_times){100, 100, 100, 100}));
    test_database_script(
        &f->t, f->db,
        "INSERT INTO session (id, user_id, kind, generation, issued_at, created_at,"
        " expires_at, last_used_at, user_agent, address) SELECT id,"
        " sender_id, 'jwt', 1, 1, 1, seq * 20, 1, '', '' FROM message WHERE seq"
        " <= 5");
    assert_false(anything_before(f, (struct purge_times){100, 20, 100, 100}));
    assert_true(anything_before(f, (struct purge_times){100, 21, 100, 100}));
    assert_int_equal(store_purge_sessions(f->db, 100, 5, &dropped), ERR_OK);
    assert_int_equal(dropped, 5);
    assert_int_equal(store_purge_sessions(f->db, 100, 5, &dropped), ERR_OK);
    assert_int_equal(dropped, 3);
    assert_int_equal(get(f, "SELECT min(expires_at) FROM session"), 100);
    assert_int_equal(store_idempotency_add(f->db, chat_rows_user_1, STR("r"), &kept, 99), ERR_OK);
    assert_true(anything_before(f, (struct purge_times){100, 0, 0, 0}));
    assert_int_equal(store_idempotency_purge(f->db, 100, 5, &dropped), ERR_OK);
    assert_int_equal(dropped, 1);
}

static void test_purge_of_tickets_and_changes(void **state)
{
    struct fixture *f = *state;
    bool first = false;
    assert_int_equal(store_ticket_use(f->db, chat_rows_user_1, 50, &first), ERR_OK);
    assert_true(first);
    assert_int_equal(store_ticket_use(f->db, chat_rows_user_1, 50, &first), ERR_OK);
    assert_false(first);
    assert_false(anything_before(f, (struct purge_times){100, 100, 50, 100}));
    assert_true(anything_before(f, (struct purge_times){100, 100, 51, 100}));
    int64_t dropped = 0;
    assert_int_equal(store_ticket_purge(f->db, 51, 5, &dropped), ERR_OK);
    assert_int_equal(dropped, 1);
    assert_int_equal(store_ticket_use(f->db, chat_rows_user_1, 50, &first), ERR_OK);
    assert_true(first);
    test_database_script(&f->t, f->db,
                         "INSERT INTO change_log (shard, stamp, n, kind, rev, at) VALUES"
                         " (0, 1, 1, 6, 0, 60), (0, 2, 1, 6, 0, 70)");
    assert_false(anything_before(f, (struct purge_times){100, 100, 50, 60}));
    assert_true(anything_before(f, (struct purge_times){100, 100, 50, 61}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_the_oldest_request_comes_first),
        TEST(test_a_users_messages),
        TEST(test_revs),
        TEST(test_beginning_anew),
        TEST(test_traces),
        TEST(test_a_conversation),
        TEST(test_nothing_to_erase),
        TEST(test_purge),
        TEST(test_purge_of_tickets_and_changes),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
