/* The database as the commands use it, beside a server that may be running on it. */
#pragma once

#include "cli/cli.h"

/* Is there a database file? */
bool cli_database_exists(const struct cli *cli);
/* A connection for migrating, and what there is to apply. Close it with db_close(). */
enum err cli_open_migrations(struct cli *cli, const char *url, struct db **out,
                             struct migrations *all, struct str *problem) CHECKED;
/* Makes the database where there is none, and brings it up to date. */
enum err cli_migrate_database(struct cli *cli, struct str *problem) CHECKED;
/* A connection for reading and writing to a database that is up to date; another is refused. */
enum err cli_open_database(struct cli *cli, struct db **out, struct str *problem) CHECKED;
/* Begins a transaction that writes, in any shard. */
enum err cli_begin_write(struct db *db) CHECKED;

/* The sentence for a failure of the database; returns 1. */
int cli_fail_database(enum err e);
