/* The tables of migrations/ with their columns, for what goes through all of them: `confab move`. */
#pragma once

#include "db/db.h"

enum { TABLE_KEY_MAX = 3, TABLE_COLUMNS_MAX = 16 };

struct table_column {
    const char *name;
    enum db_type type;
};

struct table {
    const char *name;
    size_t key; /* its first `key` columns are the primary key */
    const struct table_column *columns;
    size_t count;
};

/* Those that others refer to come first. Without `migration`, which is db/migrate.c's. */
enum table_number {
    TABLE_ACCOUNT,
    TABLE_ACCOUNT_WORD,
    TABLE_SESSION,
    TABLE_CONVERSATION,
    TABLE_PARTICIPANT,
    TABLE_MESSAGE,
    TABLE_MESSAGE_HISTORY,
    TABLE_IDEMPOTENCY,
    TABLE_ERASURE,
    TABLE_DEMOTION,
    TABLE_AUDIT,
    TABLE_WS_TICKET,
    TABLE_CHANGE_LOG,
    TABLE_INCARNATION,
    TABLE_SHARD,
    TABLE_COUNT
};

extern const struct table store_tables[TABLE_COUNT];
