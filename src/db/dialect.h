/* SQL is written once, in what the engines have in common and words for the rest; a driver's table says
 * what they are on its engine:
 *
 *     T_UUID ...   types of columns, in migrations
 *     X_UUID ...   types to cast to; X_TEXT for parameters whose type nothing else tells
 *     X_COLUMNS    behind FROM: what has the `name` of each column of the table ?1, if there is one
 *     ?1, ?2, ...  parameters
 *     {a}{b}       a; where MySQL and MariaDB want something else, b there. No braces within. Behind
 *                  a ';' in b: what is read when the statement is done, for want of RETURNING */
#pragma once

#include "base/arena.h"

enum dialect_word {
    T_UUID,
    T_INT,
    T_BOOL,
    T_TIME,
    T_TEXT,
    T_KEY, /* a text that is compared byte by byte, and may be indexed */
    T_BLOB32,
    T_CLUSTERED, /* behind a table's columns: the primary key is the order of its rows */
    X_UUID,
    X_INT,
    X_BOOL,
    X_TIME,
    X_TEXT,
    X_COLUMNS,
    X_SERVER,  /* which server this is, its history included; '' where the database is a file */
    X_SINCE,   /* since when it runs */
    X_SIZE,    /* how many bytes the database takes, about */
    X_ANALYZE, /* statistics for planning: renews them, on SQLite forgets them */
    T_SHARDS,  /* how many shards a new database gets */
    X_FOLD,    /* before, ... */
    X_FOLDED,  /* ... and behind a text, on MySQL: in small letters, as far as it knows how */
    DIALECT_WORDS
};

struct dialect {
    const char *words[DIALECT_WORDS];
    const char *parameter; /* what stands before a parameter's number */
    bool is_mysql;         /* takes the second of two texts */
};

/* What there is of a text beside {a}{b}: words and parameters stay as they are. */
extern const struct dialect dialect_common;

/* Lives in `a`, with a zero byte behind it. Texts in quotes and comments stay as they are. */
struct str dialect_expand(struct arena *a, const struct dialect *dialect, struct str sql);
