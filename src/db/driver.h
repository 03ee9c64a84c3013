/* What an engine must provide. db.c checks and dispatches; a driver knows its library. */
#pragma once

#include "db/db.h"

struct db_driver {
    const char *scheme; /* "sqlite" */
    enum err (*open)(struct db *db, const char *path, struct arena *a, struct str *problem);
    void (*close)(struct db *db);
    enum err (*prepare)(struct db *db, int query);
    enum err (*query)(struct db *db, int query, const struct db_val *args, size_t count,
                      struct db_rows *rows);
    bool (*next)(struct db_rows *rows);
    enum err (*end)(struct db_rows *rows);
    bool (*is_null)(struct db_rows *rows, int column);
    int64_t (*get_int)(struct db_rows *rows, int column);
    struct str (*get_bytes)(struct db_rows *rows, int column);
    int64_t (*changed)(struct db *db);
    enum err (*begin)(struct db *db, bool for_writing);
    enum err (*commit)(struct db *db);
    void (*rollback)(struct db *db);
    int64_t (*total_changes)(struct db *db);
    bool (*in_transaction)(struct db *db);
    enum err (*script)(struct db *db, const char *sql, struct arena *a, struct str *problem);
};

struct db {
    const struct db_driver *driver;
    struct db_options options;
    int64_t deadline_us; /* steady clock; 0: none */
    void *handle;        /* the library's connection */
    void *prepared;      /* the driver's statements, by query */
};

extern const struct db_driver db_sqlite;
