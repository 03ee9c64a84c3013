/* Notifications: what others have sent and the reader has not read, over all his conversations, by
 * time. No row of them is stored: they follow from read positions. What is behind one's read
 * position is others', as sending moves it to one's own message.
 *
 * What a page costs depends on the number of conversations, not on that of unread messages. */
#pragma once

#include "db/db.h"
#include "store/model.h"

/* A conversation with something unread, which the reader has not muted. */
struct unread {
    struct uuid conversation_id;
    struct str title;
    int64_t updated_at; /* no message of it is later */
    int64_t read_seq;
    int64_t last_seq;
    int64_t tombstones; /* among what is unread */
};

/* All of them, newest activity first. */
enum err store_unread_list(struct db *db, struct arena *a, struct uuid reader_id, int64_t now_us,
                           struct unread **rows, size_t *count) CHECKED;

struct notification {
    const struct unread *in;
    const struct message *message; /* with its sender */
};

/* Their unread messages, without tombstones. `in` is sorted as above. Sort key: (sent_at, id);
 * within a conversation times rise with seq. */
enum err store_notification_list(struct db *db, struct arena *a, const struct unread *in,
                                 size_t in_count, const struct window *window,
                                 struct notification **rows, size_t *count) CHECKED;
