#include "db/db.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/backoff.h"
#include "db/driver.h"

enum { NOTES_MAX = 256 * 1024 * 1024 };

static const struct db_driver *const drivers[] = {&db_sqlite, &db_postgres, &db_mariadb};

static bool speaks(const struct db_driver *driver, struct str scheme)
{
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(driver->schemes) && driver->schemes[i] != NULL; i++) {
        found = found || str_eq(scheme, str_of(driver->schemes[i]));
    }
    return found;
}

static void expand_queries(struct db *db)
{
    const struct db_queries *queries = &db->options.queries;
    db->texts = ARENA_ARRAY(&db->arena, const char *, queries->count + 1);
    for (size_t i = 0; i < queries->count; i++) {
        struct str text = str_of(queries->text[i]);
        db->texts[i] = dialect_expand(&db->arena, &db->driver->dialect, text).p;
    }
}

enum err db_open(const char *url, const struct db_options *options, struct db **out,
                 struct arena *a, struct str *problem)
{
    struct str rest = str_of(url);
    struct str scheme = str_cut(&rest, ':');
    for (size_t i = 0; i < COUNT_OF(drivers); i++) {
        if (!speaks(drivers[i], scheme) || rest.p == NULL) {
            continue;
        }
        struct db *db = mem_alloc_zero(sizeof(*db));
        db->driver = drivers[i];
        db->options = *options;
        arena_init(&db->arena);
        buf_init(&db->notes, NOTES_MAX);
        expand_queries(db);
        enum err e = db->driver->open(db, url, a, problem);
        if (e != ERR_OK) {
            db_close(db);
            return e;
        }
        *out = db;
        return ERR_OK;
    }
    *problem = arena_printf(a, "No database engine for \"%.*s:\".", STR_ARG(scheme));
    return ERR_INTERNAL;
}

enum err db_connect_again(struct db *db, struct backoff *backoff,
                          enum err (*connect)(struct db *db))
{
    if (!backoff_is_over(backoff)) {
        return ERR_UNAVAILABLE;
    }
    enum err e = connect(db);
    backoff_note(backoff, e == ERR_OK);
    return e;
}

struct str db_open_problem(const struct db *db, enum err e, struct str why, struct arena *a)
{
    if (e != ERR_BUSY) {
        return arena_printf(a, "Cannot use the database: %.*s.", STR_ARG(why));
    }
    return db->options.alone ? STR("A server runs on this database: stop it first.")
                             : STR("The database is being moved or filled by another process.");
}

void db_close(struct db *db)
{
    if (db != NULL) {
        db->driver->close(db);
        arena_fini(&db->arena);
        buf_fini(&db->notes);
        free(db);
    }
}

enum err db_prepare_all(struct db *db)
{
    for (size_t i = 0; i < db->options.queries.count; i++) {
        enum err e = db->driver->prepare(db, (int)i);
        if (e != ERR_OK) {
            log_error("query does not prepare name=%s", db->options.queries.name[i]);
            return e;
        }
    }
    return ERR_OK;
}

enum err db_begin_read(struct db *db)
{
    return db->driver->begin(db, false);
}

enum err db_begin_read_again(struct db *db)
{
    bool is_inside = db_in_transaction(db);
    if (is_inside && db->driver->begin_again != NULL) {
        return db->driver->begin_again(db);
    }
    if (is_inside && db_commit(db) != ERR_OK) {
        db_rollback(db);
    }
    return db_begin_read(db);
}

enum err db_begin_write(struct db *db)
{
    enum err e = db->driver->begin(db, true);
    db->is_writing = e == ERR_OK;
    db->stamps = (struct position){{0}};
    db->wanted = 0;
    buf_reset(&db->notes);
    db->finish = NULL;
    return e;
}

enum err db_commit(struct db *db)
{
    enum err e = db->is_writing && db->finish != NULL ? db->finish(db) : ERR_OK;
    if (e != ERR_OK) {
        db_rollback(db);
        return e;
    }
    db->is_writing = false;
    return db->driver->commit(db);
}

void db_rollback(struct db *db)
{
    db->is_writing = false;
    db->driver->rollback(db);
}

bool db_is_writing(const struct db *db)
{
    return db->is_writing;
}

int64_t db_connection_number(const struct db *db)
{
    return db->connections;
}

struct position *db_stamps(struct db *db)
{
    return &db->stamps;
}

int *db_shards(struct db *db)
{
    return &db->shards;
}

unsigned db_held(struct db *db)
{
    unsigned held = 0;
    for (int i = 0; i < SHARDS_MAX; i++) {
        held |= db->stamps.at[i] != 0 ? 1U << i : 0;
    }
    return held;
}

