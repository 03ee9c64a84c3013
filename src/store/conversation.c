#include "store/conversation.h"

#include "store/change.h"
#include "store/columns.h"
#include "store/participant.h"
#include "store/queries.h"
#include "store/system.h"

void store_read_conversation(struct db_rows *rows, int column, struct arena *a,
                             struct conversation *out)
{
    *out = (struct conversation){
        .id = db_uuid(rows, column),
        .title = arena_copy(a, db_text(rows, column + 1)),
        .metadata = arena_copy(a, db_text(rows, column + 2)),
        .direct = db_int(rows, column + 3) != 0,
        .created_by = db_uuid(rows, column + 4),
        .created_at = db_int(rows, column + 5),
        .updated_at = db_int(rows, column + 6),
        .closed_at = db_int(rows, column + 7),
        .deleted_at = db_int(rows, column + 8),
        .last_seq = db_int(rows, column + 9),
        .message_count = db_int(rows, column + 10),
        .participant_count = db_int(rows, column + 11),
        .rev = db_int(rows, column + 12),
        .stamp = db_int(rows, column + 13),
    };
}

static void read_view(struct db_rows *rows, struct arena *a, struct conversation_view *out)
{
    *out = (struct conversation_view){0};
    store_read_conversation(rows, 0, a, &out->conversation);
    out->is_member = !db_is_null(rows, CONVERSATION_COLUMN_COUNT);
    if (out->is_member) {
        store_read_participant(rows, CONVERSATION_COLUMN_COUNT, &out->mine);
    }
}

enum err store_conversation_view(struct db *db, struct arena *a, struct uuid id,
                                 struct uuid reader_id, struct conversation_view *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_CONVERSATION_VIEW, ARGS(V_UUID(id), V_UUID(reader_id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        read_view(&rows, a, out);
    }
    return db_end(&rows, e);
}

void store_conversation_foresee_view(struct db *db, struct uuid id, struct uuid reader_id)
{
    db_foresee(db, Q_CONVERSATION_VIEW, ARGS(V_UUID(id), V_UUID(reader_id)));
}

static struct str key_bytes(const uint8_t *direct_key)
{
    return direct_key == NULL ? STR_NULL : str_of_bytes(direct_key, SHA256_SIZE);
}

enum err store_conversation_direct(struct db *db, const uint8_t direct_key[SHA256_SIZE],
                                   struct uuid *id, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_CONVERSATION_DIRECT, ARGS(V_BLOB(key_bytes(direct_key))), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        *id = db_uuid(&rows, 0);
    }
    return db_end(&rows, e);
}

enum err store_conversation_seq_of(struct db *db, struct uuid id, struct uuid message_id,
                                   int64_t *seq, bool *found)
{
    return db_get_int(db, Q_CONVERSATION_SEQ_OF, ARGS(V_UUID(id), V_UUID(message_id)), seq, found);
}

static enum err log_change(struct db *db, enum change_kind kind, struct uuid id, int64_t rev)
{
    return store_change_add(db, kind, id, (struct uuid){{0}}, rev);
}

enum err store_conversation_add(struct db *db, const struct conversation *c,
                                const uint8_t *direct_key, bool *added)
{
    int64_t changed = 0;
    int64_t stamp = 0;
    enum err e = store_stamp(db, c->id, &stamp);
    if (e == ERR_OK) {
        e = db_exec(db, Q_CONVERSATION_ADD,
                    ARGS(V_UUID(c->id), V_TEXT(c->title), V_TEXT(c->metadata),
                         V_BLOB(key_bytes(direct_key)), V_UUID(c->created_by),
                         V_TIME(c->created_at), V_TIME(c->updated_at), V_INT(c->participant_count),
                         V_INT(c->rev), V_INT(stamp)),
                    &changed);
    }
    *added = changed > 0;
    return *added ? log_change(db, CHANGE_CONVERSATION, c->id, c->rev) : e;
}

enum err store_conversation_save(struct db *db, const struct conversation *conversation,
                                 int64_t own_rev)
{
    const struct conversation *c = conversation;
    int64_t stamp = 0;
    enum err e = store_stamp(db, c->id, &stamp);
    if (e == ERR_OK) {
        e = db_exec(db, Q_CONVERSATION_SAVE,
                    ARGS(V_UUID(c->id), V_TEXT(c->title), V_TEXT(c->metadata),
                         V_TIME(c->updated_at), V_TIME_OR_NULL(c->closed_at),
                         V_INT(c->participant_count), V_INT(c->rev), V_INT(stamp)),
                    NULL);
    }
    if (e != ERR_OK || own_rev == 0) {
        return e;
    }
    return log_change(db, CHANGE_CONVERSATION, c->id, own_rev);
}

