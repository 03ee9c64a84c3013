#include "db/migrate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "db/driver.h"
#include "db/embedded.h"

enum query { LIST, ADD, REMOVE, MARK };
static const char *const texts[] = {
    [LIST] = "SELECT number, name, checksum FROM migration ORDER BY number",
    [ADD] = "INSERT INTO migration (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
    [REMOVE] = "DELETE FROM migration WHERE number = ?1",
    [MARK] = "UPDATE migration SET checksum = ?2 WHERE number = ?1",
};
static const char *const names[] = {
    [LIST] = "list", [ADD] = "add", [REMOVE] = "remove", [MARK] = "mark"};

/* Instead of the checksum while a migration is under way that cannot be undone. */
static const struct str going_up = {"up", 2};
static const struct str going_down = {"down", 4};

enum { MOVE_NUMBER = 1000 * 1000 }; /* behind all others */

static struct str embedded(struct arena *a, struct str name, const char *suffix)
{
    struct str file = arena_printf(a, "%.*s%s", STR_ARG(name), suffix);
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        if (str_eq(str_of(embedded_migrations[i].name), file)) {
            return (struct str){embedded_migrations[i].data, embedded_migrations[i].size};
        }
    }
    return STR_NULL;
}

static void set_checksum(struct arena *a, struct migration *m, struct str up, struct str down)
{
    uint8_t digest[32];
    sha256(arena_printf(a, "%.*s\n%.*s", STR_ARG(up), STR_ARG(down)), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        static const char hex[] = "0123456789abcdef";
        m->checksum[2 * i] = hex[digest[i] >> 4];
        m->checksum[2 * i + 1] = hex[digest[i] & 15];
    }
    m->checksum[64] = '\0';
}

static int by_number(const void *a, const void *b)
{
    int64_t x = ((const struct migration *)a)->number;
    int64_t y = ((const struct migration *)b)->number;
    return (x > y) - (x < y);
}

static void list_embedded(struct arena *a, const struct dialect *dialect, struct migrations *out)
{
    static const struct str suffix = {".up.sql", 7};
    out->list = ARENA_ARRAY(a, struct migration, embedded_migrations_count);
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        struct str file = str_of(embedded_migrations[i].name);
        if (!str_ends(file, suffix)) {
            continue;
        }
        struct migration *m = &out->list[out->count];
        struct str rest = file;
        m->name = (struct str){file.p, file.n - suffix.n};
        struct str up = {embedded_migrations[i].data, embedded_migrations[i].size};
        struct str down = embedded(a, m->name, ".down.sql");
        if (!str_to_i64(str_cut(&rest, '_'), &m->number) || down.p == NULL) {
            continue;
        }
        m->up = dialect_expand(a, dialect, up);
        m->down = dialect_expand(a, dialect, down);
        set_checksum(a, m, dialect_expand(a, &dialect_common, up),
                     dialect_expand(a, &dialect_common, down));
        out->count++;
    }
    qsort(out->list, out->count, sizeof(out->list[0]), by_number);
}

static struct str half_done(struct arena *a, struct str name, struct str way)
{
    return arena_printf(a,
                        "The migration %.*s %.*s stopped halfway, and this engine cannot undo it: "
                        "put back the backup from before, or undo by hand what it did and delete "
                        "its row from the table migration.",
                        STR_ARG(name), STR_ARG(way));
}

/* One row of the table `migration` must be the next of the list. */
static bool note_applied(struct db_rows *rows, struct migrations *out, struct arena *a,
                         struct str *problem)
{
    struct str name = arena_copy(a, db_text(rows, 1));
    if (db_int(rows, 0) == MOVE_NUMBER) {
        out->move = arena_copy(a, db_text(rows, 2));
        *problem = STR("Another database is being moved into this one: end that with "
                       "`confab move`.");
        return false;
    }
    if (out->applied == out->count || out->list[out->applied].number != db_int(rows, 0)) {
        *problem = arena_printf(a,
                                "The database has the migration %.*s, which this binary does not "
                                "know: run a newer confab.",
                                STR_ARG(name));
        return false;
    }
    struct migration *m = &out->list[out->applied];
    if (str_eq(db_text(rows, 2), going_up) || str_eq(db_text(rows, 2), going_down)) {
        *problem = half_done(a, name, db_text(rows, 2));
        return false;
    }
    if (!str_eq(db_text(rows, 2), str_of(m->checksum))) {
        *problem = arena_printf(a,
                                "The migration %.*s in the database is not the one of this "
                                "binary (its checksum differs).",
                                STR_ARG(name));
        return false;
    }
    m->applied = true;
    out->applied++;
    return true;
}

enum err migrate_open(const char *url, int64_t busy_timeout_ms, struct db **out, struct arena *a,
                      struct str *problem)
{
    struct db_options options = {.queries = {texts, names, COUNT_OF(texts)},
                                 .busy_timeout_ms = busy_timeout_ms};
    return db_open(url, &options, out, a, problem);
}

