/* Devices: a JWT log-in, a long-lived Token, a browser session. */
#pragma once

#include "db/db.h"
#include "store/model.h"

/* The session and its account, whatever their state. */
enum err store_session_get(struct db *db, struct arena *a, struct uuid id, struct session *out,
                           struct user *user, bool *found) CHECKED;
/* store_session_get() will be asked; see db_foresee(). */
void store_session_foresee(struct db *db, struct uuid id);
enum err store_session_by_token(struct db *db, struct arena *a, struct str token_hash,
                                struct session *out, struct user *user, bool *found) CHECKED;

/* `token_hash` absent: none. */
enum err store_session_add(struct db *db, const struct session *session, struct str token_hash)
    CHECKED;
/* What can change of it. ERR_NOT_FOUND: it was revoked meanwhile, and stays so. */
enum err store_session_save(struct db *db, const struct session *session) CHECKED;
enum err store_session_touch(struct db *db, struct uuid id, int64_t now_us) CHECKED;
/* All of the user's but `keep`. */
enum err store_session_revoke_others(struct db *db, struct uuid user_id, struct uuid keep,
                                     int64_t now_us) CHECKED;
/* All of the user's but the `keep_count` that were used last. */
enum err store_session_revoke_unused(struct db *db, struct uuid user_id, int64_t keep_count,
                                     int64_t now_us) CHECKED;

/* Those of which something is still accepted, by created_at. */
enum err store_session_list(struct db *db, struct arena *a, struct uuid user_id, int64_t now_us,
                            const struct window *window, struct session **rows, size_t *count)
    CHECKED;
enum err store_session_count(struct db *db, struct uuid user_id, int64_t now_us, int64_t *out)
    CHECKED;

/* A session and whose it is. */
struct device_row {
    struct session session;
    struct user user;
};

/* Values that are V_NULL (all zero) filter nothing. */
struct device_filter {
    struct db_val user; /* uuid */
    struct db_val kind; /* text: session_kind_names */
};

/* Everybody's of which something is still accepted; sort key: created_at, id. */
enum err store_device_list(struct db *db, struct arena *a, const struct device_filter *filter,
                           int64_t now_us, const struct window *window, struct device_row **rows,
                           size_t *count) CHECKED;
/* Counts no further than `most`. */
enum err store_device_count(struct db *db, const struct device_filter *filter, int64_t now_us,
                            int64_t most, int64_t *out) CHECKED;
