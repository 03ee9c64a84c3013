/* SQLite: WAL, synchronous=FULL (a commit is on disk when it returns), foreign keys on.
 *
 * Two SQL functions beside SQLite's own: folded(text), and contains(text, needle, ...) which is true
 * when the folded text contains each needle (already folded; NULL: none). The text is folded once for
 * all of them. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "db/driver.h"
#include "db/sqlite_checkpoint.h"
#include "db/sqlite_vfs.h"

enum { PROGRESS_STEPS = 2000 }; /* virtual machine steps between two looks at the deadline */

enum own_statement { BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK };
static const char *const own_text[] = {
    [BEGIN_READ] = "BEGIN",
    [BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

/* How often a reader looks whether its file is still in its place; the writer looks each time. */
enum { LOOK_US = 1000000 };

struct prepared {
    dev_t device; /* of the file that is open */
    ino_t inode;
    int64_t looked_us; /* steady clock */
    bool moved;
    struct checkpointer *checkpointer; /* of a server's writer, else NULL */
    sqlite3_stmt *own[COUNT_OF(own_text)];
    sqlite3_stmt *query[]; /* options.queries.count of them */
};

static enum err classify(struct db *db, const char *what)
{
    sqlite3 *handle = db->handle;
    int code = sqlite3_extended_errcode(handle);
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY: return ERR_DB_UNIQUE;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return ERR_DB_REFERENCE;
    default: break;
    }
    log_warning("sqlite code=%d in=%s message=%s", code, what, sqlite3_errmsg(handle));
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT: return ERR_BUSY;
    case SQLITE_FULL: return ERR_STORAGE_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        log_error("the database file is damaged: stop, and put a backup in its place");
        return ERR_UNAVAILABLE;
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return ERR_UNAVAILABLE;
    case SQLITE_NOMEM: abort();
    default: return ERR_INTERNAL;
    }
}

static int on_progress(void *arg)
{
    struct db *db = arg;
    return db->deadline_us != 0 && clock_steady_us() > db->deadline_us;
}

static struct str value_text(sqlite3_value *value)
{
    const unsigned char *p = sqlite3_value_text(value);
    return p == NULL ? STR_NULL : (struct str){(const char *)p, (size_t)sqlite3_value_bytes(value)};
}

static void sql_folded(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct arena a;
    arena_init(&a);
    struct str folded = utf8_fold(&a, value_text(values[0]));
    if (folded.p == NULL) {
        sqlite3_result_null(context);
    } else {
        sqlite3_result_text(context, folded.p, (int)folded.n, SQLITE_TRANSIENT);
    }
    arena_fini(&a);
}

static bool text_contains(struct str text, struct str needle)
{
    return needle.n == 0 || (text.n >= needle.n && text.p != NULL &&
                             memmem(text.p, text.n, needle.p, needle.n) != NULL);
}

static void sql_contains(sqlite3_context *context, int count, sqlite3_value **values)
{
    bool found = count > 0;
    struct arena a;
    arena_init(&a);
    struct str text = found ? utf8_fold(&a, value_text(values[0])) : STR_NULL;
    for (int i = 1; i < count && found; i++) {
        found = text_contains(text, value_text(values[i]));
    }
    sqlite3_result_int(context, found);
    arena_fini(&a);
}

