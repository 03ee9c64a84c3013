/* Kept answers of requests that came with an Idempotency-Key. */
#pragma once

#include "db/db.h"

struct kept_answer {
    struct str body_digest; /* SHA-256 of the request's body */
    int64_t status;
    struct uuid object_id; /* what the request has made */
    struct str answer;
};

enum err store_idempotency_get(struct db *db, struct arena *a, struct uuid user_id,
                               struct str request_digest, struct kept_answer *out, bool *found)
    CHECKED;
enum err store_idempotency_add(struct db *db, struct uuid user_id, struct str request_digest,
                               const struct kept_answer *kept, int64_t now_us) CHECKED;
/* Drops at most `most` answers that are older than `before_us`. */
enum err store_idempotency_purge(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
    CHECKED;
