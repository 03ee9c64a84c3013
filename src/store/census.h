/* How much there is, at a cost that does not grow with it: for numbers that are asked for every few
 * seconds. */
#pragma once

#include "db/db.h"

/* Rows are counted up to here; where a count stops there, there are perhaps more. */
enum { CENSUS_MAX = 10000 };

struct census {
    int64_t users; /* these three are exact */
    int64_t conversations;
    int64_t messages;
    int64_t admins; /* up to CENSUS_MAX, as the rest */
    int64_t hosts;
    int64_t inactive;
    int64_t jobs;
    int64_t jobs_failed;
    int64_t database_bytes; /* about */
};

enum err store_census(struct db *db, struct census *out) CHECKED;
