/* Every query of the program by name: Q_<NAME> is its number for db_query. The texts stand in
 * queries_<area>.def beside the code that uses them. */
#pragma once

#include "db/db.h"

enum store_query {
#define QUERY(name, sql) Q_##name,
#include "store/queries_admin.def"
#include "store/queries_conversation.def"
#include "store/queries_message.def"
#include "store/queries_notification.def"
#include "store/queries_sync.def"
#include "store/queries_system.def"
#include "store/queries_user.def"
#undef QUERY
    Q_COUNT
};

extern const struct db_queries store_queries;
