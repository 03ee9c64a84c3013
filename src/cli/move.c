/* confab move: a database into another, of whatever engine; resumable, and verified at the end. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/database.h"
#include "cli/options.h"
#include "store/move.h"
#include "store/seed.h"
#include "store/statistics.h"
#include "sync/sync.h"

enum { BATCH_MAX = 1000 * 1000, NOTE_MAX = 128 };

static const char about[] =
    "Copies a database into an empty one, of the same engine or another: every table, with\n"
    "all ids, times and password hashes. URLs are written as for DATABASE_URL. No server may\n"
    "run on either until it has ended, and nothing else may write to them. The target is made\n"
    "or migrated where that is needed. What is broken off goes on where it was when it is run\n"
    "again, if the source has not changed meanwhile. At the end all rows of both are read and\n"
    "compared. docs/moving.md has the rest.";

struct side {
    struct conf_database database;
    const char *mark_path;
    struct sync *sync; /* no server has its mark */
    struct db *db;
};

struct mover {
    struct cli *cli;
    int64_t batch; /* rows of a transaction */
    struct side from;
    struct side to;
    struct db *migrations; /* a second connection to the target */
    bool is_resumed;
    bool keeps_positions;
    char note[NOTE_MAX]; /* what state of the source is copied */
    int64_t rows;
    struct str problem;
};

/* --- opening ------------------------------------------------------------------------------- */

static enum err lock_side(struct mover *m, struct side *side)
{
    side->mark_path = cli_mark_path(m->cli, side->database.path);
    if (side == &m->to && strcmp(side->mark_path, m->from.mark_path) == 0) {
        side->sync = m->from.sync; /* both are servers' databases, with one mark */
        return ERR_OK;
    }
    side->sync = sync_new();
    enum err e = sync_open(side->sync, str_of(side->database.name), side->mark_path);
    if (e != ERR_OK) {
        m->problem = arena_printf(m->cli->arena,
                                  e == ERR_CONFLICT ? "A server uses %s: stop it first."
                                                    : "Cannot write %s.",
                                  side->mark_path);
    }
    return e;
}

static enum err open_side(struct mover *m, struct side *side)
{
    const struct db_options options = {.queries = move_queries(m->cli->arena),
                                       .read_only = side == &m->from,
                                       .busy_timeout_ms = m->cli->conf->db_busy_timeout_ms,
                                       .alone = true};
    return db_open(side->database.url, &options, &side->db, m->cli->arena, &m->problem);
}

