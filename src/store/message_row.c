#include "store/message_row.h"

#include "store/columns.h"
#include "store/queries.h"

void store_read_message(struct db_rows *rows, struct arena *a, struct message *out)
{
    *out = (struct message){
        .conversation_id = db_uuid(rows, 0),
        .seq = db_int(rows, 1),
        .id = db_uuid(rows, 2),
        .sender_id = db_uuid(rows, 3),
        .body = arena_copy(a, db_text(rows, 4)),
        .metadata = arena_copy(a, db_text(rows, 5)),
        .reply_to = db_uuid(rows, 6),
        .client_id = db_uuid(rows, 7),
        .sent_at = db_int(rows, 8),
        .edited_at = db_int(rows, 9),
        .deleted_at = db_int(rows, 10),
        .pinned_at = db_int(rows, 11),
        .rev = db_int(rows, 12),
    };
}

enum err store_read_messages(struct db *db, struct arena *a, int query, const struct db_val *args,
                             size_t arg_count, int64_t limit, struct message **rows, size_t *count)
{
    struct db_rows found;
    size_t n = 0;
    *rows = ARENA_ARRAY(a, struct message, (size_t)limit + 1);
    enum err e = db_query(db, query, args, arg_count, &found);
    while (e == ERR_OK && n < (size_t)limit && db_next(&found)) {
        store_read_message(&found, a, &(*rows)[n++]);
    }
    *count = n;
    return db_end(&found, e);
}

static void foresee_read_marks(struct db *db, struct uuid conversation_id, struct uuid reader_id)
{
    db_foresee(db, Q_MESSAGE_READ_MARKS, ARGS(V_UUID(conversation_id), V_UUID(reader_id)));
}

static void foresee_author(struct db *db, struct uuid id)
{
    db_foresee(db, Q_MESSAGE_AUTHOR, ARGS(V_UUID(id)));
}

/* All of them at once, and how far each conversation is read. */
static void foresee_companions(struct db *db, struct uuid reader_id, const struct message *rows,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        foresee_author(db, rows[i].sender_id);
        foresee_read_marks(db, rows[i].conversation_id, reader_id);
    }
}

static enum err read_author(struct db *db, struct arena *a, struct uuid id, struct user *out)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_MESSAGE_AUTHOR, ARGS(V_UUID(id)), &rows);
    if (e == ERR_OK && db_next(&rows)) {
        store_read_user(&rows, 0, a, out);
    }
    return db_end(&rows, e);
}

/* Pages have few senders and at most PAGE_SIZE_MAX rows: looking back is cheaper than a map. */
static enum err complete_sender(struct db *db, struct arena *a, struct message *rows, size_t i)
{
    for (size_t k = i; k-- > 0;) {
        if (uuid_eq(rows[k].sender_id, rows[i].sender_id)) {
            rows[i].sender = rows[k].sender;
            return ERR_OK;
        }
    }
    return read_author(db, a, rows[i].sender_id, &rows[i].sender);
}

enum err store_complete_senders(struct db *db, struct arena *a, struct message *rows, size_t count)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = complete_sender(db, a, rows, i);
    }
    return e;
}

/* Read positions in a conversation. */
struct read_marks {
    int64_t mine;
    int64_t others; /* the least of them */
};

static enum err read_marks(struct db *db, struct uuid conversation_id, struct uuid reader_id,
                           struct read_marks *out)
{
    struct db_rows rows;
    enum err e =
        db_query(db, Q_MESSAGE_READ_MARKS, ARGS(V_UUID(conversation_id), V_UUID(reader_id)), &rows);
    if (e == ERR_OK && db_next(&rows)) {
        out->mine = db_int(&rows, 0); /* no member: 0 */
        out->others = db_is_null(&rows, 1) ? INT64_MAX : db_int(&rows, 1);
    }
    return db_end(&rows, e);
}

static void set_is_read(struct message *message, struct uuid reader_id,
                        const struct read_marks *marks)
{
    bool is_mine = uuid_eq(message->sender_id, reader_id);
    message->is_read = message->seq <= (is_mine ? marks->others : marks->mine);
}

