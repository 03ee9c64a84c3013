/* What an engine must provide. db.c checks and dispatches; a driver knows its library. */
#pragma once

#include "db/db.h"
#include "db/dialect.h"

struct db_driver {
    const char *schemes[2]; /* "sqlite" */
    struct dialect dialect;
    /* Before migrations: keeps others from migrating until the connection is closed, makes the
     * functions that queries use; NULL: nothing to do. */
    enum err (*hold)(struct db *db, struct arena *a, struct str *problem);
    bool keeps_definitions; /* what defines a table commits, and cannot be undone */
    bool is_embedded; /* it answers in this process: reads need no thread of their own, and when a
                         commit's outcome is open so is the database */
    enum err (*open)(struct db *db, const char *path, struct arena *a, struct str *problem);
    void (*close)(struct db *db);
    enum err (*prepare)(struct db *db, int query); /* options.queries.text, expanded */
    enum err (*query)(struct db *db, int query, const struct db_val *args, size_t count,
                      struct db_rows *rows);
    /* Of a statement whose outcome nobody waits for: a later call may tell that it failed, at the
     * latest that of commit. `is_noted`: db_exec_noted(). NULL: as query. */
    enum err (*exec)(struct db *db, int query, const struct db_val *args, size_t count,
                     bool is_noted);
    void (*foresee)(struct db *db, int query, const struct db_val *args,
                    size_t count); /* or NULL */
    bool (*next)(struct db_rows *rows);
    enum err (*end)(struct db_rows *rows);
    bool (*is_null)(struct db_rows *rows, int column);
    int64_t (*get_int)(struct db_rows *rows, int column);
    struct str (*get_bytes)(struct db_rows *rows, int column);
    int64_t (*changed)(struct db *db);
    enum err (*begin)(struct db *db, bool for_writing);
    enum err (*begin_again)(struct db *db); /* db_begin_read_again(); NULL: commit and begin */
    enum err (*commit)(struct db *db);
    void (*rollback)(struct db *db);
    int64_t (*total_changes)(struct db *db);
    bool (*in_transaction)(struct db *db);
    /* db_load_...(), each may be NULL; without load_row, rows are inserted one by one. load_end gets the
     * failure that there was. */
    enum err (*load_begin)(struct db_load *load);
    enum err (*load_row)(struct db_load *load, const struct db_val *values, size_t count);
    enum err (*load_end)(struct db_load *load, enum err e);
    /* db_failure(); NULL: each statement tells its own failure. */
    enum err (*failure)(struct db *db, int64_t *changes);
    enum err (*script)(struct db *db, const char *sql, struct arena *a, struct str *problem);
};

struct db {
    const struct db_driver *driver;
    struct db_options options;
    int64_t deadline_us; /* steady clock; 0: none */
    int64_t connections; /* made so far: the driver counts them */
    bool is_writing;
    struct position stamps;
    unsigned wanted;
    int shards;
    struct buf notes;
    enum err (*finish)(struct db *db); /* before a commit, or NULL */
    void *handle;                      /* the library's connection */
    void *prepared;                    /* the driver's statements, by query */
    struct arena arena;                /* for the expanded texts */
    const char **texts;                /* by query */
};

/* For servers, which are told how long: until the deadline, at least 1; 0: no limit. */
int64_t db_time_left_ms(const struct db *db);

/* For drivers of servers. Connects, unless `backoff` says that it is too soon: ERR_UNAVAILABLE. */
struct backoff;
enum err db_connect_again(struct db *db, struct backoff *backoff,
                          enum err (*connect)(struct db *db)) CHECKED;
/* The sentence for an open() that failed with `e`; `why`: what the library says. */
struct str db_open_problem(const struct db *db, enum err e, struct str why, struct arena *a);

extern const struct db_driver db_sqlite;
extern const struct db_driver db_postgres;
extern const struct db_driver db_mariadb;
