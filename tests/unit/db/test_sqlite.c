/* db/sqlite.c through db.h: types, classes of failure, transactions, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit/support/database.h"

enum query {
    ADD,
    GET,
    COUNT,
    ADD_CHILD,
    SYNCHRONOUS,
    JOURNAL,
    FOREIGN_KEYS,
    FOLDED,
    CONTAINS,
    CONTAINS_ALL,
    FOREVER,
    FILL,
    BROKEN,
    QUERIES
};
static const char *const texts[] = {
    [ADD] = "INSERT INTO thing (id, n, yes, at, body, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [GET] = "SELECT id, n, yes, at, body, raw FROM thing WHERE id = ?1",
    [COUNT] = "SELECT count(*) FROM thing",
    [ADD_CHILD] = "INSERT INTO child (thing_id) VALUES (?1)",
    [SYNCHRONOUS] = "SELECT synchronous FROM pragma_synchronous",
    [JOURNAL] = "SELECT journal_mode = 'wal' FROM pragma_journal_mode",
    [FOREIGN_KEYS] = "SELECT foreign_keys FROM pragma_foreign_keys",
    [FOLDED] = "SELECT folded(?1) = ?2",
    [CONTAINS] = "SELECT contains(?1, ?2)",
    [CONTAINS_ALL] = "SELECT contains('One TWO three', 'one', NULL, ?1, 'three', ?2)",
    [FOREVER] =
        "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT 2 FROM c) SELECT max(n) FROM c",
    [FILL] = "INSERT INTO thing (id, body) VALUES (?1, zeroblob(1000000))",
    [BROKEN] = "SELECT nothing FROM nowhere",
};
static const char *const names[QUERIES] = {[ADD] = "add", [BROKEN] = "broken"};
/* All but the broken one, which is the last. */
static const struct db_queries queries = {texts, names, QUERIES - 1};

struct fixture {
    struct test_database t;
    struct db *db;
};

static const struct uuid one = {{1}};
static const struct uuid two = {{2}};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    test_database_init(&f->t);
    f->db = test_database_open(&f->t, queries, false);
    test_database_script(&f->t, f->db,
                         "CREATE TABLE thing (id BLOB NOT NULL PRIMARY KEY, n INTEGER, yes INTEGER,"
                         " at INTEGER, body, raw BLOB) WITHOUT ROWID;"
                         "CREATE TABLE child (thing_id BLOB REFERENCES thing (id));");
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

static enum err add(struct db *db, struct uuid id)
{
    return db_exec(
        db, ADD,
        ARGS(V_UUID(id), V_INT(1), V_BOOL(true), V_TIME(2), V_TEXT(STR("x")), V_BLOB(STR("y"))),
        NULL);
}

static int64_t get(struct db *db, int query)
{
    int64_t n = -1;
    assert_int_equal(db_get_int(db, query, NO_ARGS, &n, NULL), ERR_OK);
    return n;
}

static void assert_str(struct str got, struct str wanted)
{
    assert_int_equal(got.n, wanted.n);
    assert_memory_equal(got.p, wanted.p, wanted.n);
}

static void test_types(void **state)
{
    struct fixture *f = *state;
    struct db_rows rows;
    const struct str text = {"a\0\xC3\xA9", 4};
    assert_int_equal(db_exec(f->db, ADD,
                             ARGS(V_UUID(one), V_INT(INT64_MIN), V_BOOL(5), V_TIME(INT64_MAX),
                                  V_TEXT(text), V_BLOB(STR(""))),
                             NULL),
                     ERR_OK);
    assert_int_equal(db_query(f->db, GET, ARGS(V_UUID(one)), &rows), ERR_OK);
    assert_true(db_next(&rows));
    assert_true(uuid_eq(db_uuid(&rows, 0), one));
    assert_true(db_int(&rows, 1) == INT64_MIN);
    assert_int_equal(db_int(&rows, 2), 1);
    assert_true(db_int(&rows, 3) == INT64_MAX);
    assert_str(db_text(&rows, 4), text);
    assert_false(db_is_null(&rows, 5));
    assert_int_equal(db_blob(&rows, 5).n, 0);
    assert_non_null(db_blob(&rows, 5).p);
    assert_false(db_next(&rows));
    assert_int_equal(db_end(&rows, ERR_OK), ERR_OK);
}

