/* What the mariadb*.c files share: connecting and transactions (mariadb.c), statements and rows
 * (mariadb_rows.c). Nobody else includes this. */
#pragma once

#include <mysql.h>

#include "db/backoff.h"
#include "db/driver.h"
#include "db/mariadb_url.h"

/* A statement of the server, with the memory that its parameters and columns are bound to. */
struct part {
    MYSQL_STMT *handle; /* NULL: not prepared on the present connection, or nothing to prepare */
    size_t parameter_count;
    const unsigned char *numbers; /* by place: which parameter, from 0 */
    MYSQL_BIND *parameters;       /* by place */
    MYSQL_TIME *times;
    size_t column_count;
    MYSQL_BIND *binds;
    struct column *columns;
};

/* A query: what is run, and what is read when that is done; in most there is only the first. */
struct statement {
    struct part first;
    struct part then;
};

enum transaction {
    TRANSACTION_NONE,
    TRANSACTION_OPEN,
    TRANSACTION_ENDED /* by a failure: until the rollback nothing is run, as it would be kept */
};

struct session {
    struct mariadb_url url;
    struct arena arena; /* for the url */
    struct backoff backoff;
    bool is_lost; /* or was never made */
    enum transaction transaction;
    int64_t limit_ms; /* of a statement, as the server was told; 0: none */
    int64_t changes;
    int64_t changed;               /* rows of the last statement */
    struct statement statements[]; /* options.queries.count of them */
};

/* The class of a failure, which goes to the log and changes the session's state. */
enum err mariadb_classify(struct db *db, unsigned int code, const char *message, const char *what);

/* db_driver's functions. */
enum err mariadb_prepare(struct db *db, int query);
enum err mariadb_query(struct db *db, int query, const struct db_val *args, size_t count,
                       struct db_rows *rows);
bool mariadb_next(struct db_rows *rows);
enum err mariadb_end(struct db_rows *rows);
bool mariadb_is_null(struct db_rows *rows, int column);
int64_t mariadb_get_int(struct db_rows *rows, int column);
struct str mariadb_get_bytes(struct db_rows *rows, int column);

/* Frees all statements; they are prepared again when they are run. */
void mariadb_forget_statements(struct db *db);
