/* The writer's files: db/sqlite_checkpoint.c and sqlite_vfs.c, seen from the file system and from
 * another connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/sqlite_checkpoint.h"
#include "unit/support/database.h"

/* The salt tells each log from all others: its frames are summed up one after the other. */
enum query { ADD, COUNT, CHECK, SYNCHRONOUS, QUERIES };
static const char *const texts[] = {
    [ADD] = "INSERT INTO thing (salt, body) VALUES (random(), zeroblob(?1))",
    [COUNT] = "SELECT count(*) FROM thing",
    [CHECK] = "SELECT integrity_check = 'ok' FROM pragma_integrity_check",
    [SYNCHRONOUS] = "SELECT synchronous FROM pragma_synchronous",
};
static const char *const names[QUERIES] = {"add", "count", "check", "synchronous"};
static const struct db_queries queries = {texts, names, QUERIES};

enum {
    PAGES = 200,
    BODY = PAGES * 4096,
    FRAME = 4096 + 24,
    SPILLING = 30 /* bodies in a transaction: more than the cache holds */
};

struct fixture {
    struct test_database t;
    struct db *writer;
    struct db *reader;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    struct str problem;
    const struct db_options steady = {
        .queries = queries, .busy_timeout_ms = 5000, .writes_steadily = true};
    test_database_init(&f->t);
    assert_int_equal(db_open(f->t.url, &steady, &f->writer, &f->t.arena, &problem), ERR_OK);
    test_database_script(&f->t, f->writer, "CREATE TABLE thing (salt INTEGER, body BLOB)");
    f->reader = test_database_open(&f->t, queries, true);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->reader);
    db_close(f->writer);
    test_database_fini(&f->t);
    free(f);
    return 0;
}

static int64_t get(struct db *db, int query)
{
    int64_t n = -1;
    assert_int_equal(db_get_int(db, query, NO_ARGS, &n, NULL), ERR_OK);
    return n;
}

static void add(struct fixture *f, int64_t size)
{
    assert_int_equal(db_begin_write(f->writer), ERR_OK);
    assert_int_equal(db_exec(f->writer, ADD, ARGS(V_INT(size)), NULL), ERR_OK);
    assert_int_equal(db_commit(f->writer), ERR_OK);
}

static int64_t size_of(const struct fixture *f, const char *suffix)
{
    char path[128];
    struct stat file = {0};
    snprintf(path, sizeof(path), "%s%s", f->t.url + sizeof("sqlite:") - 1, suffix);
    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

/* Commits of one page, and of more than is gathered at once. */
static void test_commits_are_seen_by_others(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f->writer, SYNCHRONOUS), 2); /* FULL */
    for (int64_t n = 1; n <= 20; n++) {
        add(f, n % 2 == 0 ? BODY : 100);
        assert_int_equal(get(f->reader, COUNT), n);
    }
    assert_int_equal(get(f->reader, CHECK), 1);
}

static void test_what_was_rolled_back_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    add(f, BODY);
    assert_int_equal(db_begin_write(f->writer), ERR_OK);
    for (int i = 0; i < SPILLING; i++) { /* pages go to the log before */
        assert_int_equal(db_exec(f->writer, ADD, ARGS(V_INT(BODY)), NULL), ERR_OK);
    }
    assert_int_equal(get(f->reader, COUNT), 1);
    assert_int_equal(get(f->writer, COUNT), 1 + SPILLING);
    db_rollback(f->writer);
    add(f, BODY);
    assert_int_equal(get(f->reader, COUNT), 2);
    assert_int_equal(get(f->writer, CHECK), 1);
    assert_int_equal(get(f->reader, CHECK), 1);
}

/* Several times as much is written as the log may hold, with nobody pausing. */
static void test_the_log_begins_again(void **state)
{
    struct fixture *f = *state;
    enum { COMMITS = 2 * CHECKPOINT_WAIT_FRAMES / PAGES };
    for (int n = 1; n <= COMMITS; n++) {
        add(f, BODY);
    }
    assert_true(size_of(f, "-wal") < (int64_t)(CHECKPOINT_WAIT_FRAMES + 2 * PAGES) * FRAME);
    assert_true(size_of(f, "") > (int64_t)CHECKPOINT_WAIT_FRAMES * 4096);
    assert_int_equal(get(f->reader, COUNT), COMMITS);
    assert_int_equal(get(f->reader, CHECK), 1);
}

