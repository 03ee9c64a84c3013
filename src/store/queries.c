#include "store/queries.h"

#include "store/columns.h"

static const char *const texts[] = {
#define QUERY(name, sql) [Q_##name] = sql,
#include "store/queries_admin.def"
#include "store/queries_conversation.def"
#include "store/queries_message.def"
#include "store/queries_notification.def"
#include "store/queries_sync.def"
#include "store/queries_system.def"
#include "store/queries_user.def"
#undef QUERY
};

static const char *const names[] = {
#define QUERY(name, sql) [Q_##name] = #name,
#include "store/queries_admin.def"
#include "store/queries_conversation.def"
#include "store/queries_message.def"
#include "store/queries_notification.def"
#include "store/queries_sync.def"
#include "store/queries_system.def"
#include "store/queries_user.def"
#undef QUERY
};

const struct db_queries store_queries = {texts, names, Q_COUNT};
