/* Memberships. One is never deleted: it ends with left_at, and may begin again. Counts and roles
 * are kept right by chat/participant.c, not here. */
#pragma once

#include "db/db.h"
#include "store/model.h"

struct member {
    struct participant participant;
    struct user user;
};

/* One who is in the conversation now. */
enum err store_participant_get(struct db *db, struct uuid conversation_id, struct uuid user_id,
                               struct participant *out, bool *found) CHECKED;
enum err store_member_get(struct db *db, struct arena *a, struct uuid conversation_id,
                          struct uuid user_id, struct member *out, bool *found) CHECKED;
/* Those who are in it now, by joined_at and user id, as far as the window goes. */
enum err store_member_list(struct db *db, struct arena *a, struct uuid conversation_id,
                           const struct window *window, struct member **rows, size_t *count)
    CHECKED;
/* Those who are in it now, by user id; at most `limit`. */
enum err store_participant_list(struct db *db, struct arena *a, struct uuid conversation_id,
                                int64_t limit, struct participant **rows, size_t *count) CHECKED;
/* The conversations that a user is in now; at most `limit`. */
enum err store_participant_conversations(struct db *db, struct arena *a, struct uuid user_id,
                                         int64_t limit, struct uuid **ids, size_t *count) CHECKED;
/* Those in which he is a moderator. */
enum err store_participant_moderated(struct db *db, struct arena *a, struct uuid user_id,
                                     int64_t limit, struct uuid **ids, size_t *count) CHECKED;
/* In how many conversations he is; the second counts up to `most`. */
enum err store_participant_count_of(struct db *db, struct uuid user_id, int64_t *out) CHECKED;
enum err store_participant_count_some(struct db *db, struct uuid user_id, int64_t most,
                                      int64_t *out) CHECKED;
/* Who is to own the conversation when it has no owner: the oldest moderator, else member. */
enum err store_participant_heir(struct db *db, struct uuid conversation_id, struct participant *out,
                                bool *found) CHECKED;

/* Writes the whole row: a new membership, or one that gets another role, ends or begins again.
 * _begin: it begins with this commit, or begins again. */
enum err store_participant_begin(struct db *db, const struct participant *participant) CHECKED;
enum err store_participant_save(struct db *db, const struct participant *participant) CHECKED;
/* The same where only the member's own settings have changed: muted_until, archived, pinned. */
enum err store_participant_save_mine(struct db *db, const struct participant *participant) CHECKED;
/* Ends all that are left, with one rev for all, which is the deletion's of the conversation. */
enum err store_participant_end_all(struct db *db, struct uuid conversation_id, int64_t now_us,
                                   int64_t rev) CHECKED;
/* The read position only grows, otherwise nothing happens; no rev is spent. */
enum err store_participant_read(struct db *db, struct uuid conversation_id, struct uuid user_id,
                                int64_t seq) CHECKED;