static void test_null(void **state)
{
    struct fixture *f = *state;
    struct db_rows rows;
    assert_int_equal(db_exec(f->db, ADD,
                             ARGS(V_UUID(one), V_NULL, V_NULL, V_TIME_OR_NULL(0), V_TEXT(STR_NULL),
                                  V_UUID_OR_NULL((struct uuid){{0}})),
                             NULL),
                     ERR_OK);
    assert_int_equal(db_query(f->db, GET, ARGS(V_UUID(one)), &rows), ERR_OK);
    assert_true(db_next(&rows));
    for (int column = 1; column < 6; column++) {
        assert_true(db_is_null(&rows, column));
        assert_int_equal(db_int(&rows, column), 0);
        assert_null(db_text(&rows, column).p);
        assert_true(uuid_is_zero(db_uuid(&rows, column)));
    }
    assert_int_equal(db_end(&rows, ERR_OK), ERR_OK);
}

/* What was bound for one run is not there in the next. */
static void test_arguments_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct db_rows rows;
    assert_int_equal(add(f->db, one), ERR_OK);
    assert_int_equal(db_exec(f->db, ADD, ARGS(V_UUID(two)), NULL), ERR_OK);
    assert_int_equal(db_query(f->db, GET, ARGS(V_UUID(two)), &rows), ERR_OK);
    assert_true(db_next(&rows));
    assert_true(db_is_null(&rows, 1));
    assert_int_equal(db_end(&rows, ERR_OK), ERR_OK);
}

static void test_get_int(void **state)
{
    struct fixture *f = *state;
    int64_t n = 7;
    bool found = true;
    assert_int_equal(db_get_int(f->db, GET, ARGS(V_UUID(one)), &n, &found), ERR_OK);
    assert_false(found);
    assert_int_equal(n, 0);
    assert_int_equal(get(f->db, COUNT), 0);
}

static void test_changed(void **state)
{
    struct fixture *f = *state;
    int64_t changed = 7;
    assert_int_equal(db_exec(f->db, ADD, ARGS(V_UUID(one)), &changed), ERR_OK);
    assert_int_equal(changed, 1);
    assert_int_equal(db_exec(f->db, ADD, ARGS(V_UUID(one)), &changed), ERR_DB_UNIQUE);
    assert_int_equal(changed, 0);
}

static void test_classes_of_failure(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, one), ERR_OK);
    assert_int_equal(add(f->db, one), ERR_DB_UNIQUE);
    assert_int_equal(db_exec(f->db, ADD_CHILD, ARGS(V_UUID(two)), NULL), ERR_DB_REFERENCE);
    assert_int_equal(db_exec(f->db, ADD_CHILD, ARGS(V_UUID(one)), NULL), ERR_OK);
}

/* A commit that was answered is on disk, and reading goes on beside writing. */
static void test_promises(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f->db, SYNCHRONOUS), 2);
    assert_int_equal(get(f->db, JOURNAL), 1);
    assert_int_equal(get(f->db, FOREIGN_KEYS), 1);
}

static void test_changes_only_grow(void **state)
{
    struct fixture *f = *state;
    int64_t before = db_changes(f->db);
    assert_int_equal(db_begin_write(f->db), ERR_OK);
    assert_int_equal(get(f->db, COUNT), 0);
    assert_true(db_changes(f->db) == before);
    assert_int_equal(add(f->db, one), ERR_OK);
    assert_true(db_changes(f->db) == before + 1);
    assert_int_equal(add(f->db, one), ERR_DB_UNIQUE);
    assert_true(db_changes(f->db) == before + 1);
    assert_true(db_in_transaction(f->db)); /* a failed statement undoes itself alone */
    assert_int_equal(db_commit(f->db), ERR_OK);
    assert_false(db_in_transaction(f->db));
    assert_true(db_changes(f->db) == before + 1);
    assert_int_equal(get(f->db, COUNT), 1);
}

