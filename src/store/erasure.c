#include "store/erasure.h"

#include "store/change.h"
#include "store/queries.h"
#include "store/system.h"

static const char *const kinds[] = {[ERASE_USER] = "user", [ERASE_CONVERSATION] = "conversation"};

enum err store_erasure_next(struct db *db, struct erasure *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_ERASURE_NEXT, NO_ARGS, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        bool user = str_eq(db_text(&rows, 0), str_of(kinds[ERASE_USER]));
        out->kind = user ? ERASE_USER : ERASE_CONVERSATION;
        out->id = db_uuid(&rows, 1);
    }
    return db_end(&rows, e);
}

/* --- a user's messages, wherever they are -------------------------------------------------- */

struct sent {
    struct uuid conversation_id;
    int64_t seq;
    struct uuid id;
    int64_t sent_at;
    bool has_text; /* not a tombstone yet */
};

static enum err list_sent(struct db *db, struct uuid sender_id, const struct list_key *after,
                          int64_t most, struct sent *list, int64_t *count)
{
    struct db_rows rows;
    enum err e =
        db_query(db, Q_ERASURE_SENT_BY,
                 ARGS(V_UUID(sender_id), V_TIME(after->n), V_UUID(after->id), V_INT(most)), &rows);
    *count = 0;
    while (e == ERR_OK && *count < most && db_next(&rows)) {
        list[(*count)++] = (struct sent){.conversation_id = db_uuid(&rows, 0),
                                         .seq = db_int(&rows, 1),
                                         .id = db_uuid(&rows, 2),
                                         .sent_at = db_int(&rows, 3),
                                         .has_text = db_int(&rows, 4) != 0};
    }
    return db_end(&rows, e);
}

