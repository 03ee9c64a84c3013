#include "store/participant.h"

#include "store/change.h"
#include "store/columns.h"
#include "store/queries.h"

void store_read_participant(struct db_rows *rows, int column, struct participant *out)
{
    *out = (struct participant){
        .conversation_id = db_uuid(rows, column),
        .user_id = db_uuid(rows, column + 1),
        .role = PART_MEMBER,
        .joined_at = db_int(rows, column + 3),
        .left_at = db_int(rows, column + 4),
        .read_seq = db_int(rows, column + 5),
        .muted_until = db_int(rows, column + 6),
        .archived = db_int(rows, column + 7) != 0,
        .pinned = db_int(rows, column + 8) != 0,
        .rev = db_int(rows, column + 9),
        .stamp = db_int(rows, column + 10),
        .joined_stamp = db_int(rows, column + 11),
    };
    if (!part_from(db_text(rows, column + 2), &out->role)) {
        out->role = PART_MEMBER; /* the table's CHECK lets nothing else in */
    }
}

static void read_member(struct db_rows *rows, struct arena *a, struct member *out)
{
    store_read_participant(rows, 0, &out->participant);
    store_read_user(rows, PARTICIPANT_COLUMN_COUNT, a, &out->user);
}

static enum err get_one(struct db *db, int query, const struct db_val *args, size_t arg_count,
                        struct participant *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, query, args, arg_count, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_participant(&rows, 0, out);
    }
    return db_end(&rows, e);
}

enum err store_participant_get(struct db *db, struct uuid conversation_id, struct uuid user_id,
                               struct participant *out, bool *found)
{
    return get_one(db, Q_PARTICIPANT_GET, ARGS(V_UUID(conversation_id), V_UUID(user_id)), out,
                   found);
}

enum err store_participant_heir(struct db *db, struct uuid conversation_id, struct participant *out,
                                bool *found)
{
    return get_one(db, Q_PARTICIPANT_HEIR, ARGS(V_UUID(conversation_id)), out, found);
}

