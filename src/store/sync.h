/* What the tailer and the pages of catching up read: present state by id or by stamp, with what is
 * ended or deleted too. No rights are asked here. */
#pragma once

#include "db/db.h"
#include "store/model.h"
#include "store/participant.h"

/* --- what a change points at --- */

/* With its sender; tombstones too. is_read is not set. */
enum err store_sync_message(struct db *db, struct arena *a, struct uuid id, struct message *out,
                            bool *found) CHECKED;
/* Deleted ones too. */
enum err store_sync_conversation(struct db *db, struct arena *a, struct uuid id,
                                 struct conversation *out, bool *found) CHECKED;
/* The first `most` of those who are in it now, by joined_at. */
enum err store_sync_members(struct db *db, struct arena *a, struct uuid conversation_id,
                            size_t most, struct member **rows, size_t *count) CHECKED;
/* Ended ones too (left_at). */
enum err store_sync_participant(struct db *db, struct uuid conversation_id, struct uuid user_id,
                                struct participant *out, bool *found) CHECKED;
/* Those whose membership the commit `stamp` ended. */
enum err store_sync_ended(struct db *db, struct arena *a, struct uuid conversation_id,
                          int64_t stamp, struct uuid **user_ids, size_t *count) CHECKED;
/* Deleted ones too. */
enum err store_sync_user(struct db *db, struct arena *a, struct uuid id, struct user *out,
                         bool *found) CHECKED;
/* The sessions of a user that are not revoked. */
enum err store_sync_sessions(struct db *db, struct arena *a, struct uuid user_id, struct uuid **ids,
                             size_t *count) CHECKED;

/* --- pages --- */

/* Is the user active, and his session (zero: none) not revoked? */
enum err store_sync_is_signed_in(struct db *db, struct uuid user_id, struct uuid session_id,
                                 bool *yes) CHECKED;

/* A membership of a user, as far as a round has to know it before it looks closer. */
struct sync_membership {
    struct uuid conversation_id;
    bool ended;
    int64_t stamp;
    int64_t joined_stamp;
    int64_t rev;
    int64_t conversation_stamp; /* 0 if ended */
};

/* Those of the user, by conversation id from `from` on: current ones, and those that ended after
 * the commit `ended_after`. Row by row, so that a page can stop anywhere:
 *     struct db_rows rows;
 *     enum err e = store_sync_memberships(db, user_id, from, ended_after, &rows);
 *     while (e == ERR_OK && store_sync_next_membership(&rows, &m)) { ... }
 *     e = db_end(&rows, e);
 */
enum err store_sync_memberships(struct db *db, struct uuid user_id, struct uuid from,
                                int64_t ended_after, struct db_rows *rows) CHECKED;
bool store_sync_next_membership(struct db_rows *rows, struct sync_membership *out);

struct sync_message {
    int64_t seq;
    int64_t rev;
};

/* Messages of a conversation that were sent or changed after the commit `after` and whose rev is
 * greater than `rev`: at most `most`, in no order. */
enum err store_sync_messages_after(struct db *db, struct uuid conversation_id, int64_t after,
                                   int64_t rev, struct sync_message *rows, size_t most,
                                   size_t *count) CHECKED;
/* Those with a seq from `from_seq` on and a rev greater than `rev`; likewise. */
enum err store_sync_messages_from(struct db *db, struct uuid conversation_id, int64_t from_seq,
                                  int64_t rev, struct sync_message *rows, size_t most,
                                  size_t *count) CHECKED;
/* With its sender; tombstones too. */
enum err store_sync_message_at(struct db *db, struct arena *a, struct uuid conversation_id,
                               int64_t seq, struct message *out, bool *found) CHECKED;

struct sync_read {
    struct uuid user_id;
    int64_t seq;
};

/* Read positions of those in it now whose row changed after the commit `after`, but of `but`: by
 * user id, behind `behind`, at most `most`. */
enum err store_sync_reads(struct db *db, struct uuid conversation_id, int64_t after,
                          struct uuid but, struct uuid behind, struct sync_read *rows, size_t most,
                          size_t *count) CHECKED;
/* As store_sync_user, if its row changed after the commit `after`. */
enum err store_sync_user_after(struct db *db, struct arena *a, struct uuid id, int64_t after,
                               struct user *out, bool *found) CHECKED;
