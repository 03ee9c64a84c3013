/* db/migrate.c: up and down, refusals, a failure in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "db/migrate.h"
#include "unit/support/database.h"

struct fixture {
    struct test_database t;
    struct db *db;
    struct migrations all;
    struct str problem;
};

/* What the steps said: "+0001_a -0001_a ". */
static struct buf said;

static void note(const struct migration *m, bool up)
{
    buf_printf(&said, "%c%.*s ", up ? '+' : '-', STR_ARG(m->name));
}

static void assert_said(const char *wanted)
{
    assert_int_equal(said.n, strlen(wanted));
    assert_memory_equal(buf_view(&said).p, wanted, said.n);
    buf_reset(&said);
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    test_database_init(&f->t);
    buf_init(&said, 4096);
    assert_int_equal(migrate_open(f->t.url, 0, &f->db, &f->t.arena, &f->problem), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->db);
    test_database_fini(&f->t);
    buf_fini(&said);
    free(f);
    return 0;
}

static enum err load(struct fixture *f)
{
    return migrate_load(f->db, &f->t.arena, &f->all, &f->problem);
}

static enum err go(struct fixture *f, size_t target)
{
    return migrate_to(f->db, &f->all, target, note, &f->t.arena, &f->problem);
}

/* Tables, indexes and what else there is beside the table of migrations. */
static int64_t count_objects(struct fixture *f)
{
    static const char *const texts[] = {
        "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'migration'"};
    static const char *const names[] = {"count"};
    int64_t n = -1;
    struct db *db = test_database_open(&f->t, (struct db_queries){texts, names, 1}, true);
    assert_int_equal(db_get_int(db, 0, NO_ARGS, &n, NULL), ERR_OK);
    db_close(db);
    return n;
}

static void test_own_migrations_up_and_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f), ERR_OK);
    assert_true(f->all.count > 0);
    assert_int_equal(f->all.applied, 0);
    for (size_t i = 0; i < f->all.count; i++) {
        assert_int_equal(f->all.list[i].number, i + 1);
        assert_int_equal(strlen(f->all.list[i].checksum), 64);
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(go(f, f->all.count), ERR_OK);
        assert_true(count_objects(f) > 0);
        assert_int_equal(load(f), ERR_OK);
        assert_int_equal(f->all.applied, f->all.count);
        assert_int_equal(go(f, 0), ERR_OK);
        assert_int_equal(count_objects(f), 0);
        assert_int_equal(load(f), ERR_OK);
        assert_int_equal(f->all.applied, 0);
    }
}

static int64_t get_number(struct fixture *f, const char *sql)
{
    const char *const texts[] = {sql};
    static const char *const names[] = {"number"};
    int64_t n = -1;
    struct db *db = test_database_open(&f->t, (struct db_queries){texts, names, 1}, true);
    assert_int_equal(db_get_int(db, 0, NO_ARGS, &n, NULL), ERR_OK);
    db_close(db);
    return n;
}

/* 0004 moves the kept counters; they are what they were, both ways. */
static void test_counters_are_kept(void **state)
{
    struct fixture *f = *state;
    static const char counters[] =
        "SELECT users * 10000 + conversations * 100 + messages FROM shard";
    assert_int_equal(load(f), ERR_OK);
    assert_int_equal(go(f, 3), ERR_OK);
    test_database_script(&f->t, f->db,
                         "UPDATE tally SET n = 3 WHERE name = 'users';"
                         "UPDATE tally SET n = 2 WHERE name = 'conversations';"
                         "UPDATE tally SET n = 7 WHERE name = 'messages';");
    assert_int_equal(load(f), ERR_OK);
    assert_int_equal(go(f, 4), ERR_OK);
    assert_int_equal(get_number(f, counters), 30207);
    assert_int_equal(load(f), ERR_OK);
    assert_int_equal(go(f, 3), ERR_OK);
    assert_int_equal(get_number(f, "SELECT n FROM tally WHERE name = 'users'"), 3);
    assert_int_equal(get_number(f, "SELECT n FROM tally WHERE name = 'conversations'"), 2);
    assert_int_equal(get_number(f, "SELECT n FROM tally WHERE name = 'messages'"), 7);
}