static void test_rollback(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(db_begin_write(f->db), ERR_OK);
    assert_int_equal(add(f->db, one), ERR_OK);
    db_rollback(f->db);
    db_rollback(f->db); /* nothing to undo: no harm */
    assert_int_equal(get(f->db, COUNT), 0);
}

static void test_one_writer_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct db *other = test_database_open(&f->t, queries, false);
    assert_int_equal(db_begin_write(f->db), ERR_OK);
    assert_int_equal(add(f->db, one), ERR_OK);
    assert_int_equal(db_begin_write(other), ERR_BUSY);
    assert_int_equal(get(other, COUNT), 0); /* not committed: not seen */
    assert_int_equal(db_commit(f->db), ERR_OK);
    assert_int_equal(get(other, COUNT), 1);
    db_close(other);
}

static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    struct db *reader = test_database_open(&f->t, queries, true);
    assert_int_equal(db_begin_read(reader), ERR_OK);
    assert_int_equal(get(reader, COUNT), 0);
    assert_int_equal(add(f->db, one), ERR_OK);
    assert_int_equal(get(reader, COUNT), 0);
    assert_int_equal(db_commit(reader), ERR_OK);
    assert_int_equal(get(reader, COUNT), 1);
    db_close(reader);
}

static void test_reader_does_not_write(void **state)
{
    struct fixture *f = *state;
    struct db *reader = test_database_open(&f->t, queries, true);
    assert_int_equal(add(reader, one), ERR_UNAVAILABLE);
    assert_int_equal(get(reader, COUNT), 0);
    db_close(reader);
}

static void test_deadline(void **state)
{
    struct fixture *f = *state;
    int64_t n;
    db_set_deadline(f->db, clock_steady_us());
    assert_int_equal(db_get_int(f->db, FOREVER, NO_ARGS, &n, NULL), ERR_BUSY);
    db_set_deadline(f->db, 0);
    assert_int_equal(get(f->db, COUNT), 0);
}

static void test_full(void **state)
{
    struct fixture *f = *state;
    test_database_script(&f->t, f->db, "PRAGMA max_page_count = 20");
    assert_int_equal(db_begin_write(f->db), ERR_OK);
    assert_int_equal(db_exec(f->db, FILL, ARGS(V_UUID(one)), NULL), ERR_STORAGE_FULL);
    db_rollback(f->db);
    test_database_script(&f->t, f->db, "PRAGMA max_page_count = 100000");
    assert_int_equal(db_exec(f->db, FILL, ARGS(V_UUID(one)), NULL), ERR_OK);
}

static void assert_yes(struct db *db, int query, struct str a, struct str b, int64_t wanted)
{
    int64_t n = -1;
    assert_int_equal(db_get_int(db, query, ARGS(V_TEXT(a), V_TEXT(b)), &n, NULL), ERR_OK);
    assert_int_equal(n, wanted);
}

static void test_functions(void **state)
{
    struct fixture *f = *state;
    assert_yes(f->db, FOLDED, STR("STRASSE"), STR("strasse"), 1);
    assert_yes(f->db, FOLDED,
               STR("Stra\xC3\x9F"
                   "e"),
               STR("strasse"), 1);
    assert_yes(f->db, CONTAINS,
               STR("Gr\xC3\xBC\xC3\x9F"
                   "e"),
               STR("\xC3\xBCss"), 1);
    assert_yes(f->db, CONTAINS, STR("abc"), STR(""), 1);
    assert_yes(f->db, CONTAINS, STR("abc"), STR("abcd"), 0);
    assert_yes(f->db, CONTAINS, STR_NULL, STR("a"), 0);
    assert_yes(f->db, CONTAINS_ALL, STR("two"), STR("ee"), 1);
    assert_yes(f->db, CONTAINS_ALL, STR("two"), STR_NULL, 1);
    assert_yes(f->db, CONTAINS_ALL, STR("two"), STR("four"), 0);
    assert_yes(f->db, CONTAINS_ALL, STR("four"), STR("two"), 0);
}