unsigned *db_wanted(struct db *db)
{
    return &db->wanted;
}

struct buf *db_notes(struct db *db)
{
    return &db->notes;
}

void db_before_commit(struct db *db, enum err (*finish)(struct db *db))
{
    db->finish = finish;
}

int64_t db_changes(struct db *db)
{
    return db->driver->total_changes(db);
}

bool db_in_transaction(struct db *db)
{
    return db->driver->in_transaction(db);
}

enum err db_failure(struct db *db, int64_t *changes)
{
    *changes = -1;
    return db->driver->failure != NULL ? db->driver->failure(db, changes) : ERR_OK;
}

bool db_is_embedded(const struct db *db)
{
    return db->driver->is_embedded;
}

bool db_foresees(const struct db *db)
{
    return db->driver->foresee != NULL;
}

void db_set_deadline(struct db *db, int64_t steady_us)
{
    db->deadline_us = steady_us;
}

int64_t db_time_left_ms(const struct db *db)
{
    int64_t left_ms = (db->deadline_us - clock_steady_us()) / 1000;
    return db->deadline_us == 0 ? 0 : left_ms > 0 ? left_ms : 1;
}

enum err db_query(struct db *db, int query, const struct db_val *args, size_t count,
                  struct db_rows *rows)
{
    *rows = (struct db_rows){.db = db};
    return db->driver->query(db, query, args, count, rows);
}

void db_foresee(struct db *db, int query, const struct db_val *args, size_t count)
{
    if (db->driver->foresee != NULL) {
        db->driver->foresee(db, query, args, count);
    }
}

bool db_next(struct db_rows *rows)
{
    return rows->failure == ERR_OK && rows->db->driver->next(rows);
}

enum err db_end(struct db_rows *rows, enum err e)
{
    enum err ended = rows->db->driver->end(rows);
    return e != ERR_OK ? e : ended;
}

bool db_is_null(struct db_rows *rows, int column)
{
    return rows->db->driver->is_null(rows, column);
}

int64_t db_int(struct db_rows *rows, int column)
{
    return rows->db->driver->get_int(rows, column);
}

struct str db_text(struct db_rows *rows, int column)
{
    return rows->db->driver->get_bytes(rows, column);
}

struct str db_blob(struct db_rows *rows, int column)
{
    return rows->db->driver->get_bytes(rows, column);
}

struct uuid db_uuid(struct db_rows *rows, int column)
{
    struct uuid id = {{0}};
    struct str bytes = rows->db->driver->get_bytes(rows, column);
    if (bytes.n == sizeof(id.b)) {
        memcpy(id.b, bytes.p, sizeof(id.b));
    }
    return id;
}

enum err db_exec(struct db *db, int query, const struct db_val *args, size_t count,
                 int64_t *changed)
{
    struct db_rows rows;
    if (changed == NULL && db->driver->exec != NULL) {
        return db->driver->exec(db, query, args, count, false);
    }
    enum err e = db_query(db, query, args, count, &rows);
    while (e == ERR_OK && db_next(&rows)) {
    }
    e = db_end(&rows, e);
    if (changed != NULL) {
        *changed = e == ERR_OK ? db->driver->changed(db) : 0;
    }
    return e;
}

enum err db_exec_noted(struct db *db, int query, const struct db_val *args, size_t count)
{
    return db->driver->exec != NULL ? db->driver->exec(db, query, args, count, true)
                                    : db_exec(db, query, args, count, NULL);
}

enum err db_get_int(struct db *db, int query, const struct db_val *args, size_t count, int64_t *out,
                    bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, query, args, count, &rows);
    bool row = e == ERR_OK && db_next(&rows);
    *out = row ? db_int(&rows, 0) : 0;
    if (found != NULL) {
        *found = row;
    }
    return db_end(&rows, e);
}

enum err db_load_begin(struct db *db, struct db_load *load)
{
    load->db = db;
    load->state = NULL;
    return db->driver->load_begin != NULL ? db->driver->load_begin(load) : ERR_OK;
}

enum err db_load_row(struct db_load *load, const struct db_val *values, size_t count)
{
    return load->db->driver->load_row != NULL
               ? load->db->driver->load_row(load, values, count)
               : db_exec(load->db, load->insert, values, count, NULL);
}

enum err db_load_end(struct db_load *load, enum err e)
{
    return load->db->driver->load_end != NULL ? load->db->driver->load_end(load, e) : e;
}

enum err db_script(struct db *db, const char *sql, struct arena *a, struct str *problem)
{
    struct str expanded = dialect_expand(a, &db->driver->dialect, str_of(sql));
    return db->driver->script(db, expanded.p, a, problem);
}
