/* Hosts who became guests while they were moderators in more conversations than are changed in one
 * commit: the rest is done piece by piece. */
#pragma once

#include "db/db.h"

enum err store_demotion_add(struct db *db, struct uuid user_id, int64_t now_us) CHECKED;
/* The one that was asked for first; one that failed gives way to others (store/job.h). */
enum err store_demotion_next(struct db *db, struct uuid *user_id, bool *found) CHECKED;
enum err store_demotion_end(struct db *db, struct uuid user_id) CHECKED;
