/* Rows for demonstration and measuring, written straight: no rule is asked, and every kept value
 * (last_seq, counts, revs) is the caller's to get right. Messages stand in no log: their conversations
 * begin in the same commit, so that nobody can have known them before. Only for `confab seed-demo`. */
#pragma once

#include "db/db.h"
#include "store/model.h"

enum err store_seed_is_empty(struct db *db, bool *empty) CHECKED;
/* Deletes all rows but the migrations and the shard's stamp; with the incarnations every cursor
 * loses its worth, also those that a server hands out which runs meanwhile: it has to be restarted.
 * In a transaction. */
enum err store_seed_wipe(struct db *db, struct arena *a, struct str *problem) CHECKED;

enum err store_seed_conversation(struct db *db, const struct conversation *conversation) CHECKED;
enum err store_seed_message(struct db *db, const struct message *message) CHECKED;

/* Statistics for the planner; outside a transaction. */
enum err store_seed_analyze(struct db *db, struct arena *a, struct str *problem) CHECKED;
