/* Migrations: numbered SQL with an up and a down, embedded in the binary, written once with type
 * words that are expanded for the engine, each in a transaction of its own together with its row
 * in the table `migration` (number, name, checksum, time). Where definitions of tables cannot be
 * undone (MySQL) the row says first that the migration is under way, and one that stopped halfway
 * is refused by its name. A database that is newer than the
 * binary, or whose migrations have other checksums, is refused. */
#pragma once

#include "db/db.h"

struct migration {
    int64_t number;
    struct str name;     /* "0001_initial" */
    struct str up, down; /* expanded SQL */
    char checksum[65];   /* of both texts, hexadecimal */
    bool applied;
};

struct migrations {
    struct migration *list; /* by number; in the arena */
    size_t count;
    size_t applied;  /* the first `applied` of the list are */
    size_t found;    /* so many were when they were loaded */
    struct str move; /* absent: none; what `confab move` has noted of a source whose rows are being
                        copied into this database */
};

/* A connection for migrating; close it with db_close. */
enum err migrate_open(const char *url, int64_t busy_timeout_ms, struct db **out, struct arena *a,
                      struct str *problem) CHECKED;
/* Reads what there is and what is applied. ERR_CONFLICT, with `move` set: it is half of another
 * database. */
enum err migrate_load(struct db *db, struct arena *a, struct migrations *out, struct str *problem)
    CHECKED;
/* Applies or takes back, one by one, until exactly the first `target` migrations are applied.
 * `step` is told of each before it runs. */
enum err migrate_to(struct db *db, struct migrations *all, size_t target,
                    void (*step)(const struct migration *m, bool up), struct arena *a,
                    struct str *problem) CHECKED;

/* While a database is filled by a move it has a migration that no binary knows, so that nothing else
 * takes it for a whole one. `source` comes back as migrations.move. In a transaction that writes; the
 * connection is migrate_open()'s. */
enum err migrate_begin_move(struct db *db, struct str source) CHECKED;
enum err migrate_end_move(struct db *db) CHECKED;