static enum err check_source(struct mover *m)
{
    struct db *db;
    struct migrations all;
    struct arena *a = m->cli->arena;
    const struct conf_database *source = &m->from.database;
    if (source->path != NULL && access(source->path, F_OK) != 0) {
        m->problem = arena_printf(a, "There is no database at %s.", source->path);
        return ERR_CONFLICT;
    }
    enum err e = cli_open_migrations(m->cli, source->url, &db, &all, &m->problem);
    if (e != ERR_OK) {
        return e;
    }
    db_close(db);
    if (all.applied < all.count) {
        m->problem = arena_printf(a,
                                  "The source is of an older version: run `confab migrate` on "
                                  "%s first.",
                                  source->name);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

static void say_nothing(const struct migration *step, bool up)
{
    (void)step;
    (void)up;
}

/* *move: what an earlier move has noted; absent: none has begun. */
static enum err prepare_target(struct mover *m, struct str *move)
{
    struct migrations all;
    struct arena *a = m->cli->arena;
    enum err e = migrate_open(m->to.database.url, m->cli->conf->db_busy_timeout_ms, &m->migrations,
                              a, &m->problem);
    if (e == ERR_OK) {
        e = migrate_load(m->migrations, a, &all, &m->problem);
        *move = all.move;
    }
    if (e == ERR_CONFLICT && move->p != NULL && all.applied == all.count) {
        return ERR_OK;
    }
    return e == ERR_OK ? migrate_to(m->migrations, &all, all.count, say_nothing, a, &m->problem)
                       : e;
}

/* --- beginning ----------------------------------------------------------------------------- */

/* Every commit raises a counter, and every start of a server adds an incarnation. */
static enum err note_source(struct mover *m)
{
    struct move_sum shards;
    struct move_sum lives;
    enum err e = move_sum_table(m->from.db, TABLE_SHARD, m->batch, &shards);
    if (e == ERR_OK) {
        e = move_sum_table(m->from.db, TABLE_INCARNATION, m->batch, &lives);
    }
    if (e == ERR_OK) {
        snprintf(m->note, sizeof(m->note), "%016" PRIx64 "%016" PRIx64, shards.parts[0],
                 lives.parts[0]);
    }
    return e;
}

static enum err begin_anew(struct mover *m)
{
    bool empty = false;
    enum err e = move_is_empty(m->to.db, &empty);
    if (e == ERR_OK && !empty) {
        m->problem =
            arena_printf(m->cli->arena, "There is something in %s already.", m->to.database.name);
        return ERR_CONFLICT;
    }
    if (e == ERR_OK) {
        e = db_begin_write(m->to.db);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = move_clear(m->to.db);
    if (e != ERR_OK) {
        db_rollback(m->to.db);
        return e;
    }
    return db_commit(m->to.db);
}

static enum err write_note(struct mover *m, bool begins)
{
    enum err e = db_begin_write(m->migrations);
    if (e != ERR_OK) {
        return e;
    }
    e = begins ? migrate_begin_move(m->migrations, str_of(m->note))
               : migrate_end_move(m->migrations);
    if (e != ERR_OK) {
        db_rollback(m->migrations);
        return e;
    }
    return db_commit(m->migrations);
}

static enum err begin(struct mover *m, struct str move)
{
    enum err e = db_begin_read(m->from.db);
    if (e == ERR_OK) {
        e = note_source(m);
    }
    if (e == ERR_OK) {
        e = move_keeps_positions(m->from.db, m->to.db, &m->keeps_positions);
    }
    if (e != ERR_OK) {
        return e;
    }
    m->is_resumed = move.p != NULL;
    if (!m->is_resumed) {
        e = begin_anew(m);
        return e == ERR_OK ? write_note(m, true) : e;
    }
    if (!str_eq(move, str_of(m->note))) {
        m->problem = STR("The target holds a part of another database, or the source has changed "
                         "since: begin again with an empty target.");
        return ERR_CONFLICT;
    }
    puts("Going on with the move that was broken off.");
    return ERR_OK;
}

/* --- copying ------------------------------------------------------------------------------- */

static void show_progress(const char *table, int64_t rows)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%-16s %12" PRId64, table, rows);
    }
}

static enum err copy_table(struct mover *m, enum table_number table)
{
    int64_t copied = 0;
    int64_t rows = 0;
    enum err e = ERR_OK;
    do {
        e = move_page(m->from.db, m->to.db, table, m->batch, &copied);
        rows += copied;
        show_progress(store_tables[table].name, rows);
    } while (e == ERR_OK && copied == m->batch);
    m->rows += rows;
    return e;
}

static enum err copy_shards(struct mover *m)
{
    enum err e = db_begin_write(m->to.db);
    if (e != ERR_OK) {
        return e;
    }
    e = move_shards(m->from.db, m->to.db);
    if (e != ERR_OK) {
        db_rollback(m->to.db);
        return e;
    }
    return db_commit(m->to.db);
}

static enum err copy_all(struct mover *m)
{
    int64_t from_us = clock_steady_us();
    enum err e = ERR_OK;
    for (int table = 0; table < TABLE_COUNT && e == ERR_OK; table++) {
        if (move_copies((enum table_number)table, m->keeps_positions)) {
            e = copy_table(m, (enum table_number)table);
        }
    }
    if (e == ERR_OK) {
        e = copy_shards(m);
    }
    if (e == ERR_OK) {
        show_progress("\r", 0);
        printf("%" PRId64 " rows copied in %.1f s\n", m->rows,
               (double)(clock_steady_us() - from_us) / 1e6);
    }
    return e;
}

/* --- verifying ----------------------------------------------------------------------------- */

static enum err sum_both(struct mover *m, enum table_number table, struct move_sum *from,
                         struct move_sum *to)
{
    enum err e = table == TABLE_SHARD ? move_sum_shards(m->from.db, m->to.db, from)
                                      : move_sum_table(m->from.db, table, m->batch, from);
    return e == ERR_OK ? move_sum_table(m->to.db, table, m->batch, to) : e;
}

static enum err verify_table(struct mover *m, enum table_number table, bool *same)
{
    struct move_sum from;
    struct move_sum to;
    const char *name = store_tables[table].name;
    if (table != TABLE_SHARD && !move_copies(table, m->keeps_positions)) {
        printf("%-16s %10s\n", name, "not copied");
        return ERR_OK;
    }
    enum err e = sum_both(m, table, &from, &to);
    if (e == ERR_OK) {
        bool equal = move_sum_eq(&from, &to);
        printf("%-16s %10" PRId64 " %016" PRIx64 " %10" PRId64 " %016" PRIx64 "  %s\n", name,
               from.rows, from.parts[0], to.rows, to.parts[0], equal ? "same" : "DIFFERENT");
        *same = *same && equal;
    }
    return e;
}

static enum err verify_all(struct mover *m)
{
    int64_t from_us = clock_steady_us();
    bool same = true;
    enum err e = db_begin_read(m->to.db);
    printf("\n%-16s %10s %-16s %10s %-16s\n", "table", "source", "checksum", "target", "checksum");
    for (int table = 0; table < TABLE_COUNT && e == ERR_OK; table++) {
        e = verify_table(m, (enum table_number)table, &same);
        fflush(stdout);
    }
    db_rollback(m->to.db);
    printf("\nverified in %.1f s\n", (double)(clock_steady_us() - from_us) / 1e6);
    if (e == ERR_OK && !same) {
        m->problem = STR("The target is not what the source is: do not use it.");
        return ERR_CONFLICT;
    }
    return e;
}

/* --- ending -------------------------------------------------------------------------------- */

/* Clients go on at the target as they would have at the source. */
static enum err carry_life(struct mover *m)
{
    bool went_back = false;
    enum err e = sync_went_back(m->from.sync, m->from.db, &went_back);
    return e == ERR_OK ? sync_adopt(m->to.sync, m->to.db, went_back) : e;
}

static enum err end(struct mover *m)
{
    enum err e = m->keeps_positions ? carry_life(m) : ERR_OK;
    if (e == ERR_OK) {
        e = write_note(m, false);
    }
    if (e == ERR_OK) {
        e = store_statistics_renew(m->to.db, m->cli->arena, &m->problem);
    }
    if (e == ERR_OK) {
        puts(
            m->keeps_positions
                ? "The databases are the same. Clients go on from where they are."
                : "The databases are the same. Clients start afresh: the number of shards differs.");
    }
    return e;
}

static enum err run(struct mover *m)
{
    struct str move = STR_NULL;
    enum err e = check_source(m);
    if (e == ERR_OK) {
        e = lock_side(m, &m->from);
    }
    if (e == ERR_OK) {
        e = lock_side(m, &m->to);
    }
    if (e == ERR_OK) {
        e = prepare_target(m, &move);
    }
    if (e == ERR_OK) {
        e = open_side(m, &m->from);
    }
    if (e == ERR_OK) {
        e = open_side(m, &m->to);
    }
    if (e == ERR_OK) {
        e = begin(m, move);
    }
    if (e == ERR_OK) {
        e = copy_all(m);
    }
    if (e == ERR_OK) {
        e = verify_all(m);
    }
    return e == ERR_OK ? end(m) : e;
}

static int move(struct mover *m)
{
    if (!cli_data_dir(m->cli, &m->problem)) {
        return cli_fail(1, "%.*s", STR_ARG(m->problem));
    }
    enum err e = run(m);
    if (m->from.db != NULL) {
        db_rollback(m->from.db);
    }
    db_close(m->from.db);
    db_close(m->to.db);
    db_close(m->migrations);
    if (m->to.sync != m->from.sync) {
        sync_free(m->to.sync);
    }
    sync_free(m->from.sync);
    if (e != ERR_OK) {
        return m->problem.n > 0 ? cli_fail(1, "%.*s", STR_ARG(m->problem)) : cli_fail_database(e);
    }
    return 0;
}

/* --- the command --------------------------------------------------------------------------- */

static bool take_url(struct cli *cli, const char *flag, const char *url, struct side *side)
{
    if (url == NULL) {
        cli_fail(2, "move needs %s; see `confab move --help`.", flag);
        return false;
    }
    const char *problem = conf_database(cli->arena, str_of(url), &side->database);
    if (problem != NULL) {
        cli_fail(2, "%s: what stands there %s.", flag, problem);
    }
    return problem == NULL;
}

static bool is_same_file(const struct side *from, const struct side *to)
{
    struct stat source;
    struct stat target;
    return from->database.path != NULL && to->database.path != NULL &&
           stat(from->database.path, &source) == 0 && stat(to->database.path, &target) == 0 &&
           source.st_dev == target.st_dev && source.st_ino == target.st_ino;
}

int cli_move(struct cli *cli)
{
    struct mover m = {.cli = cli, .batch = 10000, .problem = STR("")};
    const char *from = NULL;
    const char *to = NULL;
    const struct cli_option options[] = {
        {.name = "--from", .text = &from, .help = "URL of the database that there is"},
        {.name = "--to", .text = &to, .help = "URL of the database to fill"},
        {.name = "--batch",
         .number = &m.batch,
         .min = 1,
         .max = BATCH_MAX,
         .help = "rows of a transaction"},
    };
    const struct cli_usage usage = {
        .command = "move", .about = about, .options = options, .option_count = COUNT_OF(options)};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    if (!take_url(cli, "--from", from, &m.from) || !take_url(cli, "--to", to, &m.to)) {
        return 2;
    }
    if (is_same_file(&m.from, &m.to)) {
        return cli_fail(2, "--from and --to are the same database.");
    }
    return move(&m);
}
