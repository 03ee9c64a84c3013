/* What the engine knows of the contents of the tables, by which it plans how to answer. */
#pragma once

#include "db/db.h"

/* After many rows were written, or indexes made; outside a transaction.
 *
 * On SQLite they are thrown away, if somebody made them: nothing renews them as a database grows, the
 * queries are written for how it plans without (tests/unit/store/test_user_plans.c), and those of a
 * small table, or from before an index was made, have it read whole tables later. PostgreSQL renews its
 * own, but those of an expression's index only as rows change. */
enum err store_statistics_renew(struct db *db, struct arena *a, struct str *problem) CHECKED;
