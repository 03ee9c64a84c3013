/* A database in a temporary folder of its own. */
#pragma once

#include "db/db.h"

struct test_database {
    char folder[64];
    char url[96]; /* for db_open */
    struct arena arena;
};

/* Makes the folder; there is no database in it yet. */
void test_database_init(struct test_database *t);
/* Removes it with what SQLite leaves in it. */
void test_database_fini(struct test_database *t);

/* Fail the test when they cannot. */
struct db *test_database_open(struct test_database *t, struct db_queries queries, bool read_only);
void test_database_script(struct test_database *t, struct db *db, const char *sql);
/* Brings it up to date with the program's own migrations. */
void test_database_migrate(struct test_database *t);
