/* Is the database one that can be served? */
#pragma once

#include "db/db.h"

/* Are all migrations of this program applied? */
enum err store_is_migrated(struct db *db, bool *yes) CHECKED;
