/* A connection to a database, whatever its engine. Queries are numbers into a table of literal SQL
 * (store/ owns the texts); arguments and columns are typed, the driver maps the types:
 *
 *     type   SQLite        PostgreSQL    MySQL, MariaDB    meaning
 *     uuid   BLOB of 16    uuid          BINARY(16)        struct uuid
 *     time   INTEGER       timestamptz   DATETIME(6)       microseconds since 1970 UTC
 *     bool   INTEGER 0/1   boolean       BOOLEAN
 *     int    INTEGER       bigint        BIGINT            int64_t
 *     text   TEXT          text          LONGTEXT          UTF-8
 *     blob   BLOB          bytea         VARBINARY
 *
 * Threads: a connection belongs to one thread at a time. Failures come as classes (err.h):
 * ERR_DB_UNIQUE, ERR_DB_REFERENCE, ERR_BUSY (locked, or over its time), ERR_UNAVAILABLE (read-only,
 * I/O), ERR_STORAGE_FULL, ERR_OUTCOME_UNKNOWN (I/O error in COMMIT), ERR_INTERNAL; vendor codes end
 * in the log. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/position.h"
#include "base/uuid.h"

enum db_type { DB_NULL, DB_INT, DB_BOOL, DB_TIME, DB_TEXT, DB_UUID, DB_BLOB };

struct db_val {
    enum db_type type;
    union {
        int64_t i;
        struct str s;
        struct uuid id;
    };
};

#define V_INT(x) ((struct db_val){.type = DB_INT, .i = (x)})
#define V_BOOL(x) ((struct db_val){.type = DB_BOOL, .i = (x) ? 1 : 0})
#define V_TIME(x) ((struct db_val){.type = DB_TIME, .i = (x)})
#define V_UUID(x) ((struct db_val){.type = DB_UUID, .id = (x)})
#define V_NULL ((struct db_val){.type = DB_NULL})
/* An absent str (p == NULL) is NULL. */
static inline struct db_val db_val_str(enum db_type type, struct str s)
{
    return s.p == NULL ? V_NULL : (struct db_val){.type = type, .s = s};
}
#define V_TEXT(x) db_val_str(DB_TEXT, (x))
#define V_BLOB(x) db_val_str(DB_BLOB, (x))
#define V_TIME_OR_NULL(x) ((x) == 0 ? V_NULL : V_TIME(x))
#define V_UUID_OR_NULL(x) (uuid_is_zero(x) ? V_NULL : V_UUID(x))

/* Two parameters at once: the array and its length. */
#define ARGS(...)                                                                                  \
    (const struct db_val[]){__VA_ARGS__},                                                          \
        sizeof((const struct db_val[]){__VA_ARGS__}) / sizeof(struct db_val)
#define NO_ARGS NULL, 0

struct db;

struct db_queries {
    const char *const *text; /* parameters are ?1, ?2, ... */
    const char *const *name;
    size_t count;
};

struct db_options {
    struct db_queries queries;
    bool read_only;
    const struct db *same_as; /* open only what this open connection has: its file may have been
                                 replaced since; NULL: whatever is there */
    int64_t busy_timeout_ms;  /* wait for another process's lock */
    /* No server may have a connection that writes steadily; of a file the caller sees to that. */
    bool alone;
    bool writes_steadily; /* a server's writer: the engine may keep threads for its upkeep */
};

/* `url`: "sqlite:" and a file path, "postgres://..." as libpq has it
 * (https://www.postgresql.org/docs/15/libpq-connect.html, 34.1.1.2), or "mysql://..."
 * (mariadb_url.h). On failure *problem (in `a`) says in one sentence what is wrong. */
enum err db_open(const char *url, const struct db_options *options, struct db **out,
                 struct arena *a, struct str *problem) CHECKED;
void db_close(struct db *db);
/* Prepares every query; for start-up and `confab check`. */
enum err db_prepare_all(struct db *db) CHECKED;

/* Transactions. A failed commit is rolled back, unless it says ERR_OUTCOME_UNKNOWN. */
enum err db_begin_read(struct db *db) CHECKED;
/* The same where a transaction that reads may be under way: it ends, for a new snapshot. On a database
 * server that costs less than its end and a beginning. */
enum err db_begin_read_again(struct db *db) CHECKED;
enum err db_begin_write(struct db *db) CHECKED;
enum err db_commit(struct db *db) CHECKED;
void db_rollback(struct db *db);
/* Grows with every row that this connection changes, and never shrinks. */
int64_t db_changes(struct db *db);
/* False when a failure has ended the transaction under way (full disk, interrupt). */
bool db_in_transaction(struct db *db);
/* The first failure in the transaction that is under way or was the last; ERR_OK: none, or one that
 * whoever gave the statement was told at once. *changes: db_changes() from before that statement, which
 * may have been given long before it failed (see db_exec); -1: not known. */
