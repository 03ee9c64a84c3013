/* Conversations, each together with the membership of the one who asks. */
#pragma once

#include "crypto/hash.h"
#include "db/db.h"
#include "store/model.h"

/* A conversation as one user sees it. */
struct conversation_view {
    struct conversation conversation;
    bool is_member;
    struct participant mine; /* of the one who asks; all zero if he is no member */
};

/* Deleted ones are not found. */
enum err store_conversation_view(struct db *db, struct arena *a, struct uuid id,
                                 struct uuid reader_id, struct conversation_view *out, bool *found)
    CHECKED;
/* store_conversation_view() will be asked; see db_foresee(). */
void store_conversation_foresee_view(struct db *db, struct uuid id, struct uuid reader_id);
/* The one-to-one conversation of a pair. */
enum err store_conversation_direct(struct db *db, const uint8_t direct_key[SHA256_SIZE],
                                   struct uuid *id, bool *found) CHECKED;
/* The seq of a message, if it belongs to that conversation. */
enum err store_conversation_seq_of(struct db *db, struct uuid id, struct uuid message_id,
                                   int64_t *seq, bool *found) CHECKED;

/* `direct_key` may be NULL. *added is false if the pair has a conversation already. */
enum err store_conversation_add(struct db *db, const struct conversation *conversation,
                                const uint8_t *direct_key, bool *added) CHECKED;
/* Writes what may change by other things than messages: title, metadata, updated_at, closed_at,
 * participant_count, rev. `own_rev`: the rev with which title, metadata or closed_at changed; 0: they
 * did not, only memberships did. */
enum err store_conversation_save(struct db *db, const struct conversation *conversation,
                                 int64_t own_rev) CHECKED;
/* Writes deleted_at, rev and empty counts, and frees the pair for another. */
enum err store_conversation_delete(struct db *db, const struct conversation *conversation) CHECKED;

enum { CONVERSATION_WORDS_MAX = 5 };

enum conversation_order { CONVERSATION_BY_UPDATED, CONVERSATION_BY_CREATED };

/* Values that are V_NULL (all zero) filter nothing. */
struct conversation_filter {
    struct uuid reader_id;
    bool all;                                    /* not only the reader's own */
    struct db_val participants[2];               /* uuid: users who take part */
    struct db_val username;                      /* text, folded: part of a participant's */
    struct db_val unread;                        /* bool */
    struct db_val created_from;                  /* time */
    struct db_val created_to;                    /* time, inclusive */
    struct db_val words[CONVERSATION_WORDS_MAX]; /* text, folded: parts of title or names */
    struct db_val closed;                        /* bool */
};

bool store_conversation_is_filtered(const struct conversation_filter *filter);
/* Exact without filters; with them it stops at `count_max`. */
enum err store_conversation_count(struct db *db, const struct conversation_filter *filter,
                                  int64_t count_max, int64_t *out) CHECKED;
struct list_key store_conversation_key(const struct conversation_view *view,
                                       enum conversation_order order);
/* window->after is the store_conversation_key() of the last one shown. */
enum err store_conversation_list(struct db *db, struct arena *a,
                                 const struct conversation_filter *filter,
                                 enum conversation_order order, const struct window *window,
                                 struct conversation_view **rows, size_t *count) CHECKED;