/* Type words are expanded: none is left. */
static void test_expansion(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f), ERR_OK);
    for (size_t i = 0; i < f->all.count; i++) {
        struct str up = f->all.list[i].up;
        for (size_t at = 0; at + 3 < up.n; at++) {
            bool word_begins = at == 0 || up.p[at - 1] == ' ' || up.p[at - 1] == '(';
            bool in_comment = false;
            for (size_t back = at; back > 0 && up.p[back - 1] != '\n'; back--) {
                in_comment = in_comment || (up.p[back - 1] == '-' && up.p[back] == '-');
            }
            assert_false(word_begins && !in_comment && memcmp(up.p + at, "T_", 2) == 0);
        }
    }
}

static void use_own_list(struct fixture *f, struct migration *list, size_t count)
{
    assert_int_equal(load(f), ERR_OK); /* makes the table */
    f->all = (struct migrations){.list = list, .count = count};
}

static void test_steps_and_targets(void **state)
{
    struct fixture *f = *state;
    struct migration list[] = {
        {1, STR("0001_a"), STR("CREATE TABLE a (x)"), STR("DROP TABLE a"), "1", false},
        {2, STR("0002_b"), STR("CREATE TABLE b (x)"), STR("DROP TABLE b"), "2", false},
        {3, STR("0003_c"), STR("CREATE TABLE c (x)"), STR("DROP TABLE c"), "3", false},
    };
    use_own_list(f, list, COUNT_OF(list));
    assert_int_equal(go(f, 2), ERR_OK);
    assert_said("+0001_a +0002_b ");
    assert_true(list[1].applied);
    assert_false(list[2].applied);
    assert_int_equal(count_objects(f), 2);
    assert_int_equal(go(f, 3), ERR_OK);
    assert_said("+0003_c ");
    assert_int_equal(go(f, 3), ERR_OK);
    assert_said("");
    assert_int_equal(go(f, 1), ERR_OK);
    assert_said("-0003_c -0002_b ");
    assert_int_equal(count_objects(f), 1);
}

static void test_a_failure_is_undone(void **state)
{
    struct fixture *f = *state;
    struct migration list[] = {
        {1, STR("0001_a"), STR("CREATE TABLE a (x)"), STR("DROP TABLE a"), "1", false},
        {2, STR("0002_b"), STR("CREATE TABLE b (x); CREATE TABLE a (x)"), STR(""), "2", false},
    };
    use_own_list(f, list, COUNT_OF(list));
    assert_int_not_equal(go(f, 2), ERR_OK);
    assert_true(f->problem.n > 0);
    assert_int_equal(f->all.applied, 1);
    assert_true(list[0].applied);
    assert_false(list[1].applied);
    assert_int_equal(count_objects(f), 1);
    assert_false(db_in_transaction(f->db));
    list[1].up = STR("CREATE TABLE b (x)");
    assert_int_equal(go(f, 2), ERR_OK);
    assert_int_equal(count_objects(f), 2);
}

static void test_newer_database_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f), ERR_OK);
    assert_int_equal(go(f, f->all.count), ERR_OK);
    test_database_script(&f->t, f->db,
                         "INSERT INTO migration (number, name, checksum, applied_at)"
                         " VALUES (9999, '9999_future', 'x', 0)");
    assert_int_equal(load(f), ERR_CONFLICT);
    assert_non_null(strstr(f->problem.p, "9999_future"));
}

static void test_changed_migration_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f), ERR_OK);
    assert_int_equal(go(f, f->all.count), ERR_OK);
    test_database_script(&f->t, f->db, "UPDATE migration SET checksum = 'other' WHERE number = 1");
    assert_int_equal(load(f), ERR_CONFLICT);
    assert_non_null(strstr(f->problem.p, "checksum"));
}

static void test_locked_database(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f), ERR_OK);
    struct db *other = test_database_open(&f->t, (struct db_queries){NULL, NULL, 0}, false);
    assert_int_equal(db_begin_write(other), ERR_OK);
    assert_int_equal(go(f, f->all.count), ERR_BUSY);
    assert_int_equal(f->all.applied, 0);
    db_rollback(other);
    db_close(other);
    assert_int_equal(go(f, f->all.count), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_own_migrations_up_and_down),
        TEST(test_counters_are_kept),
        TEST(test_expansion),
        TEST(test_steps_and_targets),
        TEST(test_a_failure_is_undone),
        TEST(test_newer_database_is_refused),
        TEST(test_changed_migration_is_refused),
        TEST(test_locked_database),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