enum err store_conversation_delete(struct db *db, const struct conversation *c)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, c->id, &stamp);
    if (e == ERR_OK) {
        e = db_exec(db, Q_CONVERSATION_DELETE,
                    ARGS(V_UUID(c->id), V_TIME(c->deleted_at), V_INT(c->rev), V_INT(stamp)), NULL);
    }
    return e == ERR_OK ? log_change(db, CHANGE_ENDED, c->id, c->rev) : e;
}

/* ------- the list ------- */

/* The arguments as the queries number them: reader, filters, then what is special to the query. */
enum {
    ARG_FILTERS = 1,
    ARG_WORDS = 7,
    ARG_CLOSED = ARG_WORDS + CONVERSATION_WORDS_MAX,
    ARG_WINDOW,
    ARG_COUNT_MAX = ARG_WINDOW + 4
};

static void filter_args(const struct conversation_filter *f, struct db_val args[ARG_COUNT_MAX])
{
    args[0] = V_UUID(f->reader_id);
    args[ARG_FILTERS] = f->participants[0];
    args[ARG_FILTERS + 1] = f->participants[1];
    args[ARG_FILTERS + 2] = f->username;
    args[ARG_FILTERS + 3] = f->unread;
    args[ARG_FILTERS + 4] = f->created_from;
    args[ARG_FILTERS + 5] = f->created_to;
    for (size_t i = 0; i < CONVERSATION_WORDS_MAX; i++) {
        args[ARG_WORDS + i] = f->words[i];
    }
    args[ARG_CLOSED] = f->closed;
}

bool store_conversation_is_filtered(const struct conversation_filter *filter)
{
    struct db_val args[ARG_COUNT_MAX];
    filter_args(filter, args);
    for (size_t i = ARG_FILTERS; i < ARG_WINDOW; i++) {
        if (args[i].type != DB_NULL) {
            return true;
        }
    }
    return false;
}

enum err store_conversation_count(struct db *db, const struct conversation_filter *filter,
                                  int64_t count_max, int64_t *out)
{
    if (!store_conversation_is_filtered(filter)) {
        return filter->all ? store_tally_get(db, TALLY_CONVERSATIONS, out)
                           : store_participant_count_of(db, filter->reader_id, out);
    }
    struct db_val args[ARG_COUNT_MAX];
    filter_args(filter, args);
    args[ARG_WINDOW] = V_INT(count_max);
    return db_get_int(db, filter->all ? Q_CONVERSATION_COUNT_ALL : Q_CONVERSATION_COUNT_MINE, args,
                      ARG_WINDOW + 1, out, NULL);
}

static const int list_queries[2][2][2] = {
    /* all, order, descending */
    {{Q_CONVERSATION_MINE_UPDATED_UP, Q_CONVERSATION_MINE_UPDATED_DOWN},
     {Q_CONVERSATION_MINE_CREATED_UP, Q_CONVERSATION_MINE_CREATED_DOWN}},
    {{Q_CONVERSATION_ALL_UPDATED_UP, Q_CONVERSATION_ALL_UPDATED_DOWN},
     {Q_CONVERSATION_ALL_CREATED_UP, Q_CONVERSATION_ALL_CREATED_DOWN}},
};

struct list_key store_conversation_key(const struct conversation_view *view,
                                       enum conversation_order order)
{
    const struct conversation *c = &view->conversation;
    return (struct list_key){.n = order == CONVERSATION_BY_UPDATED ? c->updated_at : c->created_at,
                             .id = c->id};
}

enum err store_conversation_list(struct db *db, struct arena *a,
                                 const struct conversation_filter *filter,
                                 enum conversation_order order, const struct window *window,
                                 struct conversation_view **rows, size_t *count)
{
    struct db_val args[ARG_COUNT_MAX];
    filter_args(filter, args);
    args[ARG_WINDOW] = V_TIME(window->after.n);
    args[ARG_WINDOW + 1] = V_UUID(window->after.id);
    args[ARG_WINDOW + 2] = V_INT(window->limit);
    args[ARG_WINDOW + 3] = V_INT(window->offset);

    struct db_rows r;
    struct conversation_view *list =
        ARENA_ARRAY(a, struct conversation_view, (size_t)window->limit);
    size_t n = 0;
    enum err e =
        db_query(db, list_queries[filter->all][order][window->descending], args, ARG_COUNT_MAX, &r);
    while (e == ERR_OK && db_next(&r)) {
        read_view(&r, a, &list[n++]);
    }
    *rows = list;
    *count = n;
    return db_end(&r, e);
}
