#include "store/message.h"

#include "base/clock.h"
#include "store/change.h"
#include "store/columns.h"
#include "store/message_row.h"
#include "store/participant.h"
#include "store/queries.h"
#include "store/system.h"

/* For so long a clock that was set back does not take the times of messages with it. */
enum { CLOCK_SLACK_US = 60 * US_PER_SECOND };

/* --- finding ------------------------------------------------------------------------------ */

enum err store_message_get(struct db *db, struct arena *a, struct uuid id, struct uuid reader_id,
                           struct message *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_MESSAGE_GET, ARGS(V_UUID(id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_message(&rows, a, out);
    }
    e = db_end(&rows, e);
    return e == ERR_OK && *found ? store_complete_messages(db, a, reader_id, out, 1) : e;
}

enum err store_message_conversation(struct db *db, struct uuid id, struct uuid *conversation_id,
                                    bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_MESSAGE_CONVERSATION, ARGS(V_UUID(id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        *conversation_id = db_uuid(&rows, 0);
    }
    return db_end(&rows, e);
}

enum err store_message_is_in(struct db *db, struct uuid id, struct uuid conversation_id,
                             bool *found)
{
    int64_t one;
    return db_get_int(db, Q_MESSAGE_IS_IN, ARGS(V_UUID(id), V_UUID(conversation_id)), &one, found);
}

/* --- sending ------------------------------------------------------------------------------ */

/* What the transaction under way has added: what it foresaw is from before. */
struct sent {
    struct uuid conversation_id;
    int64_t seq;
    int64_t rev;
    int64_t sent_at;
    struct uuid id;
    struct uuid sender_id;
    struct uuid client_id; /* zero: none */
    uint8_t fingerprint[SHA256_SIZE];
};

static const struct sent *sent_list(struct db *db, size_t *count)
{
    const struct buf *notes = db_notes(db);
    *count = notes->n / sizeof(struct sent);
    return (const struct sent *)notes->p;
}

static const struct sent *last_sent_in(struct db *db, struct uuid conversation_id)
{
    size_t n;
    const struct sent *list = sent_list(db, &n);
    while (n > 0 && !uuid_eq(list[n - 1].conversation_id, conversation_id)) {
        n--;
    }
    return n > 0 ? &list[n - 1] : NULL;
}

static const struct sent *find_sent(struct db *db, struct uuid sender_id, struct uuid client_id)
{
    size_t n;
    const struct sent *list = sent_list(db, &n);
    while (n > 0 && (!uuid_eq(list[n - 1].client_id, client_id) ||
                     !uuid_eq(list[n - 1].sender_id, sender_id))) {
        n--;
    }
    return n > 0 ? &list[n - 1] : NULL;
}

/* All that were added count at once: one row of the tally, whatever their number. */
static enum err count_sent(struct db *db)
{
    size_t n;
    (void)sent_list(db, &n);
    return store_tally_add(db, TALLY_MESSAGES, (int64_t)n);
}

static enum err note_sent(struct db *db, const struct message *m, const uint8_t *fingerprint)
{
    struct buf *notes = db_notes(db);
    struct sent sent = {
        .conversation_id = m->conversation_id,
        .seq = m->seq,
        .rev = m->rev,
        .sent_at = m->sent_at,
        .id = m->id,
        .sender_id = m->sender_id,
        .client_id = m->client_id,
    };
    if (fingerprint != NULL) {
        memcpy(sent.fingerprint, fingerprint, sizeof(sent.fingerprint));
    }
    buf_add(notes, &sent, sizeof(sent));
    db_before_commit(db, count_sent);
    return notes->failed ? ERR_INTERNAL : ERR_OK;
}

enum err store_message_sent_as(struct db *db, struct uuid sender_id, struct uuid client_id,
                               struct uuid *id, uint8_t fingerprint[SHA256_SIZE], bool *found)
{
    struct db_rows rows;
    const struct sent *sent = find_sent(db, sender_id, client_id);
    *found = sent != NULL;
    if (*found) {
        *id = sent->id;
        memcpy(fingerprint, sent->fingerprint, SHA256_SIZE);
        return ERR_OK;
    }
    enum err e = db_query(db, Q_MESSAGE_SENT_AS, ARGS(V_UUID(sender_id), V_UUID(client_id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        struct str stored = db_blob(&rows, 1);
        memset(fingerprint, 0, SHA256_SIZE);
        memcpy(fingerprint, stored.p, stored.n < SHA256_SIZE ? stored.n : SHA256_SIZE);
        *id = db_uuid(&rows, 0);
    }
    return db_end(&rows, e);
}

void store_message_foresee_add(struct db *db, struct uuid conversation_id, struct uuid sender_id,
                               struct uuid client_id)
{
    if (!uuid_is_zero(client_id)) {
        db_foresee(db, Q_MESSAGE_SENT_AS, ARGS(V_UUID(sender_id), V_UUID(client_id)));
    }
    db_foresee(db, Q_MESSAGE_PLACE, ARGS(V_UUID(conversation_id), V_UUID(sender_id)));
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Sets seq, rev, sent_at, is_read. Within a conversation each sent_at is later than the one before,
 * also when the clock goes back, so that lists by time and by seq agree. */
static enum err find_place(struct db *db, int64_t now_us, struct message *m, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_MESSAGE_PLACE,
                          ARGS(V_UUID(m->conversation_id), V_UUID(m->sender_id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        const struct sent *before = last_sent_in(db, m->conversation_id);
        int64_t before_us = greater(db_int(&rows, 2), before != NULL ? before->sent_at : 0);
        bool set_back = before_us >= now_us && before_us - now_us <= CLOCK_SLACK_US;
        m->seq = greater(db_int(&rows, 0), before != NULL ? before->seq + 1 : 0);
        m->rev = greater(db_int(&rows, 1), before != NULL ? before->rev + 1 : 0);
        m->sent_at = set_back ? before_us + 1 : now_us;
        m->is_read = db_int(&rows, 3) <= 1; /* nobody else is there */
    }
    return db_end(&rows, e);
}

static enum err insert_message(struct db *db, int64_t stamp, const uint8_t *fingerprint,
                               const struct message *m)
{
    struct str digest = str_of_bytes(fingerprint, SHA256_SIZE);
    return db_exec_noted(db, Q_MESSAGE_ADD,
                         ARGS(V_UUID(m->conversation_id), V_INT(m->seq), V_UUID(m->id),
                              V_UUID(m->sender_id), V_TEXT(m->body), V_TEXT(m->metadata),
                              V_UUID_OR_NULL(m->reply_to), V_UUID_OR_NULL(m->client_id),
                              V_BLOB(digest), V_TIME(m->sent_at), V_INT(m->rev), V_INT(stamp)));
}

static enum err log_message(struct db *db, const struct message *m)
{
    return store_change_add(db, CHANGE_MESSAGE, m->conversation_id, m->id, m->rev);
}

enum err store_message_add(struct db *db, int64_t now_us, const uint8_t *fingerprint,
                           struct message *message, bool *added)
{
    const struct message *m = message;
    int64_t stamp = 0;
    *added = false;
    enum err e = store_stamp(db, m->conversation_id, &stamp);
    if (e == ERR_OK) {
        e = find_place(db, now_us, message, added);
    }
    if (e != ERR_OK || !*added) {
        return e;
    }
    e = insert_message(db, stamp, fingerprint, m);
    if (e == ERR_OK) {
        e = db_exec_noted(db, Q_MESSAGE_ADDED,
                          ARGS(V_UUID(m->conversation_id), V_INT(m->seq), V_INT(m->rev),
                               V_TIME(m->sent_at), V_INT(stamp)));
    }
    if (e == ERR_OK) {
        e = db_exec_noted(
            db, Q_MESSAGE_SENDER_READ,
            ARGS(V_UUID(m->conversation_id), V_UUID(m->sender_id), V_INT(m->seq), V_INT(stamp)));
    }
    if (e == ERR_OK) {
        e = log_message(db, m);
    }
    return e == ERR_OK ? note_sent(db, m, fingerprint) : e;
}

/* --- changing ----------------------------------------------------------------------------- */

static enum err save(struct db *db, const struct message *m, int64_t removed)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, m->conversation_id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_MESSAGE_SAVE,
                ARGS(V_UUID(m->conversation_id), V_INT(m->seq), V_TEXT(m->body),
                     V_TEXT(m->metadata), V_TIME_OR_NULL(m->edited_at),
                     V_TIME_OR_NULL(m->deleted_at), V_TIME_OR_NULL(m->pinned_at), V_INT(m->rev),
                     V_INT(stamp)),
                NULL);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_MESSAGE_SAVED,
                ARGS(V_UUID(m->conversation_id), V_INT(m->rev), V_INT(removed), V_INT(stamp)),
                NULL);
    return e == ERR_OK ? log_message(db, m) : e;
}

enum err store_message_save(struct db *db, const struct message *message)
{
    return save(db, message, 0);
}

enum err store_message_bury(struct db *db, const struct message *message)
{
    enum err e = save(db, message, 1);
    if (e == ERR_OK) {
        e = db_exec(db, Q_HISTORY_WIPE, ARGS(V_UUID(message->id)), NULL);
    }
    return e == ERR_OK ? store_tally_add(db, TALLY_MESSAGES, -1) : e;
}

enum { READ_AT_ONCE = 100 };

struct unread {
    struct uuid conversation_id;
    int64_t last_seq;
};

static enum err list_unread(struct db *db, struct uuid reader_id, struct uuid behind,
                            struct unread list[READ_AT_ONCE], size_t *count)
{
    struct db_rows rows;
    *count = 0;
    enum err e = db_query(db, Q_MESSAGE_UNREAD_IN,
                          ARGS(V_UUID(reader_id), V_UUID(behind), V_INT(READ_AT_ONCE)), &rows);
    while (e == ERR_OK && *count < READ_AT_ONCE && db_next(&rows)) {
        list[(*count)++] = (struct unread){db_uuid(&rows, 0), db_int(&rows, 1)};
    }
    return db_end(&rows, e);
}

enum err store_message_read_all(struct db *db, struct uuid reader_id, int64_t *changed)
{
    struct unread list[READ_AT_ONCE];
    size_t count = READ_AT_ONCE;
    struct uuid behind = {{0}};
    enum err e = store_hold_all(db);
    *changed = 0;
    while (e == ERR_OK && count == READ_AT_ONCE) {
        e = list_unread(db, reader_id, behind, list, &count);
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            behind = list[i].conversation_id;
            e = store_participant_read(db, behind, reader_id, list[i].last_seq);
            ++*changed;
        }
    }
    return e;
}

/* --- history ------------------------------------------------------------------------------ */

enum err store_history_add(struct db *db, const struct message *message)
{
    int64_t written_at = message->edited_at != 0 ? message->edited_at : message->sent_at;
    return db_exec(db, Q_HISTORY_ADD,
                   ARGS(V_UUID(message->id), V_TEXT(message->body), V_TIME(written_at),
                        V_UUID(message->sender_id)),
                   NULL);
}

enum err store_history_count(struct db *db, struct uuid message_id, int64_t *out)
{
    return db_get_int(db, Q_HISTORY_COUNT, ARGS(V_UUID(message_id)), out, NULL);
}

static void read_version(struct db_rows *rows, struct arena *a, struct message_version *out)
{
    out->n = db_int(rows, 0);
    out->body = arena_copy(a, db_text(rows, 1));
    out->written_at = db_int(rows, 2);
    store_read_user(rows, 3, a, &out->editor);
}

enum err store_history_list(struct db *db, struct arena *a, struct uuid message_id,
                            const struct window *window, struct message_version **rows,
                            size_t *count)
{
    struct db_rows found;
    int query = window->descending ? Q_HISTORY_LIST_DESC : Q_HISTORY_LIST_ASC;
    size_t n = 0;
    *rows = ARENA_ARRAY(a, struct message_version, (size_t)window->limit + 1);
    enum err e = db_query(db, query,
                          ARGS(V_UUID(message_id), V_INT(window->after.n), V_INT(window->limit),
                               V_INT(window->offset)),
                          &found);
    while (e == ERR_OK && n < (size_t)window->limit && db_next(&found)) {
        read_version(&found, a, &(*rows)[n++]);
    }
    *count = n;
    return db_end(&found, e);
}