enum err migrate_load(struct db *db, struct arena *a, struct migrations *out, struct str *problem)
{
    *out = (struct migrations){0};
    list_embedded(a, &db->driver->dialect, out);
    struct str table = dialect_expand(a, &db->driver->dialect,
                                      STR("CREATE TABLE IF NOT EXISTS migration (number T_INT NOT "
                                          "NULL PRIMARY KEY, name T_TEXT NOT NULL, checksum T_TEXT "
                                          "NOT NULL, applied_at T_TIME NOT NULL)"));
    enum err e = ERR_OK;
    if (db->driver->hold != NULL) {
        e = db->driver->hold(db, a, problem);
    }
    if (e == ERR_OK) {
        e = db->driver->script(db, table.p, a, problem);
    }
    if (e != ERR_OK) {
        return e;
    }
    struct db_rows rows;
    bool fits = true;
    e = db_query(db, LIST, NO_ARGS, &rows);
    while (e == ERR_OK && fits && db_next(&rows)) {
        fits = note_applied(&rows, out, a, problem);
    }
    e = db_end(&rows, e);
    out->found = out->applied;
    if (e != ERR_OK) {
        *problem = STR("Cannot read the table of migrations.");
    }
    return e == ERR_OK && !fits ? ERR_CONFLICT : e;
}

static enum err add_row(struct db *db, const struct migration *m, struct str checksum)
{
    return db_exec(
        db, ADD, ARGS(V_INT(m->number), V_TEXT(m->name), V_TEXT(checksum), V_TIME(clock_now_us())),
        NULL);
}

static enum err mark_row(struct db *db, const struct migration *m, struct str checksum)
{
    return db_exec(db, MARK, ARGS(V_INT(m->number), V_TEXT(checksum)), NULL);
}

static enum err remove_row(struct db *db, const struct migration *m)
{
    return db_exec(db, REMOVE, ARGS(V_INT(m->number)), NULL);
}

/* Where a definition commits by itself: the row says that it was begun, and then that it is done. */
static enum err run_kept(struct db *db, const struct migration *m, bool up, struct arena *a,
                         struct str *problem)
{
    enum err e = up ? add_row(db, m, going_up) : mark_row(db, m, going_down);
    if (e != ERR_OK) {
        *problem = STR("Cannot write the table of migrations.");
        return e;
    }
    e = db->driver->script(db, up ? m->up.p : m->down.p, a, problem);
    if (e == ERR_OK) {
        e = up ? mark_row(db, m, str_of(m->checksum)) : remove_row(db, m);
    }
    if (e != ERR_OK) {
        *problem = arena_printf(a, "%.*s (%.*s)",
                                STR_ARG(half_done(a, m->name, up ? going_up : going_down)),
                                STR_ARG(*problem));
    }
    return e;
}

static enum err run_undoable(struct db *db, const struct migration *m, bool up, struct arena *a,
                             struct str *problem)
{
    enum err e = db_begin_write(db);
    if (e != ERR_OK) {
        *problem = STR("The database is locked by another process.");
        return e;
    }
    e = db->driver->script(db, up ? m->up.p : m->down.p, a, problem);
    if (e == ERR_OK) {
        e = up ? add_row(db, m, str_of(m->checksum)) : remove_row(db, m);
    }
    if (e == ERR_OK) {
        e = db_commit(db);
    }
    if (e != ERR_OK) {
        db_rollback(db);
        *problem = arena_printf(a, "Migration %.*s %s failed and was undone: %.*s.",
                                STR_ARG(m->name), up ? "up" : "down", STR_ARG(*problem));
    }
    return e;
}

enum err migrate_to(struct db *db, struct migrations *all, size_t target,
                    void (*step)(const struct migration *m, bool up), struct arena *a,
                    struct str *problem)
{
    while (all->applied != target) {
        bool up = all->applied < target;
        struct migration *m = &all->list[up ? all->applied : all->applied - 1];
        step(m, up);
        enum err e = db->driver->keeps_definitions ? run_kept(db, m, up, a, problem)
                                                   : run_undoable(db, m, up, a, problem);
        if (e != ERR_OK) {
            return e;
        }
        m->applied = up;
        all->applied = up ? all->applied + 1 : all->applied - 1;
    }
    return ERR_OK;
}

enum err migrate_begin_move(struct db *db, struct str source)
{
    return db_exec(db, ADD,
                   ARGS(V_INT(MOVE_NUMBER), V_TEXT(STR("unfinished_move")), V_TEXT(source),
                        V_TIME(clock_now_us())),
                   NULL);
}

enum err migrate_end_move(struct db *db)
{
    return db_exec(db, REMOVE, ARGS(V_INT(MOVE_NUMBER)), NULL);
}
