/* Two users and two conversations for tests of what works on rows: conversation 1 lives, 2 is
 * deleted; in each the users write in turn, user 1 first. Counters and revs are right. */
#pragma once

#include "unit/support/database.h"

enum { CHAT_ROWS_EACH = 10 }; /* messages of each conversation; half of them user 1's */

static const struct uuid chat_rows_user_1 = {{0xA1}};
static const struct uuid chat_rows_user_2 = {{0xA2}};
static const struct uuid chat_rows_living = {{0xC1}};
static const struct uuid chat_rows_deleted = {{0xC2}};

/* Into a migrated database, also one that is not of today. */
void chat_rows_add(struct test_database *t);
/* The kept counter of messages, once it stands where it does today. */
void chat_rows_count(struct test_database *t);
/* One number from a query without parameters. */
int64_t chat_rows_get(struct test_database *t, const char *sql);