/* Who reads in the log keeps it from beginning again, for as long as he does. */
static void test_a_reader_is_not_disturbed(void **state)
{
    struct fixture *f = *state;
    enum { COMMITS = 3 * CHECKPOINT_FRAMES / 2 / PAGES };
    add(f, BODY);
    assert_int_equal(db_begin_read(f->reader), ERR_OK);
    assert_int_equal(get(f->reader, COUNT), 1);
    for (int n = 1; n <= COMMITS; n++) {
        add(f, BODY);
    }
    assert_int_equal(get(f->reader, COUNT), 1);
    assert_int_equal(get(f->reader, CHECK), 1);
    assert_int_equal(db_commit(f->reader), ERR_OK);
    assert_int_equal(get(f->reader, COUNT), 1 + COMMITS);
    assert_int_equal(get(f->reader, CHECK), 1);
}

/* Another process commits where the writer's frames were that were rolled back. The log has just begun
 * again, so that nothing which the rollback reads is in it. */
static void test_another_writer_after_a_rollback(void **state)
{
    struct fixture *f = *state;
    struct db *other = test_database_open(&f->t, queries, false);
    add(f, BODY);
    test_database_script(&f->t, other, "PRAGMA wal_checkpoint");
    assert_int_equal(db_begin_read(f->reader),
                     ERR_OK); /* keeps the next log from beginning again */
    assert_int_equal(get(f->reader, COUNT), 1);
    assert_int_equal(db_begin_write(f->writer), ERR_OK);
    for (int i = 0; i < SPILLING; i++) {
        assert_int_equal(db_exec(f->writer, ADD, ARGS(V_INT(BODY)), NULL), ERR_OK);
    }
    db_rollback(f->writer);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(db_begin_write(other), ERR_OK);
        assert_int_equal(db_exec(other, ADD, ARGS(V_INT(BODY)), NULL), ERR_OK);
        assert_int_equal(db_commit(other), ERR_OK);
    }
    add(f, 100);
    assert_int_equal(db_commit(f->reader), ERR_OK);
    assert_int_equal(get(f->reader, COUNT), 42);
    assert_int_equal(get(f->reader, CHECK), 1);
    assert_int_equal(get(f->writer, CHECK), 1);
    db_close(other);
}

struct relay {
    struct db *readers[2];
    atomic_bool stop;
};

static void begin_reading(struct db *db)
{
    assert_int_equal(db_begin_read(db), ERR_OK);
    assert_true(get(db, COUNT) >= 0);
}

/* One begins before the other ends. */
static void *read_in_turns(void *arg)
{
    struct relay *relay = arg;
    begin_reading(relay->readers[0]);
    for (int turn = 1; !atomic_load(&relay->stop); turn = !turn) {
        begin_reading(relay->readers[turn]);
        usleep(3000);
        db_rollback(relay->readers[!turn]);
    }
    db_rollback(relay->readers[0]);
    db_rollback(relay->readers[1]);
    return NULL;
}

/* Somebody reads in the log at any moment. */
static void test_readers_in_turns_do_not_keep_the_log(void **state)
{
    struct fixture *f = *state;
    struct db *other = test_database_open(&f->t, queries, true);
    struct relay relay = {.readers = {f->reader, other}};
    pthread_t thread;
    add(f, 100);
    assert_int_equal(pthread_create(&thread, NULL, read_in_turns, &relay), 0);
    for (int n = 1; n <= 3 * CHECKPOINT_WAIT_FRAMES / PAGES; n++) {
        add(f, BODY);
    }
    atomic_store(&relay.stop, true);
    pthread_join(thread, NULL);
    db_close(other);
    assert_true(size_of(f, "-wal") < (int64_t)2 * CHECKPOINT_WAIT_FRAMES * FRAME);
    assert_int_equal(get(f->writer, CHECK), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commits_are_seen_by_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_rolled_back_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_log_begins_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_is_not_disturbed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_writer_after_a_rollback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_in_turns_do_not_keep_the_log, setup, teardown),
    };
    return cmocka_run_group_tests_name("sqlite_checkpoint", tests, NULL, NULL);
}
