/* Rows for demonstration and measuring, and from other programs, written straight: no rule is asked, and every kept value
 * (last_seq, counts, revs) is the caller's to get right. Messages stand in no log: their conversations
 * begin in the same commit, so that nobody can have known them before. For `confab seed-demo` and
 * `confab import-django` only. */
#pragma once

#include "crypto/hash.h"
#include "db/db.h"
#include "store/model.h"

enum err store_seed_is_empty(struct db *db, bool *empty) CHECKED;
/* Deletes all rows but the migrations and the shard's stamp; with the incarnations every cursor
 * loses its worth, also those that a server hands out which runs meanwhile: it has to be restarted.
 * In a transaction. */
enum err store_seed_wipe(struct db *db, struct arena *a, struct str *problem) CHECKED;

/* `direct_key`: of a one-to-one conversation, SHA256_SIZE bytes; else NULL. */
enum err store_seed_conversation(struct db *db, const struct conversation *conversation,
                                 const uint8_t *direct_key) CHECKED;
/* Messages are loaded: sets what db_load_begin() wants, then a row each, then db_load_end(). The shards
 * of their conversations are held. */
void store_seed_messages(struct db_load *load);
enum err store_seed_message(struct db_load *load, const struct message *message) CHECKED;
