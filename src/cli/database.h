/* The database as the commands use it, beside a server that may be running on it. */
#pragma once

#include "cli/cli.h"

/* Is there a database file? */
bool cli_database_exists(const struct cli *cli);
/* A connection for migrating, and what there is to apply. Close it with db_close(). */
enum err cli_open_migrations(struct cli *cli, const char *url, struct db **out,
                             struct migrations *all, struct str *problem) CHECKED;
/* At the end of a run on a database that had rows already. Outside a transaction. */
enum err cli_end_migrations(struct db *db, const struct migrations *all, struct arena *a,
                            struct str *problem) CHECKED;
/* Makes the database where there is none, and brings it up to date. */
enum err cli_migrate_database(struct cli *cli, struct str *problem) CHECKED;
/* A connection for reading and writing to a database that is up to date; another is refused. */
enum err cli_open_database(struct cli *cli, struct db **out, struct str *problem) CHECKED;
/* The file of sync/mark.h. `path`: of an SQLite database; NULL: a server's. */
const char *cli_mark_path(const struct cli *cli, const char *path);
/* Begins a transaction that writes, in any shard. */
enum err cli_begin_write(struct db *db) CHECKED;

/* The sentence for a failure of the database; returns 1. */
int cli_fail_database(enum err e);
