/* The commands of the program. Each takes what is left of the command line after the settings,
 * writes to standard output, complains in one sentence on standard error, and returns the exit
 * code: 0, 1 (it failed) or 2 (wrong use). */
#pragma once

#include "base/conf.h"
#include "db/db.h"
#include "db/migrate.h"

struct cli {
    struct conf *conf;
    struct arena *arena;
    int argc; /* arguments behind the command's name */
    char **argv;
};

int cli_serve(struct cli *cli);
int cli_migrate(struct cli *cli);
int cli_createsuperuser(struct cli *cli);
int cli_changepassword(struct cli *cli);
int cli_check(struct cli *cli);
int cli_seed_demo(struct cli *cli);
int cli_move(struct cli *cli);
int cli_import_django(struct cli *cli);
int cli_openapi(struct cli *cli);
int cli_configuration(struct cli *cli);
int cli_version(struct cli *cli);

/* "confab: <sentence>" on standard error; returns `code`. */
int cli_fail(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Makes DATA_DIR (0700) where it is missing. False: *problem says why. */
bool cli_data_dir(struct cli *cli, struct str *problem) CHECKED;
/* conf->secret_key, or the one that is kept in DATA_DIR/secret_key (0600), made on first use. */
bool cli_secret_key(struct cli *cli, struct str *out, struct str *problem) CHECKED;
/* Whether DATABASE_REPLICA_URL goes with the database. False: *problem says why not. */
bool cli_replica_fits(const struct conf *conf, struct str *problem) CHECKED;
/* "sqlite:<path>" for db_open. */
const char *cli_database_url(struct cli *cli);