static enum err add_functions(struct db *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    if (sqlite3_create_function(db->handle, "folded", 1, flags, NULL, sql_folded, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_create_function(db->handle, "contains", -1, flags, NULL, sql_contains, NULL,
                                NULL) != SQLITE_OK) {
        return classify(db, "create_function");
    }
    return ERR_OK;
}

static enum err sqlite_script(struct db *db, const char *sql, struct arena *a, struct str *problem)
{
    char *message = NULL;
    if (sqlite3_exec(db->handle, sql, NULL, NULL, &message) == SQLITE_OK) {
        return ERR_OK;
    }
    *problem = arena_copy(a, str_of(message));
    sqlite3_free(message);
    return classify(db, "script");
}

/* Its counters of memory in use cost a lock for each allocation. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Which file is it? False: not the one that options.same_as has. */
static bool note_file(struct db *db)
{
    struct prepared *own = db->prepared;
    const struct db *same_as = db->options.same_as;
    struct stat file = {0};
    (void)stat(sqlite3_db_filename(db->handle, "main"), &file);
    own->device = file.st_dev;
    own->inode = file.st_ino;
    if (same_as == NULL) {
        return true;
    }
    const struct prepared *other = same_as->prepared;
    return own->device == other->device && own->inode == other->inode;
}

static enum err sqlite_open(struct db *db, const char *url, struct arena *a, struct str *problem)
{
    const char *path = url + sizeof("sqlite:") - 1;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sqlite3 *handle = NULL;
    (void)pthread_once(&once, configure);
    int flags =
        SQLITE_OPEN_NOMUTEX | (db->options.read_only ? SQLITE_OPEN_READWRITE
                                                     : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int code = sqlite3_open_v2(path, &handle, flags,
                               db->options.writes_steadily ? sqlite_vfs_committing() : NULL);
    db->handle = handle;
    db->connections = 1;
    if (code != SQLITE_OK) {
        *problem = arena_printf(a, "Cannot open the database %s: %s.", path, sqlite3_errstr(code));
        return ERR_UNAVAILABLE;
    }
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, (int)db->options.busy_timeout_ms);
    sqlite3_progress_handler(handle, PROGRESS_STEPS, on_progress, db);
    sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    db->prepared = mem_alloc_zero(sizeof(struct prepared) +
                                  db->options.queries.count * sizeof(sqlite3_stmt *));
    if (!note_file(db)) { /* before anything is read, or taken over from a log beside it */
        *problem = arena_printf(a, "The database %s was replaced under the server.", path);
        return ERR_UNAVAILABLE;
    }
    enum err e = add_functions(db);
    if (e != ERR_OK) {
        *problem = STR("Cannot set the database up.");
        return e;
    }
    /* A reader opens for writing too (WAL needs its shared memory), but refuses to write. */
    const char *pragmas =
        db->options.read_only
            ? "PRAGMA query_only=1; PRAGMA foreign_keys=1; PRAGMA cache_size=-8000;"
            : "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;"
              "PRAGMA temp_store=MEMORY;" /* the journals of statements */
              "PRAGMA cache_size=-16000; PRAGMA wal_autocheckpoint=2000;"
              "PRAGMA journal_size_limit=134217728;"; /* above CHECKPOINT_FRAMES */
    e = sqlite_script(db, pragmas, a, problem);
    if (e != ERR_OK) {
        *problem = arena_printf(a, "Cannot use the database %s: %.*s.", path, STR_ARG(*problem));
        return e;
    }
    if (db->options.writes_steadily) {
        struct prepared *own = db->prepared;
        own->checkpointer = checkpointer_start(handle, (int)db->options.busy_timeout_ms);
    }
    return ERR_OK;
}

static void sqlite_close(struct db *db)
{
    struct prepared *all = db->prepared;
    if (all != NULL) {
        checkpointer_stop(all->checkpointer);
        for (size_t i = 0; i < COUNT_OF(all->own); i++) {
            sqlite3_finalize(all->own[i]);
        }
        for (size_t i = 0; i < db->options.queries.count; i++) {
            sqlite3_finalize(all->query[i]);
        }
        free(all);
    }
    sqlite3_close(db->handle);
}

static enum err prepare_text(struct db *db, const char *sql, sqlite3_stmt **out)
{
    if (*out == NULL && sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
                                           NULL) != SQLITE_OK) {
        return classify(db, sql);
    }
    return ERR_OK;
}

static enum err sqlite_prepare(struct db *db, int query)
{
    struct prepared *all = db->prepared;
    return prepare_text(db, db->texts[query], &all->query[query]);
}