/* *counted: it was one of the messages that the server counts (its conversation is not deleted). */
static enum err raise(struct db *db, struct uuid conversation_id, int64_t *stamp, int64_t *rev,
                      bool *counted)
{
    struct db_rows rows;
    enum err e = store_stamp(db, conversation_id, stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_query(db, Q_ERASURE_RAISE, ARGS(V_UUID(conversation_id), V_INT(*stamp)), &rows);
    while (e == ERR_OK && db_next(&rows)) {
        *rev = db_int(&rows, 0);
        *counted = db_is_null(&rows, 1);
    }
    return db_end(&rows, e);
}

static enum err bury(struct db *db, int64_t now_us, const struct sent *m, bool *counted)
{
    int64_t stamp = 0;
    int64_t rev = 0;
    enum err e = raise(db, m->conversation_id, &stamp, &rev, counted);
    if (e == ERR_OK) {
        e = db_exec(db, Q_ERASURE_BURY,
                    ARGS(V_UUID(m->conversation_id), V_INT(m->seq), V_TIME(now_us), V_INT(rev),
                         V_INT(stamp)),
                    NULL);
    }
    if (e == ERR_OK) {
        e = db_exec(db, Q_HISTORY_WIPE, ARGS(V_UUID(m->id)), NULL);
    }
    return e == ERR_OK ? store_change_add(db, CHANGE_MESSAGE, m->conversation_id, m->id, rev) : e;
}

static enum err erase_sent(struct db *db, struct arena *a, int64_t now_us, struct uuid user_id,
                           int64_t most, struct list_key *at, bool *over, int64_t *done)
{
    struct sent *list = ARENA_ARRAY(a, struct sent, (size_t)most);
    int64_t count = 0;
    int64_t removed = 0;
    enum err e = store_hold_all(db);
    if (e == ERR_OK) {
        e = list_sent(db, user_id, at, most, list, &count);
    }
    for (int64_t i = 0; i < count && e == ERR_OK; i++) {
        bool counted = false;
        if (list[i].has_text) {
            e = bury(db, now_us, &list[i], &counted);
        }
        removed += counted ? 1 : 0;
        *at = (struct list_key){.n = list[i].sent_at, .id = list[i].id};
    }
    *over = count < most;
    *done = removed;
    return e == ERR_OK && removed > 0 ? store_tally_add(db, TALLY_MESSAGES, -removed) : e;
}

/* Kept answers quote him; devices say where he was. */
static enum err erase_traces(struct db *db, struct uuid user_id)
{
    enum err e = db_exec(db, Q_ERASURE_ANSWERS, ARGS(V_UUID(user_id)), NULL);
    return e == ERR_OK ? db_exec(db, Q_ERASURE_DEVICES, ARGS(V_UUID(user_id)), NULL) : e;
}

/* --- a conversation ------------------------------------------------------------------------ */

/* Its messages are out of the counters since it was deleted. Nobody is in it any more, so that one
 * rev and one row of the log do for all of them. */
static enum err erase_range(struct db *db, int64_t now_us, struct uuid id, int64_t most,
                            struct list_key *at, bool *over)
{
    int64_t stamp = 0;
    struct db_rows rows;
    int64_t rev = 0;
    int64_t last_seq = 0;
    int64_t from = at->n > 0 ? at->n : 0;
    enum err e = store_stamp(db, id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_query(db, Q_ERASURE_RAISE_DELETED, ARGS(V_UUID(id), V_INT(stamp)), &rows);
    while (e == ERR_OK && db_next(&rows)) {
        rev = db_int(&rows, 0);
        last_seq = db_int(&rows, 1);
    }
    e = db_end(&rows, e);
    if (e == ERR_OK) {
        e = db_exec(db, Q_ERASURE_BURY_RANGE,
                    ARGS(V_UUID(id), V_INT(from), V_INT(from + most), V_TIME(now_us), V_INT(rev),
                         V_INT(stamp)),
                    NULL);
    }
    if (e == ERR_OK) {
        e = db_exec(db, Q_ERASURE_HISTORY_RANGE, ARGS(V_UUID(id), V_INT(from), V_INT(from + most)),
                    NULL);
    }
    if (e == ERR_OK) {
        e = store_change_add(db, CHANGE_CONVERSATION, id, (struct uuid){{0}}, rev);
    }
    at->n = from + most;
    *over = at->n >= last_seq;
    return e;
}

static enum err end(struct db *db, const struct erasure *erasure)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, erasure->id, &stamp);
    if (e == ERR_OK) {
        e = erasure->kind == ERASE_USER ? erase_traces(db, erasure->id)
                                        : db_exec(db, Q_ERASURE_CONVERSATION,
                                                  ARGS(V_UUID(erasure->id), V_INT(stamp)), NULL);
    }
    if (e != ERR_OK) {
        return e;
    }
    return db_exec(db, Q_ERASURE_END,
                   ARGS(V_TEXT(str_of(kinds[erasure->kind])), V_UUID(erasure->id)), NULL);
}

enum err store_erasure_step(struct db *db, struct arena *a, int64_t now_us,
                            const struct erasure *erasure, int64_t most, struct list_key *at,
                            bool *over)
{
    bool of_user = erasure->kind == ERASE_USER;
    int64_t done = 0;
    enum err e = of_user ? erase_sent(db, a, now_us, erasure->id, most, at, over, &done)
                         : erase_range(db, now_us, erasure->id, most, at, over);
    if (e != ERR_OK) {
        return e;
    }
    if (*over) {
        return end(db, erasure);
    }
    /* A conversation is gone through anew after a restart: its place is told, not a sum. */
    return db_exec(db, Q_ERASURE_DONE,
                   ARGS(V_TEXT(str_of(kinds[erasure->kind])), V_UUID(erasure->id),
                        V_INT(of_user ? done : at->n), V_BOOL(!of_user)),
                   NULL);
}

/* --- what is over -------------------------------------------------------------------------- */

enum err store_purge_any(struct db *db, const struct purge_times *before, bool *any)
{
    int64_t n = 0;
    enum err e = db_get_int(db, Q_PURGE_ANY,
                            ARGS(V_TIME(before->answers_us), V_TIME(before->sessions_us),
                                 V_TIME(before->tickets_us), V_TIME(before->changes_us)),
                            &n, NULL);
    *any = n != 0;
    return e;
}

enum err store_purge_sessions(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
{
    return db_exec(db, Q_PURGE_SESSIONS, ARGS(V_TIME(before_us), V_INT(most)), dropped);
}