enum err db_failure(struct db *db, int64_t *changes);
/* Is a transaction under way that db_begin_write() began? */
bool db_is_writing(const struct db *db);
/* Grows with each time that the connection is made anew: the server may be another one then. */
int64_t db_connection_number(const struct db *db);
/* Notes of store/change.h: the numbers that the transaction under way has raised, by shard (0: not;
 * all 0 when it begins), and how many shards the database has (0: not known yet). */
struct position *db_stamps(struct db *db);
int *db_shards(struct db *db);
/* The shards whose numbers it has raised, as bits; and those that it wanted besides when something
 * failed with ERR_DB_ORDER. */
unsigned db_held(struct db *db);
unsigned *db_wanted(struct db *db);
/* Notes of store/message.c on the transaction under way: empty when it begins. */
struct buf *db_notes(struct db *db);
/* db_commit() calls it before the transaction under way ends; NULL again when one begins. */
void db_before_commit(struct db *db, enum err (*finish)(struct db *db));
/* Does it answer in this process, so that a read costs no waiting? */
bool db_is_embedded(const struct db *db);
/* Does what is foreseen cost no wait of its own (db_foresee())? */
bool db_foresees(const struct db *db);
/* Statements that run past this clock_steady_us() end with ERR_BUSY; 0: no limit. */
void db_set_deadline(struct db *db, int64_t steady_us);

/* Rows. Pattern:
 *     struct db_rows rows;
 *     enum err e = db_query(db, Q_X, ARGS(V_UUID(id)), &rows);
 *     while (e == ERR_OK && db_next(&rows)) { ... db_int(&rows, 0) ... }
 *     e = db_end(&rows, e);
 * Text and blobs are borrowed until the next db_next or db_end. One cursor per query at a time. */
struct db_rows {
    struct db *db;
    void *statement;
    enum err failure;
};

enum err db_query(struct db *db, int query, const struct db_val *args, size_t count,
                  struct db_rows *rows) CHECKED;
bool db_next(struct db_rows *rows);
/* Returns e if it is a failure, else the failure that ended the rows. */
enum err db_end(struct db_rows *rows, enum err e) CHECKED;

bool db_is_null(struct db_rows *rows, int column);
int64_t db_int(struct db_rows *rows, int column);     /* NULL: 0; times and booleans too */
struct str db_text(struct db_rows *rows, int column); /* NULL: STR_NULL */
struct str db_blob(struct db_rows *rows, int column);
struct uuid db_uuid(struct db_rows *rows, int column); /* NULL: zero */

/* A statement without rows. *changed: how many rows it changed; with NULL, in a transaction that writes,
 * nobody may wait for it on a database server: then its failure is told by a later call, at the latest by
 * db_commit(), and db_changes() counts it as one row. */
enum err db_exec(struct db *db, int query, const struct db_val *args, size_t count,
                 int64_t *changed) CHECKED;
/* The same with NULL, of what the caller takes note: what was foreseen stays good, and where it is told to
 * him he adds what he has written since. */
enum err db_exec_noted(struct db *db, int query, const struct db_val *args, size_t count) CHECKED;
/* The first column of the first row. No row: *found = false, *out = 0. found may be NULL. */
enum err db_get_int(struct db *db, int query, const struct db_val *args, size_t count, int64_t *out,
                    bool *found) CHECKED;

/* In a transaction: db_query() will soon be asked this, with the same arguments, none of them a text.
 * A database server is asked at once, along with whatever is waited for first, so that several questions
 * cost one wait; and once, however many foresee the same and ask it. It changes nothing else: what is written
 * in between makes it void, and a failure is told to whoever asks next. */
void db_foresee(struct db *db, int query, const struct db_val *args, size_t count);

/* Many rows into one table, by the engine's fastest way; in a transaction that writes, and with no other
 * statement on the connection until the end:
 *     struct db_load load = {.table = "thing", .columns = "id, name", .insert = Q_X};
 *     enum err e = db_load_begin(db, &load);
 *     while (e == ERR_OK && ...) { e = db_load_row(&load, ARGS(V_INT(id), V_TEXT(name))); }
 *     e = db_load_end(&load, e);
 * Values have the types of their columns. After a failure only db_load_end() and a rollback are left. */
struct db_load {
    const char *table;
    const char *columns; /* as in an INSERT */
    int insert;          /* the query that inserts one row of them, ?1, ?2, ... in their order */
    struct db *db;       /* these are db.c's and the driver's */
    void *state;
};

enum err db_load_begin(struct db *db, struct db_load *load) CHECKED;
enum err db_load_row(struct db_load *load, const struct db_val *values, size_t count) CHECKED;
/* Returns e if it is a failure, else that of the end. */
enum err db_load_end(struct db_load *load, enum err e) CHECKED;

/* SQL that is not in the table, for administration only; what dialect.h has is expanded. */
enum err db_script(struct db *db, const char *sql, struct arena *a, struct str *problem) CHECKED;
