#include "store/seed.h"

#include "store/change.h"
#include "store/queries.h"

/* Those that refer to others first. */
static const char wipe[] =
    "DELETE FROM erasure; DELETE FROM demotion; DELETE FROM idempotency; DELETE FROM audit;"
    "DELETE FROM message_history; DELETE FROM message; DELETE FROM participant;"
    "DELETE FROM conversation; DELETE FROM session; DELETE FROM account_word;"
    "DELETE FROM account; DELETE FROM change_log; DELETE FROM incarnation;"
    "DELETE FROM ws_ticket;"
    "UPDATE shard SET users = 0, conversations = 0, messages = 0;";

enum err store_seed_is_empty(struct db *db, bool *empty)
{
    int64_t one;
    bool found;
    enum err e = db_get_int(db, Q_SEED_ANY_ACCOUNT, NO_ARGS, &one, &found);
    *empty = !found;
    return e;
}

enum err store_seed_wipe(struct db *db, struct arena *a, struct str *problem)
{
    return db_script(db, wipe, a, problem);
}

enum err store_seed_conversation(struct db *db, const struct conversation *conversation,
                                 const uint8_t *direct_key)
{
    const struct conversation *c = conversation;
    int64_t stamp = 0;
    enum err e = store_stamp(db, c->id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_SEED_CONVERSATION,
                ARGS(V_UUID(c->id), V_TEXT(c->title), V_TEXT(c->metadata), V_UUID(c->created_by),
                     V_TIME(c->created_at), V_TIME(c->updated_at), V_INT(c->last_seq),
                     V_INT(c->message_count), V_INT(c->participant_count), V_INT(c->rev),
                     V_INT(stamp),
                     direct_key == NULL ? V_NULL : V_BLOB(str_of_bytes(direct_key, SHA256_SIZE))),
                NULL);
    if (e != ERR_OK) {
        return e;
    }
    return store_change_add(db, CHANGE_CONVERSATION, c->id, (struct uuid){{0}}, 1);
}

void store_seed_messages(struct db_load *load)
{
    *load = (struct db_load){.table = "message",
                             .columns = "conversation_id, seq, id, sender_id, body, metadata,"
                                        " sent_at, edited_at, rev, stamp, sent_stamp",
                             .insert = Q_SEED_MESSAGE};
}

enum err store_seed_message(struct db_load *load, const struct message *message)
{
    const struct message *m = message;
    struct db_val stamp = V_INT(store_stamp_of(load->db, db_stamps(load->db), m->conversation_id));
    return db_load_row(load, ARGS(V_UUID(m->conversation_id), V_INT(m->seq), V_UUID(m->id),
                                  V_UUID(m->sender_id), V_TEXT(m->body), V_TEXT(m->metadata),
                                  V_TIME(m->sent_at), V_TIME_OR_NULL(m->edited_at), V_INT(m->rev),
                                  stamp, stamp));
}
