#include "cli/database.h"

#include <unistd.h>

#include "store/change.h"
#include "store/queries.h"
#include "store/statistics.h"

bool cli_database_exists(const struct cli *cli)
{
    const char *path = cli->conf->database_path;
    return path == NULL || access(path, F_OK) == 0;
}

enum err cli_open_migrations(struct cli *cli, const char *url, struct db **out,
                             struct migrations *all, struct str *problem)
{
    *out = NULL;
    enum err e = migrate_open(url, cli->conf->db_busy_timeout_ms, out, cli->arena, problem);
    if (e == ERR_OK) {
        e = migrate_load(*out, cli->arena, all, problem);
    }
    if (e != ERR_OK) {
        db_close(*out);
        *out = NULL;
    }
    return e;
}

static void say_nothing(const struct migration *m, bool up)
{
    (void)m;
    (void)up;
}

enum err cli_end_migrations(struct db *db, const struct migrations *all, struct arena *a,
                            struct str *problem)
{
    bool brought_up = all->found > 0 && all->found < all->applied && all->applied == all->count;
    return brought_up ? store_statistics_renew(db, a, problem) : ERR_OK;
}

enum err cli_migrate_database(struct cli *cli, struct str *problem)
{
    struct db *db;
    struct migrations all;
    if (!cli_data_dir(cli, problem)) {
        return ERR_UNAVAILABLE;
    }
    enum err e = cli_open_migrations(cli, cli_database_url(cli), &db, &all, problem);
    if (e == ERR_OK) {
        e = migrate_to(db, &all, all.count, say_nothing, cli->arena, problem);
        if (e == ERR_OK) {
            e = cli_end_migrations(db, &all, cli->arena, problem);
        }
        db_close(db);
    }
    return e;
}

static enum err check_migrated(struct cli *cli, struct str *problem)
{
    struct db *db;
    struct migrations all;
    if (!cli_database_exists(cli)) {
        *problem =
            arena_printf(cli->arena, "There is no database at %s yet: run `confab migrate` first.",
                         cli->conf->database_name);
        return ERR_CONFLICT;
    }
    enum err e = cli_open_migrations(cli, cli_database_url(cli), &db, &all, problem);
    if (e != ERR_OK) {
        return e;
    }
    db_close(db);
    if (all.applied < all.count) {
        *problem = arena_printf(cli->arena,
                                "The database %s is not migrated (%zu of %zu migrations are "
                                "applied): run `confab migrate` first.",
                                cli->conf->database_name, all.applied, all.count);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

enum err cli_open_database(struct cli *cli, struct db **out, struct str *problem)
{
    const struct db_options options = {.queries = store_queries,
                                       .busy_timeout_ms = cli->conf->db_busy_timeout_ms};
    enum err e = check_migrated(cli, problem);
    return e == ERR_OK ? db_open(cli_database_url(cli), &options, out, cli->arena, problem) : e;
}

const char *cli_mark_path(const struct cli *cli, const char *path)
{
    return path != NULL ? arena_printf(cli->arena, "%s-mark", path).p
                        : arena_printf(cli->arena, "%s/database-mark", cli->conf->data_dir).p;
}

enum err cli_begin_write(struct db *db)
{
    enum err e = db_begin_write(db);
    if (e != ERR_OK) {
        return e;
    }
    e = store_hold_all(db);
    if (e != ERR_OK) {
        db_rollback(db);
    }
    return e;
}

int cli_fail_database(enum err e)
{
    switch (e) {
    case ERR_BUSY:
        return cli_fail(1, "the database is being written by another process all the time; "
                           "try again, or raise DB_BUSY_TIMEOUT_MS.");
    case ERR_UNAVAILABLE:
        return cli_fail(1, "the database cannot be read or written; nothing was stored.");
    case ERR_OUTCOME_UNKNOWN:
        return cli_fail(1, "the disk failed while it was written: look whether the change is "
                           "there before you try again.");
    default: return cli_fail(1, "%s", err_text(e));
    }
}
