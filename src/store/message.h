/* Messages, one at a time; lists of them are in store/message_list.h. Tombstones are found like the
 * others: who must not show them looks at deleted_at. */
#pragma once

#include "crypto/hash.h"
#include "db/db.h"
#include "store/model.h"

/* Where it was sent, which never changes. */
enum err store_message_conversation(struct db *db, struct uuid id, struct uuid *conversation_id,
                                    bool *found) CHECKED;
/* With its sender; is_read as `reader_id` sees it. */
enum err store_message_get(struct db *db, struct arena *a, struct uuid id, struct uuid reader_id,
                           struct message *out, bool *found) CHECKED;
/* What a sender has sent under that client_id, with the fingerprint of the request. */
enum err store_message_sent_as(struct db *db, struct uuid sender_id, struct uuid client_id,
                               struct uuid *id, uint8_t fingerprint[SHA256_SIZE], bool *found)
    CHECKED;

/* Appends a message to its conversation, if that is open and the sender is in it; else *added is
 * false and nothing was written. Sets seq, rev, sent_at (from `now_us`), is_read, and the sender's
 * read position. `fingerprint` may be NULL. ERR_DB_UNIQUE: the client_id is taken; nothing was
 * written then. */
enum err store_message_add(struct db *db, int64_t now_us, const uint8_t *fingerprint,
                           struct message *message, bool *added) CHECKED;
/* Is there a message (no tombstone) with that id in the conversation? */
enum err store_message_is_in(struct db *db, struct uuid id, struct uuid conversation_id,
                             bool *found) CHECKED;

/* Writes what may change: body, metadata, edited_at, deleted_at, pinned_at, rev; and the rev of the
 * conversation, which is the message's. */
enum err store_message_save(struct db *db, const struct message *message) CHECKED;
/* The same for a message that becomes a tombstone: its history goes too, and it counts no more. */
enum err store_message_bury(struct db *db, const struct message *message) CHECKED;

/* Moves the reader's position to the end of all his conversations; `changed`: in how many. */
enum err store_message_read_all(struct db *db, struct uuid reader_id, int64_t *changed) CHECKED;

/* What a message said earlier. */
struct message_version {
    int64_t n; /* 1: as first sent */
    struct str body;
    int64_t written_at;
    struct user editor;
};

/* Keeps the present body, before it is changed. */
enum err store_history_add(struct db *db, const struct message *message) CHECKED;
enum err store_history_count(struct db *db, struct uuid message_id, int64_t *out) CHECKED;
/* Sort key: n. */
enum err store_history_list(struct db *db, struct arena *a, struct uuid message_id,
                            const struct window *window, struct message_version **rows,
                            size_t *count) CHECKED;
