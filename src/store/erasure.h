/* What is left to do after a deletion, and what is over: in small batches, each a piece of work for
 * the writer. Messages become tombstones; their rows stay, as all rows that carry a stamp. */
#pragma once

#include "db/db.h"
#include "store/model.h"

enum erasure_kind { ERASE_USER, ERASE_CONVERSATION };

struct erasure {
    enum erasure_kind kind;
    struct uuid id;
};

/* The one that was asked for first; one that failed gives way to others (store/job.h). */
enum err store_erasure_next(struct db *db, struct erasure *out, bool *found) CHECKED;

/* Wipes at most `most` messages behind *at, which begins as {INT64_MIN} and moves on. *over: there
 * are no more, and the request is struck off. Beginning anew does no harm. */
enum err store_erasure_step(struct db *db, struct arena *a, int64_t now_us,
                            const struct erasure *erasure, int64_t most, struct list_key *at,
                            bool *over) CHECKED;

/* What is over: what was kept, or expired, before these times. */
struct purge_times {
    int64_t answers_us;
    int64_t sessions_us;
    int64_t tickets_us;
    int64_t changes_us;
};

/* Is there any of it? */
enum err store_purge_any(struct db *db, const struct purge_times *before, bool *any) CHECKED;
/* Drops at most `most` sessions. */
enum err store_purge_sessions(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
    CHECKED;