static enum err complete_read(struct db *db, struct uuid reader_id, struct message *rows,
                              struct read_marks *marks, size_t i)
{
    size_t k = i;
    while (k > 0 && !uuid_eq(rows[k - 1].conversation_id, rows[i].conversation_id)) {
        k--;
    }
    enum err e = ERR_OK;
    if (k > 0) {
        marks[i] = marks[k - 1];
    } else {
        e = read_marks(db, rows[i].conversation_id, reader_id, &marks[i]);
    }
    set_is_read(&rows[i], reader_id, &marks[i]);
    return e;
}

enum err store_complete_messages(struct db *db, struct arena *a, struct uuid reader_id,
                                 struct message *rows, size_t count)
{
    struct read_marks *marks = ARENA_ARRAY(a, struct read_marks, count + 1);
    foresee_companions(db, reader_id, rows, count);
    enum err e = store_complete_senders(db, a, rows, count);
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = complete_read(db, reader_id, rows, marks, i);
    }
    return e;
}

/* --- messages of one conversation --------------------------------------------------------- */

enum { MEMBERS_MAX = 16 };

/* The members of a conversation. */
struct members {
    struct user users[MEMBERS_MAX];
    size_t count; /* more than MEMBERS_MAX: they are not all here */
    struct read_marks marks;
};

void store_foresee_inside(struct db *db, struct uuid conversation_id)
{
    db_foresee(db, Q_MESSAGE_MEMBERS, ARGS(V_UUID(conversation_id), V_INT(MEMBERS_MAX + 1)));
}

static void read_member(struct db_rows *rows, struct arena *a, struct uuid reader_id,
                        struct members *out)
{
    struct user *user = &out->users[out->count];
    int64_t read_seq = db_int(rows, 0);
    store_read_user(rows, 1, a, user);
    if (uuid_eq(user->id, reader_id)) {
        out->marks.mine = read_seq;
    } else if (read_seq < out->marks.others) {
        out->marks.others = read_seq;
    }
}

static enum err read_members(struct db *db, struct arena *a, struct uuid conversation_id,
                             struct uuid reader_id, struct members *out)
{
    struct db_rows rows;
    out->count = 0;
    out->marks = (struct read_marks){.mine = 0, .others = INT64_MAX};
    enum err e = db_query(db, Q_MESSAGE_MEMBERS,
                          ARGS(V_UUID(conversation_id), V_INT(MEMBERS_MAX + 1)), &rows);
    while (e == ERR_OK && out->count <= MEMBERS_MAX && db_next(&rows)) {
        if (out->count < MEMBERS_MAX) {
            read_member(&rows, a, reader_id, out);
        }
        out->count++;
    }
    return db_end(&rows, e);
}

static const struct user *find_member(const struct members *members, struct uuid id)
{
    for (size_t i = 0; i < members->count; i++) {
        if (uuid_eq(members->users[i].id, id)) {
            return &members->users[i];
        }
    }
    return NULL;
}

/* Who has left is not among the members. */
static enum err set_senders(struct db *db, struct arena *a, const struct members *members,
                            struct message *rows, size_t count)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < count; i++) {
        if (find_member(members, rows[i].sender_id) == NULL) {
            foresee_author(db, rows[i].sender_id);
        }
    }
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        const struct user *sender = find_member(members, rows[i].sender_id);
        if (sender != NULL) {
            rows[i].sender = *sender;
        } else {
            e = complete_sender(db, a, rows, i);
        }
    }
    return e;
}

enum err store_complete_inside(struct db *db, struct arena *a, const struct conversation *c,
                               struct uuid reader_id, struct message *rows, size_t count)
{
    struct members *members = ARENA_NEW(a, struct members);
    if (count == 0) {
        return ERR_OK;
    }
    members->count = (size_t)c->participant_count;
    if (members->count <= MEMBERS_MAX) {
        enum err e = read_members(db, a, c->id, reader_id, members);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (members->count > MEMBERS_MAX) {
        return store_complete_messages(db, a, reader_id, rows, count);
    }
    for (size_t i = 0; i < count; i++) {
        set_is_read(&rows[i], reader_id, &members->marks);
    }
    return set_senders(db, a, members, rows, count);
}
