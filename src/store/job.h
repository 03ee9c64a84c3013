/* Background work that waits, and how it failed last: erasures (store/erasure.h) and roles to end
 * (store/demotion.h), for those who look after the server. One that failed is tried again behind all
 * others; a retry puts it back in its place. */
#pragma once

#include "db/db.h"
#include "store/erasure.h"
#include "store/model.h"

struct job {
    struct str kind; /* "user", "conversation": erasing it; "role": ending a host's roles */
    struct uuid id;  /* of the user or conversation */
    int64_t requested_at;
    int64_t done;     /* messages so far */
    struct str error; /* code of err.h; absent: none */
    int64_t failed_at;
};

/* Oldest first; sort key: requested_at, id. */
enum err store_job_list(struct db *db, struct arena *a, const struct window *window,
                        struct job **rows, size_t *count) CHECKED;
/* Both count no further than `most`. */
enum err store_job_count(struct db *db, int64_t most, int64_t *out) CHECKED;
enum err store_job_count_failed(struct db *db, int64_t most, int64_t *out) CHECKED;
enum err store_job_get(struct db *db, struct arena *a, struct uuid id, struct job *out, bool *found)
    CHECKED;
enum err store_job_retry(struct db *db, struct uuid id) CHECKED;

enum err store_erasure_failed(struct db *db, const struct erasure *erasure, enum err failure,
                              int64_t now_us) CHECKED;
enum err store_demotion_failed(struct db *db, struct uuid user_id, enum err failure, int64_t now_us)
    CHECKED;
