#include "unit/support/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/migrate.h"

void test_database_init(struct test_database *t)
{
    const char *place = getenv("TMPDIR");
    *t = (struct test_database){0};
    int n = snprintf(t->folder, sizeof(t->folder), "%s/confab-db-XXXXXX",
                     place != NULL ? place : "/tmp");
    assert_in_range(n, 1, sizeof(t->folder) - 1);
    assert_non_null(mkdtemp(t->folder));
    (void)snprintf(t->url, sizeof(t->url), "sqlite:%s/test.sqlite3", t->folder);
    arena_init(&t->arena);
}

void test_database_fini(struct test_database *t)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/test.sqlite3%s", t->folder, suffixes[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(t->folder), 0);
    arena_fini(&t->arena);
}

struct db *test_database_open(struct test_database *t, struct db_queries queries, bool read_only)
{
    const struct db_options options = {.queries = queries, .read_only = read_only};
    struct db *db = NULL;
    struct str problem = STR("");
    enum err e = db_open(t->url, &options, &db, &t->arena, &problem);
    if (e != ERR_OK) {
        fail_msg("%.*s", STR_ARG(problem));
    }
    return db;
}

void test_database_script(struct test_database *t, struct db *db, const char *sql)
{
    struct str problem = STR("");
    if (db_script(db, sql, &t->arena, &problem) != ERR_OK) {
        fail_msg("%s: %.*s", sql, STR_ARG(problem));
    }
}

static void say_nothing(const struct migration *m, bool up)
{
    (void)m;
    (void)up;
}

void test_database_migrate(struct test_database *t)
{
    struct db *db = NULL;
    struct migrations all;
    struct str problem = STR("");
    enum err e = migrate_open(t->url, 0, &db, &t->arena, &problem);
    if (e == ERR_OK) {
        e = migrate_load(db, &t->arena, &all, &problem);
    }
    if (e == ERR_OK) {
        e = migrate_to(db, &all, all.count, say_nothing, &t->arena, &problem);
    }
    db_close(db);
    if (e != ERR_OK) {
        fail_msg("%.*s", STR_ARG(problem));
    }
}
