/* Single-use tickets. Who made one signed it, so only the used ones are kept, until they would have
 * expired anyway. */
#pragma once

#include "db/db.h"

/* *first: nobody has used that id before. */
enum err store_ticket_use(struct db *db, struct uuid id, int64_t expires_at, bool *first) CHECKED;
/* Drops up to `most` that expired before `before_us`. */
enum err store_ticket_purge(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
    CHECKED;