/* Somebody puts another database in the place of the one that is open: whoever opens it later
 * belongs to the one that was there first, or does not open at all. */
static void test_same_file(void **state)
{
    struct fixture *f = *state;
    char path[128];
    char aside[160];
    struct db_options options = {.queries = queries, .read_only = true, .same_as = f->db};
    struct str problem = STR("");
    struct db *db = NULL;
    assert_int_equal(db_open(f->t.url, &options, &db, &f->t.arena, &problem), ERR_OK);
    db_close(db);
    (void)snprintf(path, sizeof(path), "%s/test.sqlite3", f->t.folder);
    (void)snprintf(aside, sizeof(aside), "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
    FILE *other = fopen(path, "w"); /* to SQLite, an empty database */
    assert_non_null(other);
    assert_int_equal(fclose(other), 0);
    db = NULL;
    assert_int_equal(db_open(f->t.url, &options, &db, &f->t.arena, &problem), ERR_UNAVAILABLE);
    assert_null(db);
    assert_true(problem.n > 0);
    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(db_open(f->t.url, &options, &db, &f->t.arena, &problem), ERR_OK);
    db_close(db);
}

/* The first page of the table is overwritten behind SQLite's back. */
static void test_corrupt(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int64_t n;
    assert_int_equal(add(f->db, one), ERR_OK);
    test_database_script(&f->t, f->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)snprintf(path, sizeof(path), "%s/test.sqlite3", f->t.folder);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0);
    for (int i = 0; i < 4096; i++) {
        assert_int_equal(fputc(0x55, file), 0x55);
    }
    assert_int_equal(fclose(file), 0);
    struct db *reader = test_database_open(&f->t, queries, true);
    assert_int_equal(db_get_int(reader, COUNT, NO_ARGS, &n, NULL), ERR_UNAVAILABLE);
    db_close(reader);
}

static void assert_not_opened(struct fixture *f, const char *url)
{
    const struct db_options options = {.queries = queries};
    struct db *db = NULL;
    struct str problem = STR("");
    assert_int_not_equal(db_open(url, &options, &db, &f->t.arena, &problem), ERR_OK);
    assert_null(db);
    assert_true(problem.n > 0);
}

static void test_cannot_open(void **state)
{
    struct fixture *f = *state;
    char path[128];
    char url[160];
    assert_not_opened(f, "sqlite:/nonexistent/folder/file");
    assert_not_opened(f, "oracle:x");
    assert_not_opened(f, "nothing");
    (void)snprintf(path, sizeof(path), "%s/text", f->t.folder);
    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (int i = 0; i < 1000; i++) {
        assert_true(fputs("this is no database\n", out) >= 0);
    }
    assert_int_equal(fclose(out), 0);
    assert_not_opened(f, url);
    assert_int_equal(unlink(path), 0);
}

static void test_prepare_all(void **state)
{
    struct fixture *f = *state;
    const struct db_queries with_broken = {texts, names, QUERIES};
    assert_int_equal(db_prepare_all(f->db), ERR_OK);
    struct db *db = test_database_open(&f->t, with_broken, false);
    assert_int_not_equal(db_prepare_all(db), ERR_OK);
    db_close(db);
}

static void test_bad_script(void **state)
{
    struct fixture *f = *state;
    struct str problem = STR("");
    assert_int_not_equal(db_script(f->db, "CREATE TABEL x", &f->t.arena, &problem), ERR_OK);
    assert_true(problem.n > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_types),
        TEST(test_null),
        TEST(test_arguments_are_forgotten),
        TEST(test_get_int),
        TEST(test_changed),
        TEST(test_classes_of_failure),
        TEST(test_promises),
        TEST(test_changes_only_grow),
        TEST(test_rollback),
        TEST(test_one_writer_at_a_time),
        TEST(test_snapshot),
        TEST(test_reader_does_not_write),
        TEST(test_deadline),
        TEST(test_full),
        TEST(test_functions),
        TEST(test_same_file),
        TEST(test_corrupt),
        TEST(test_cannot_open),
        TEST(test_prepare_all),
        TEST(test_bad_script),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