static int bind(sqlite3_stmt *statement, int at, const struct db_val *value)
{
    switch (value->type) {
    case DB_NULL: return sqlite3_bind_null(statement, at);
    case DB_INT:
    case DB_BOOL:
    case DB_TIME: return sqlite3_bind_int64(statement, at, value->i);
    case DB_TEXT:
        return sqlite3_bind_text(statement, at, value->s.p, (int)value->s.n, SQLITE_STATIC);
    case DB_UUID:
        return sqlite3_bind_blob(statement, at, value->id.b, sizeof(value->id.b), SQLITE_TRANSIENT);
    case DB_BLOB:
        return sqlite3_bind_blob(statement, at, value->s.p, (int)value->s.n, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static enum err sqlite_query(struct db *db, int query, const struct db_val *args, size_t count,
                             struct db_rows *rows)
{
    struct prepared *all = db->prepared;
    enum err e = sqlite_prepare(db, query);
    if (e != ERR_OK) {
        return e;
    }
    sqlite3_stmt *statement = all->query[query];
    for (size_t i = 0; i < count; i++) {
        if (bind(statement, (int)i + 1, &args[i]) != SQLITE_OK) {
            return classify(db, db->options.queries.name[query]);
        }
    }
    rows->statement = statement;
    return ERR_OK;
}

static bool sqlite_next(struct db_rows *rows)
{
    int code = sqlite3_step(rows->statement);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        rows->failure = classify(rows->db, sqlite3_sql(rows->statement));
    }
    return false;
}

static enum err sqlite_end(struct db_rows *rows)
{
    if (rows->statement != NULL) {
        sqlite3_reset(rows->statement);
        sqlite3_clear_bindings(rows->statement);
        rows->statement = NULL;
    }
    return rows->failure;
}

static bool sqlite_is_null(struct db_rows *rows, int column)
{
    return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

static int64_t sqlite_get_int(struct db_rows *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

static struct str sqlite_get_bytes(struct db_rows *rows, int column)
{
    if (sqlite_is_null(rows, column)) {
        return STR_NULL;
    }
    const char *p = sqlite3_column_blob(rows->statement, column);
    return (struct str){p != NULL ? p : "", (size_t)sqlite3_column_bytes(rows->statement, column)};
}

static int64_t sqlite_changed(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

static enum err run_own(struct db *db, enum own_statement which)
{
    struct prepared *all = db->prepared;
    enum err e = prepare_text(db, own_text[which], &all->own[which]);
    if (e != ERR_OK) {
        return e;
    }
    int code = sqlite3_step(all->own[which]);
    e = code == SQLITE_DONE ? ERR_OK : classify(db, own_text[which]);
    sqlite3_reset(all->own[which]);
    return e;
}

/* Has somebody removed or replaced the file? What went on into it would be gone after a restart. */
static bool has_moved(struct db *db, bool look_now)
{
    struct prepared *all = db->prepared;
    int64_t now_us = clock_steady_us();
    int moved = 0;
    if (!look_now && !all->moved && now_us - all->looked_us < LOOK_US) {
        return false;
    }
    all->looked_us = now_us;
    (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved != 0 && !all->moved) {
        log_error("the database file was moved, replaced or removed under the server: put it back, "
                  "or restart; until then nothing is stored path=%s",
                  sqlite3_db_filename(db->handle, "main"));
    }
    all->moved = moved != 0;
    return all->moved;
}

static enum err sqlite_begin(struct db *db, bool for_writing)
{
    if (has_moved(db, for_writing)) {
        return ERR_UNAVAILABLE;
    }
    return run_own(db, for_writing ? BEGIN_WRITE : BEGIN_READ);
}

static bool sqlite_in_transaction(struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

static void sqlite_rollback(struct db *db)
{
    if (sqlite_in_transaction(db)) {
        enum err e = run_own(db, ROLLBACK);
        if (e != ERR_OK) {
            log_error("rollback failed code=%s", err_code(e));
        }
    }
}

static enum err sqlite_commit(struct db *db)
{
    enum err e = run_own(db, COMMIT);
    if (e == ERR_OK) {
        return ERR_OK;
    }
    /* An I/O error (fsync, write) leaves it open whether the commit is in the file. */
    if (e == ERR_UNAVAILABLE && (sqlite3_errcode(db->handle) & 0xFF) == SQLITE_IOERR) {
        e = ERR_OUTCOME_UNKNOWN;
    }
    sqlite_rollback(db);
    return e;
}

/* Rows that come in the order of one key go all over the other indexes: what does not fit into the cache
 * is written, and read again, once for nearly every row. */
static enum err sqlite_load_begin(struct db_load *load)
{
    struct arena a;
    struct str problem;
    arena_init(&a);
    enum err e = sqlite_script(
        load->db, "PRAGMA cache_size=-262144; PRAGMA wal_autocheckpoint=50000;", &a, &problem);
    arena_fini(&a);
    return e;
}

static int64_t sqlite_total_changes(struct db *db)
{
    return sqlite3_total_changes64(db->handle);
}

const struct db_driver db_sqlite = {
    .schemes = {"sqlite"},
    .dialect = {.words = {[T_UUID] = "BLOB",
                          [T_INT] = "INTEGER",
                          [T_BOOL] = "INTEGER",
                          [T_TIME] = "INTEGER",
                          [T_TEXT] = "TEXT",
                          [T_KEY] = "TEXT",
                          [T_BLOB32] = "BLOB",
                          [T_CLUSTERED] = "WITHOUT ROWID, STRICT",
                          [X_UUID] = "BLOB",
                          [X_INT] = "INTEGER",
                          [X_BOOL] = "INTEGER",
                          [X_TIME] = "INTEGER",
                          [X_TEXT] = "TEXT",
                          [X_COLUMNS] = "pragma_table_info(?1)",
                          [X_SERVER] = "''",
                          [X_SINCE] = "''",
                          [X_ANALYZE] = "DROP TABLE IF EXISTS sqlite_stat1;"
                                        " DROP TABLE IF EXISTS sqlite_stat4",
                          [X_SIZE] = "(SELECT c.page_count * s.page_size FROM"
                                     " pragma_page_count() c, pragma_page_size() s)",
                          [T_SHARDS] = "1"},
                .parameter = "?"},
    .is_embedded = true,
    .open = sqlite_open,
    .close = sqlite_close,
    .prepare = sqlite_prepare,
    .query = sqlite_query,
    .next = sqlite_next,
    .end = sqlite_end,
    .is_null = sqlite_is_null,
    .get_int = sqlite_get_int,
    .get_bytes = sqlite_get_bytes,
    .changed = sqlite_changed,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .total_changes = sqlite_total_changes,
    .in_transaction = sqlite_in_transaction,
    .load_begin = sqlite_load_begin,
    .script = sqlite_script,
};
