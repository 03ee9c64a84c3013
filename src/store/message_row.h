/* From rows to messages; for store/ only. */
#pragma once

#include "db/db.h"
#include "store/model.h"

/* Reads MESSAGE_COLUMNS (columns.h) from the first column on. */
void store_read_message(struct db_rows *rows, struct arena *a, struct message *out);
/* Runs a query of MESSAGE_COLUMNS that gives at most `limit` rows. */
enum err store_read_messages(struct db *db, struct arena *a, int query, const struct db_val *args,
                             size_t arg_count, int64_t limit, struct message **rows, size_t *count)
    CHECKED;
/* Sets sender: one query for each among them. */
enum err store_complete_senders(struct db *db, struct arena *a, struct message *rows, size_t count)
    CHECKED;
/* Sets sender and is_read: one query for each sender and one for each conversation among them. */
enum err store_complete_messages(struct db *db, struct arena *a, struct uuid reader_id,
                                 struct message *rows, size_t count) CHECKED;
/* The same for messages of one conversation: one query for all of its members where they are few. */
enum err store_complete_inside(struct db *db, struct arena *a, const struct conversation *c,
                               struct uuid reader_id, struct message *rows, size_t count) CHECKED;
/* It will be called for messages of that conversation; see db_foresee(). */
void store_foresee_inside(struct db *db, struct uuid conversation_id);
