/* jobs/jobs.c: what was asked for before the start and what comes later gets done; stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "jobs/jobs.h"
#include "store/change.h"
#include "store/queries.h"
#include "unit/support/chat_rows.h"

struct fixture {
    struct test_database t;
    struct conf conf;
    struct app app;
    struct jobs *jobs;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    struct str problem = STR("");
    test_database_init(&f->t);
    test_database_migrate(&f->t);
    chat_rows_add(&f->t);
    chat_rows_count(&f->t);
    conf_init(&f->conf);
    f->app.conf = &f->conf;
    const struct exec_options options = {.url = f->t.url,
                                         .queries = store_queries,
                                         .write_queue_max = 10,
                                         .write_batch_max = 10,
                                         .busy_timeout_ms = 5000,
                                         .read_timeout_ms = 60000,
                                         .hold = store_hold_shard};
    assert_int_equal(exec_new(&options, &f->app.exec, &f->t.arena, &problem), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    jobs_stop(f->jobs);
    exec_stop(f->app.exec);
    exec_free(f->app.exec);
    test_database_fini(&f->t);
    free(f);
    return 0;
}

static void run_script(struct fixture *f, const char *sql)
{
    const struct db_options options = {.busy_timeout_ms = 5000};
    struct db *db = NULL;
    struct str problem = STR("");
    assert_int_equal(db_open(f->t.url, &options, &db, &f->t.arena, &problem), ERR_OK);
    test_database_script(&f->t, db, sql);
    db_close(db);
}

/* Half a minute at most: how soon is not promised. */
static void wait_until_zero(struct fixture *f, const char *sql)
{
    for (int i = 0; i < 3000; i++) {
        if (chat_rows_get(&f->t, sql) == 0) {
            return;
        }
        (void)usleep(10 * 1000);
    }
    fail_msg("still not zero: %s", sql);
}

static const char request_user[] =
    "INSERT INTO erasure (kind, id, requested_at) SELECT 'user', id, 1 FROM account"
    " WHERE username = 'one'";
static const char request_conversation[] =
    "INSERT INTO erasure (kind, id, requested_at) SELECT 'conversation', id, 2 FROM conversation"
    " WHERE deleted_at IS NOT NULL";
static const char requests[] = "SELECT count(*) FROM erasure";

static void test_what_was_left_and_what_comes(void **state)
{
    struct fixture *f = *state;
    run_script(f, request_user);
    f->jobs = jobs_start(&f->app);
    wait_until_zero(f, requests);
    assert_int_equal(chat_rows_get(&f->t, "SELECT messages FROM shard"), 5);
    run_script(f, request_conversation);
    wait_until_zero(f, requests);
    assert_int_equal(chat_rows_get(&f->t, "SELECT count(*) FROM message WHERE body <> ''"), 5);
}

/* A guest who was a moderator in more conversations than can be changed at once, and a host who has
 * been one again meanwhile. */
static void test_demotion(void **state)
{
    struct fixture *f = *state;
    run_script(f, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
                  " INSERT INTO conversation (id, title, metadata, created_by, created_at,"
                  " updated_at, last_seq, message_count, participant_count, rev, stamp)"
                  " SELECT CAST(printf('%016d', i) AS BLOB), 'room', '{}', a.id, 1, 1, 0, 0, 2, 3,"
                  " 1 FROM n JOIN account a ON a.username = 'one';"
                  "INSERT INTO participant (conversation_id, user_id, role, joined_at, read_seq,"
                  " archived, pinned, rev, stamp)"
                  " SELECT c.id, a.id, 'moderator', 1, 0, 0, 0, 2, 1 FROM conversation c CROSS JOIN"
                  " account a WHERE c.title = 'room';"
                  "UPDATE account SET role = 'host' WHERE username = 'two';"
                  "INSERT INTO demotion (user_id, requested_at) SELECT id, 1 FROM account");
    f->jobs = jobs_start(&f->app);
    wait_until_zero(f, "SELECT count(*) FROM demotion");
    assert_int_equal(chat_rows_get(&f->t, "SELECT count(*) FROM participant p JOIN account a ON"
                                          " a.id = p.user_id WHERE a.username = 'one' AND p.role ="
                                          " 'member' AND p.rev = 4"),
                     1200);
    assert_int_equal(chat_rows_get(&f->t, "SELECT count(*) FROM participant p JOIN account a ON"
                                          " a.id = p.user_id WHERE a.username = 'two' AND p.role ="
                                          " 'moderator' AND p.rev = 2"),
                     1200);
    assert_int_equal(
        chat_rows_get(&f->t, "SELECT count(*) FROM conversation WHERE title = 'room' AND rev = 4"),
        1200);
}

/* What fails says so in its row, holds nothing else up, and is done once it can be. */
static void test_failure(void **state)
{
    struct fixture *f = *state;
    run_script(f, "CREATE TRIGGER refuse BEFORE UPDATE ON message WHEN old.conversation_id IN"
                  " (SELECT id FROM conversation WHERE deleted_at IS NULL)"
                  " BEGIN SELECT RAISE(ABORT, 'refused'); END");
    run_script(f, request_user);
    run_script(f, request_conversation);
    f->jobs = jobs_start(&f->app);
    wait_until_zero(f, "SELECT count(*) FROM erasure WHERE kind = 'conversation'"
                       " OR error IS NULL OR failed_at IS NULL");
    assert_int_equal(chat_rows_get(&f->t, requests), 1);
    run_script(f, "DROP TRIGGER refuse");
    wait_until_zero(f, requests);
    assert_int_equal(chat_rows_get(&f->t, "SELECT messages FROM shard"), 5);
}

static void test_purge(void **state)
{
    struct fixture *f = *state;
    run_script(f, "INSERT INTO session (id, user_id, kind, generation, issued_at, created_at,"
                  " expires_at, last_used_at, user_agent, address) SELECT id, sender_id,"
                  " 'jwt', 1, 1, 1, 1, 1, '', '' FROM message");
    run_script(f, "INSERT INTO idempotency (user_id, request, body, status, answer, created_at)"
                  " SELECT id, x'00', x'00', 201, '{}', 1 FROM account");
    run_script(f, "INSERT INTO ws_ticket (id, expires_at) SELECT id, 1 FROM account");
    run_script(f, "WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 9000)"
                  " INSERT INTO change_log (shard, stamp, n, kind, rev, at)"
                  " SELECT 0, n / 10, n, 6, 0, n FROM i");
    f->jobs = jobs_start(&f->app);
    wait_until_zero(f, "SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM idempotency)"
                       " + (SELECT count(*) FROM ws_ticket) + (SELECT count(*) FROM change_log)");
}

/* With nothing to do, nothing is written: the counter of commits stays. */
static void test_idle(void **state)
{
    struct fixture *f = *state;
    int64_t stamp = chat_rows_get(&f->t, "SELECT stamp FROM shard");
    f->jobs = jobs_start(&f->app);
    (void)usleep(100 * 1000);
    jobs_stop(f->jobs);
    f->jobs = NULL;
    assert_int_equal(chat_rows_get(&f->t, "SELECT stamp FROM shard"), stamp);
    jobs_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_what_was_left_and_what_comes),
        TEST(test_demotion),
        TEST(test_failure),
        TEST(test_purge),
        TEST(test_idle),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