enum err store_member_get(struct db *db, struct arena *a, struct uuid conversation_id,
                          struct uuid user_id, struct member *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_MEMBER_GET, ARGS(V_UUID(conversation_id), V_UUID(user_id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        read_member(&rows, a, out);
    }
    return db_end(&rows, e);
}

enum err store_member_list(struct db *db, struct arena *a, struct uuid conversation_id,
                           const struct window *window, struct member **rows, size_t *count)
{
    struct db_rows r;
    struct member *list = ARENA_ARRAY(a, struct member, (size_t)window->limit);
    size_t n = 0;
    enum err e =
        db_query(db, window->descending ? Q_MEMBER_LIST_DOWN : Q_MEMBER_LIST_UP,
                 ARGS(V_UUID(conversation_id), V_TIME(window->after.n), V_UUID(window->after.id),
                      V_INT(window->limit), V_INT(window->offset)),
                 &r);
    while (e == ERR_OK && db_next(&r)) {
        read_member(&r, a, &list[n++]);
    }
    *rows = list;
    *count = n;
    return db_end(&r, e);
}

enum err store_participant_list(struct db *db, struct arena *a, struct uuid conversation_id,
                                int64_t limit, struct participant **rows, size_t *count)
{
    struct db_rows r;
    struct participant *list = ARENA_ARRAY(a, struct participant, (size_t)limit);
    size_t n = 0;
    enum err e = db_query(db, Q_PARTICIPANT_LIST, ARGS(V_UUID(conversation_id), V_INT(limit)), &r);
    while (e == ERR_OK && db_next(&r)) {
        store_read_participant(&r, 0, &list[n++]);
    }
    *rows = list;
    *count = n;
    return db_end(&r, e);
}

static enum err list_ids(struct db *db, struct arena *a, int query, struct uuid user_id,
                         int64_t limit, struct uuid **ids, size_t *count)
{
    struct db_rows r;
    size_t n = 0;
    *ids = ARENA_ARRAY(a, struct uuid, (size_t)limit);
    enum err e = db_query(db, query, ARGS(V_UUID(user_id), V_INT(limit)), &r);
    while (e == ERR_OK && db_next(&r)) {
        (*ids)[n++] = db_uuid(&r, 0);
    }
    *count = n;
    return db_end(&r, e);
}

enum err store_participant_conversations(struct db *db, struct arena *a, struct uuid user_id,
                                         int64_t limit, struct uuid **ids, size_t *count)
{
    return list_ids(db, a, Q_PARTICIPANT_CONVERSATIONS, user_id, limit, ids, count);
}

enum err store_participant_moderated(struct db *db, struct arena *a, struct uuid user_id,
                                     int64_t limit, struct uuid **ids, size_t *count)
{
    return list_ids(db, a, Q_PARTICIPANT_MODERATED, user_id, limit, ids, count);
}

enum err store_participant_count_of(struct db *db, struct uuid user_id, int64_t *out)
{
    return db_get_int(db, Q_PARTICIPANT_CONVERSATIONS_COUNT, ARGS(V_UUID(user_id)), out, NULL);
}

enum err store_participant_count_some(struct db *db, struct uuid user_id, int64_t most,
                                      int64_t *out)
{
    return db_get_int(db, Q_PARTICIPANT_CONVERSATIONS_SOME, ARGS(V_UUID(user_id), V_INT(most)), out,
                      NULL);
}

/* `begins`: with this commit. */
static enum err save(struct db *db, const struct participant *p, bool begins, enum change_kind kind)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, p->conversation_id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_PARTICIPANT_SAVE,
                ARGS(V_UUID(p->conversation_id), V_UUID(p->user_id),
                     V_TEXT(str_of(part_names[p->role])), V_TIME(p->joined_at),
                     V_TIME_OR_NULL(p->left_at), V_INT(p->read_seq), V_TIME_OR_NULL(p->muted_until),
                     V_BOOL(p->archived), V_BOOL(p->pinned), V_INT(p->rev), V_INT(stamp),
                     V_INT(begins ? stamp : p->joined_stamp)),
                NULL);
    return e == ERR_OK ? store_change_add(db, kind, p->conversation_id, p->user_id, p->rev) : e;
}

enum err store_participant_begin(struct db *db, const struct participant *participant)
{
    return save(db, participant, true, CHANGE_MEMBERSHIP);
}

enum err store_participant_save(struct db *db, const struct participant *participant)
{
    return save(db, participant, false, CHANGE_MEMBERSHIP);
}

enum err store_participant_save_mine(struct db *db, const struct participant *participant)
{
    return save(db, participant, false, CHANGE_MINE);
}

enum err store_participant_end_all(struct db *db, struct uuid conversation_id, int64_t now_us,
                                   int64_t rev)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, conversation_id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    return db_exec(db, Q_PARTICIPANT_END_ALL,
                   ARGS(V_UUID(conversation_id), V_TIME(now_us), V_INT(rev), V_INT(stamp)), NULL);
}

enum err store_participant_read(struct db *db, struct uuid conversation_id, struct uuid user_id,
                                int64_t seq)
{
    int64_t moved = 0;
    int64_t stamp = 0;
    enum err e = store_stamp(db, conversation_id, &stamp);
    if (e == ERR_OK) {
        e = db_exec(db, Q_PARTICIPANT_READ,
                    ARGS(V_UUID(conversation_id), V_UUID(user_id), V_INT(seq), V_INT(stamp)),
                    &moved);
    }
    if (e != ERR_OK || moved == 0) {
        return e;
    }
    /* Who catches up looks closer only at conversations whose stamp has moved. */
    e = db_exec(db, Q_CONVERSATION_TOUCH, ARGS(V_UUID(conversation_id), V_INT(stamp)), NULL);
    return e == ERR_OK ? store_change_add(db, CHANGE_READ, conversation_id, user_id, 0) : e;
}
