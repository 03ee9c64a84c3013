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
    conf_init(&f->conf);
    f->app.conf = &f->conf;
    const struct exec_options options = {.url = f->t.url,
                                         .queries = store_queries,
                                         .write_queue_max = 10,
                                         .write_batch_max = 10,
                                         .slow_queue_max = 1,
                                         .slow_threads = 1,
                                         .busy_timeout_ms = 5000,
                                         .read_timeout_ms = 60000,
                                         .query_raise_stamp = Q_STAMP_RAISE};
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
    assert_int_equal(chat_rows_get(&f->t, "SELECT n FROM tally WHERE name = 'messages'"), 5);
    run_script(f, request_conversation);
    jobs_poke(f->jobs);
    wait_until_zero(f, requests);
    assert_int_equal(chat_rows_get(&f->t, "SELECT count(*) FROM message WHERE body <> ''"), 5);
}

static void test_purge(void **state)
{
    struct fixture *f = *state;
    run_script(f, "INSERT INTO session (id, user_id, kind, generation, issued_at, created_at,"
                  " expires_at, last_used_at, user_agent, address, stamp) SELECT id, sender_id,"
                  " 'jwt', 1, 1, 1, 1, 1, '', '', 1 FROM message");
    run_script(f, "INSERT INTO idempotency (user_id, request, body, status, answer, created_at)"
                  " SELECT id, x'00', x'00', 201, '{}', 1 FROM account");
    f->jobs = jobs_start(&f->app);
    jobs_poke(f->jobs);
    wait_until_zero(f,
                    "SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM idempotency)");
}

/* With nothing to do, nothing is written: the counter of commits stays. */
static void test_idle(void **state)
{
    struct fixture *f = *state;
    int64_t stamp = chat_rows_get(&f->t, "SELECT stamp FROM shard");
    f->jobs = jobs_start(&f->app);
    jobs_poke(f->jobs);
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
        TEST(test_purge),
        TEST(test_idle),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
