#include "store/sync.h"

#include "store/columns.h"
#include "store/message_row.h"
#include "store/queries.h"

/* --- what a change points at --------------------------------------------------------------- */

static enum err get_message(struct db *db, struct arena *a, int query, const struct db_val *args,
                            size_t arg_count, struct message *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, query, args, arg_count, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_message(&rows, a, out);
        store_read_user(&rows, MESSAGE_COLUMN_COUNT, a, &out->sender);
    }
    return db_end(&rows, e);
}

enum err store_sync_message(struct db *db, struct arena *a, struct uuid id, struct message *out,
                            bool *found)
{
    return get_message(db, a, Q_SYNC_MESSAGE, ARGS(V_UUID(id)), out, found);
}

enum err store_sync_message_at(struct db *db, struct arena *a, struct uuid conversation_id,
                               int64_t seq, struct message *out, bool *found)
{
    return get_message(db, a, Q_SYNC_MESSAGE_AT, ARGS(V_UUID(conversation_id), V_INT(seq)), out,
                       found);
}

enum err store_sync_conversation(struct db *db, struct arena *a, struct uuid id,
                                 struct conversation *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_SYNC_CONVERSATION, ARGS(V_UUID(id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_conversation(&rows, 0, a, out);
    }
    return db_end(&rows, e);
}

enum err store_sync_members(struct db *db, struct arena *a, struct uuid conversation_id,
                            size_t most, struct member **rows, size_t *count)
{
    const struct window first = {.after = window_start(false), .limit = (int64_t)most};
    return store_member_list(db, a, conversation_id, &first, rows, count);
}

enum err store_sync_participant(struct db *db, struct uuid conversation_id, struct uuid user_id,
                                struct participant *out, bool *found)
{
    struct db_rows rows;
    enum err e =
        db_query(db, Q_SYNC_PARTICIPANT, ARGS(V_UUID(conversation_id), V_UUID(user_id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_participant(&rows, 0, out);
    }
    return db_end(&rows, e);
}

/* The ids in the first column; the array doubles. */
static enum err list_ids(struct db *db, struct arena *a, int query, const struct db_val *args,
                         size_t arg_count, struct uuid **ids, size_t *count)
{
    struct db_rows rows;
    size_t room = 16;
    *ids = ARENA_ARRAY(a, struct uuid, room);
    *count = 0;
    enum err e = db_query(db, query, args, arg_count, &rows);
    while (e == ERR_OK && db_next(&rows)) {
        if (*count == room) {
            struct uuid *more = ARENA_ARRAY(a, struct uuid, 2 * room);
            memcpy(more, *ids, room * sizeof(*more));
            *ids = more;
            room *= 2;
        }
        (*ids)[(*count)++] = db_uuid(&rows, 0);
    }
    return db_end(&rows, e);
}

enum err store_sync_ended(struct db *db, struct arena *a, struct uuid conversation_id,
                          int64_t stamp, struct uuid **user_ids, size_t *count)
{
    return list_ids(db, a, Q_SYNC_ENDED, ARGS(V_UUID(conversation_id), V_INT(stamp)), user_ids,
                    count);
}

enum err store_sync_sessions(struct db *db, struct arena *a, struct uuid user_id, struct uuid **ids,
                             size_t *count)
{
    return list_ids(db, a, Q_SYNC_SESSIONS, ARGS(V_UUID(user_id)), ids, count);
}

enum err store_sync_user_after(struct db *db, struct arena *a, struct uuid id, int64_t after,
                               struct user *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_SYNC_USER, ARGS(V_UUID(id), V_INT(after)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_user(&rows, 0, a, out);
    }
    return db_end(&rows, e);
}

enum err store_sync_user(struct db *db, struct arena *a, struct uuid id, struct user *out,
                         bool *found)
{
    return store_sync_user_after(db, a, id, INT64_MIN, out, found);
}

/* --- pages --------------------------------------------------------------------------------- */

enum err store_sync_is_signed_in(struct db *db, struct uuid user_id, struct uuid session_id,
                                 bool *yes)
{
    int64_t one = 0;
    return db_get_int(db, Q_SYNC_SIGNED_IN, ARGS(V_UUID(user_id), V_UUID_OR_NULL(session_id)), &one,
                      yes);
}

enum err store_sync_memberships(struct db *db, struct uuid user_id, struct uuid from,
                                int64_t ended_after, struct db_rows *rows)
{
    return db_query(db, Q_SYNC_MEMBERSHIPS, ARGS(V_UUID(user_id), V_UUID(from), V_INT(ended_after)),
                    rows);
}

bool store_sync_next_membership(struct db_rows *rows, struct sync_membership *out)
{
    if (!db_next(rows)) {
        return false;
    }
    *out = (struct sync_membership){.conversation_id = db_uuid(rows, 0),
                                    .ended = db_int(rows, 1) != 0,
                                    .stamp = db_int(rows, 2),
                                    .joined_stamp = db_int(rows, 3),
                                    .rev = db_int(rows, 4),
                                    .conversation_stamp = db_int(rows, 5)};
    return true;
}

enum { NEW_AT_ONCE = 100 };

/* From before *seq back to the first that was sent before `after`, or NEW_AT_ONCE. *seq: where to go
 * on; 0: nowhere. */
static enum err list_new_part(struct db *db, struct uuid conversation_id, int64_t after,
                              int64_t rev, int64_t *seq, struct sync_message *list, size_t most,
                              size_t *count)
{
    struct db_rows rows;
    int read = 0;
    bool old = false;
    enum err e = db_query(db, Q_SYNC_MESSAGES_NEW,
                          ARGS(V_UUID(conversation_id), V_INT(*seq), V_INT(NEW_AT_ONCE)), &rows);
    while (e == ERR_OK && !old && *count < most && db_next(&rows)) {
        const struct sync_message m = {db_int(&rows, 0), db_int(&rows, 1)};
        old = db_int(&rows, 2) <= after;
        if (!old && m.rev > rev) {
            list[(*count)++] = m;
        }
        *seq = m.seq;
        read++;
    }
    *seq = old || read < NEW_AT_ONCE ? 0 : *seq;
    return db_end(&rows, e);
}

/* From the newest back to the first that was sent before. */
static enum err list_new(struct db *db, struct uuid conversation_id, int64_t after, int64_t rev,
                         struct sync_message *list, size_t most, size_t *count)
{
    int64_t seq = INT64_MAX;
    enum err e = ERR_OK;
    while (e == ERR_OK && seq > 0 && *count < most) {
        e = list_new_part(db, conversation_id, after, rev, &seq, list, most, count);
    }
    return e;
}

static enum err list_found(struct db *db, int query, const struct db_val *args, size_t arg_count,
                           struct sync_message *list, size_t most, size_t *count)
{
    struct db_rows rows;
    enum err e = db_query(db, query, args, arg_count, &rows);
    while (e == ERR_OK && *count < most && db_next(&rows)) {
        list[(*count)++] = (struct sync_message){db_int(&rows, 0), db_int(&rows, 1)};
    }
    return db_end(&rows, e);
}

enum err store_sync_messages_after(struct db *db, struct uuid conversation_id, int64_t after,
                                   int64_t rev, struct sync_message *rows, size_t most,
                                   size_t *count)
{
    *count = 0;
    enum err e = list_new(db, conversation_id, after, rev, rows, most, count);
    if (e != ERR_OK || *count == most) {
        return e;
    }
    return list_found(
        db, Q_SYNC_MESSAGES_REVISED,
        ARGS(V_UUID(conversation_id), V_INT(after), V_INT(rev), V_INT((int64_t)(most - *count))),
        rows, most, count);
}

enum err store_sync_messages_from(struct db *db, struct uuid conversation_id, int64_t from_seq,
                                  int64_t rev, struct sync_message *rows, size_t most,
                                  size_t *count)
{
    *count = 0;
    return list_found(
        db, Q_SYNC_MESSAGES_FROM,
        ARGS(V_UUID(conversation_id), V_INT(from_seq), V_INT(rev), V_INT((int64_t)most)), rows,
        most, count);
}

enum err store_sync_reads(struct db *db, struct uuid conversation_id, int64_t after,
                          struct uuid but, struct uuid behind, struct sync_read *rows, size_t most,
                          size_t *count)
{
    struct db_rows found;
    *count = 0;
    enum err e = db_query(db, Q_SYNC_READS,
                          ARGS(V_UUID(conversation_id), V_INT(after), V_UUID(but), V_UUID(behind),
                               V_INT((int64_t)most)),
                          &found);
    while (e == ERR_OK && *count < most && db_next(&found)) {
        rows[(*count)++] = (struct sync_read){db_uuid(&found, 0), db_int(&found, 1)};
    }
    return db_end(&found, e);
}
