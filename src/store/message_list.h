/* Lists of messages. Each row comes with its sender and with is_read as the reader sees it.
 *
 * Asked in three steps, since what a list costs depends on how much there is to see:
 *
 *     struct message_plan plan;
 *     e = store_message_plan(db, &filter, &plan);                    // how to go about it
 *     e = store_message_count(db, &plan, count_max, &count);         // only if it is wanted
 *     e = store_message_list(db, arena, &plan, &window, &rows, &n);
 */
#pragma once

#include "db/db.h"
#include "store/model.h"

enum {
    MESSAGE_WORDS_MAX = 10,
    MESSAGE_NEEDLES_MAX = MESSAGE_WORDS_MAX + 1, /* the words, and one text as a whole */
    MESSAGE_SCAN_MAX = 50000, /* text is looked for in so many of the newest visible rows */
};

/* Values that are V_NULL or 0 (all zero) filter nothing. */
struct message_filter {
    struct uuid reader_id;
    /* In this conversation, which the reader may see; sorted by seq. NULL: in all that the reader is in
     * now; sorted by time. */
    const struct conversation *conversation;
    bool all;                                   /* in all conversations there are, likewise */
    bool nothing;                               /* no message can match */
    bool deleted;                               /* tombstones too */
    bool unread;                                /* of others, behind the reader's read position */
    struct db_val sender;                       /* uuid */
    struct db_val sender_name;                  /* text, folded: part of the sender's username */
    struct db_val participant;                  /* uuid: in conversations that he is in */
    struct db_val is_read;                      /* bool */
    struct db_val sent_from;                    /* time */
    struct db_val sent_to;                      /* time, inclusive */
    struct db_val needles[MESSAGE_NEEDLES_MAX]; /* text, folded: each is part of the body */
};

/* How to find the rows; private to store/message_list.c but for `truncated`. */
struct message_plan {
    const struct message_filter *filter;
    bool truncated;     /* older rows than the newest MESSAGE_SCAN_MAX are not looked at */
    bool is_plain;      /* nothing is filtered but tombstones */
    int64_t visible;    /* rows that an unfiltered list has */
    int64_t matches;    /* rows that the list has; -1: not known */
    int64_t seq_floor;  /* in a conversation: only seqs above it */
    int64_t time_floor; /* elsewhere: only times from it on */
    int form;
};

enum err store_message_plan(struct db *db, const struct message_filter *filter,
                            struct message_plan *out) CHECKED;
/* The sort key of a list by seq: (seq, zero); of one by time: (sent_at, id). */
struct list_key store_message_key(const struct message *message, bool by_seq);
/* Exact where nothing is filtered; else it stops at `count_max`. */
enum err store_message_count(struct db *db, struct message_plan *plan, int64_t count_max,
                             int64_t *out) CHECKED;
enum err store_message_list(struct db *db, struct arena *a, const struct message_plan *plan,
                            const struct window *window, struct message **rows, size_t *count)
    CHECKED;

/* store_message_list() will be asked for a conversation as it is; see db_foresee(). The window has no
 * offset. */
void store_message_foresee_list(struct db *db, struct uuid conversation_id, bool deleted,
                                const struct window *window);

/* The newest of a conversation, in chronological order, without tombstones. */
enum err store_message_newest(struct db *db, struct arena *a, struct uuid conversation_id,
                              struct uuid reader_id, int64_t limit, struct message **rows,
                              size_t *count) CHECKED;

/* Answers to a message, in chronological order, sorted by seq. */
enum err store_reply_count(struct db *db, const struct message *message, int64_t count_max,
                           int64_t *out) CHECKED;
enum err store_reply_list(struct db *db, struct arena *a, const struct message *message,
                          struct uuid reader_id, const struct window *window, struct message **rows,
                          size_t *count) CHECKED;
