#include "store/notification.h"

#include "store/message_row.h"
#include "store/queries.h"

enum { UNREAD_FIRST_MAX = 64 };

/* --- where something is unread ------------------------------------------------------------- */

static void read_unread(struct db_rows *rows, struct arena *a, struct unread *out)
{
    *out = (struct unread){
        .conversation_id = db_uuid(rows, 0),
        .title = arena_copy(a, db_text(rows, 1)),
        .updated_at = db_int(rows, 2),
        .read_seq = db_int(rows, 3),
        .last_seq = db_int(rows, 4),
        .tombstones = db_int(rows, 5),
    };
}

enum err store_unread_list(struct db *db, struct arena *a, struct uuid reader_id, int64_t now_us,
                           struct unread **rows, size_t *count)
{
    struct db_rows found;
    size_t room = UNREAD_FIRST_MAX;
    *rows = ARENA_ARRAY(a, struct unread, room);
    *count = 0;
    enum err e = db_query(db, Q_UNREAD_LIST, ARGS(V_UUID(reader_id), V_TIME(now_us)), &found);
    while (e == ERR_OK && db_next(&found)) {
        if (*count == room) {
            struct unread *larger = ARENA_ARRAY(a, struct unread, 2 * room);
            memcpy(larger, *rows, room * sizeof(*larger));
            *rows = larger;
            room *= 2;
        }
        read_unread(&found, a, &(*rows)[(*count)++]);
    }
    return db_end(&found, e);
}

/* --- by time over all of them --------------------------------------------------------------
 *
 * A merge of the conversations, each of which is in order of time already. Those that have still to
 * be gone through stand in a heap, by the message that each comes to next. That message is looked
 * up only when the conversation comes to the top; until then a key stands for it that is certainly
 * no later in the list: for the first page, most conversations are never looked into. */

struct run {
    const struct unread *in;
    struct list_key key; /* of the message it stands at, or one that comes no later */
    int64_t seq;         /* how far it has come */
    bool is_begun;
    bool is_at_message;
};

struct merge {
    struct db *db;
    const struct window *window;
    struct run *heap;
    size_t count;
};

static int compare_keys(struct list_key a, struct list_key b)
{
    if (a.n != b.n) {
        return a.n < b.n ? -1 : 1;
    }
    return uuid_compare(a.id, b.id);
}

static bool comes_first(const struct merge *m, const struct run *a, const struct run *b)
{
    int order = compare_keys(a->key, b->key);
    return m->window->descending ? order > 0 : order < 0;
}

/* Only the top has changed. */
static void sift_down(struct merge *m)
{
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < m->count;) {
        if (child + 1 < m->count && comes_first(m, &m->heap[child + 1], &m->heap[child])) {
            child++;
        }
        if (!comes_first(m, &m->heap[child], &m->heap[at])) {
            return;
        }
        struct run swapped = m->heap[at];
        m->heap[at] = m->heap[child];
        m->heap[child] = swapped;
        at = child;
    }
}

/* Sorted by time of the newest activity, or with one key for all: that is a heap already. */
static void merge_init(struct merge *m, struct db *db, struct arena *a, const struct unread *in,
                       size_t count, const struct window *window)
{
    *m = (struct merge){.db = db, .window = window, .count = count};
    m->heap = ARENA_ARRAY(a, struct run, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct list_key key = window->after;
        if (window->descending && in[i].updated_at < key.n) {
            key = window_start(true);
            key.n = in[i].updated_at;
        }
        m->heap[i] = (struct run){.in = &in[i], .key = key};
    }
}

/* Does the message stand before the window, in the order of seq? */
static enum err is_below(struct merge *m, const struct run *run, int64_t seq, bool *below)
{
    struct db_rows rows;
    int order = 0;
    enum err e =
        db_query(m->db, Q_UNREAD_KEY, ARGS(V_UUID(run->in->conversation_id), V_INT(seq)), &rows);
    if (e == ERR_OK && db_next(&rows)) {
        order = compare_keys((struct list_key){.n = db_int(&rows, 0), .id = db_uuid(&rows, 1)},
                             m->window->after);
    }
    *below = order < 0 || (order == 0 && !m->window->descending);
    return db_end(&rows, e);
}

/* Where the window cuts the conversation: its messages up to *seq stand below. */
static enum err find_cut(struct merge *m, const struct run *run, int64_t *seq)
{
    int64_t low = run->in->read_seq;
    int64_t high = run->in->last_seq + 1;
    enum err e = ERR_OK;
    while (e == ERR_OK && high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        bool below = false;
        e = is_below(m, run, middle, &below);
        *(below ? &low : &high) = middle;
    }
    *seq = low;
    return e;
}

static enum err begin_run(struct merge *m, struct run *run)
{
    bool descending = m->window->descending;
    int64_t after_us = m->window->after.n;
    bool is_whole = descending ? run->in->updated_at < after_us : after_us == INT64_MIN;
    int64_t cut = descending ? run->in->last_seq : run->in->read_seq;
    enum err e = is_whole ? ERR_OK : find_cut(m, run, &cut);
    run->is_begun = true;
    run->seq = descending ? cut + 1 : cut;
    return e;
}

/* Goes on to the next message; *found is false behind the last one. */
static enum err step(struct merge *m, struct run *run, bool *found)
{
    bool descending = m->window->descending;
    struct db_rows rows;
    enum err e = run->is_begun ? ERR_OK : begin_run(m, run);
    if (e != ERR_OK) {
        return e;
    }
    e = db_query(m->db, descending ? Q_UNREAD_LAST : Q_UNREAD_FIRST,
                 ARGS(V_UUID(run->in->conversation_id),
                      V_INT(descending ? run->in->read_seq : run->seq),
                      V_INT(descending ? run->seq : run->in->last_seq + 1)),
                 &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        run->seq = db_int(&rows, 0);
        run->key = (struct list_key){.n = db_int(&rows, 1), .id = db_uuid(&rows, 2)};
        run->is_at_message = true;
    }
    return db_end(&rows, e);
}

/* The next of all. */
static enum err take_next(struct merge *m, struct run *out, bool *found)
{
    enum err e = ERR_OK;
    *found = false;
    while (m->count > 0 && e == ERR_OK) {
        struct run *top = &m->heap[0];
        if (top->is_at_message) {
            *out = *top;
            *found = true;
            top->is_at_message = false; /* its key holds for what comes next, too */
            return ERR_OK;
        }
        bool more = false;
        e = step(m, top, &more);
        if (!more) {
            *top = m->heap[--m->count];
        }
        sift_down(m);
    }
    return e;
}

static enum err pass_over(struct merge *m, int64_t count)
{
    struct run passed;
    bool found = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && found && count-- > 0) {
        e = take_next(m, &passed, &found);
    }
    return e;
}

static enum err read_message(struct db *db, struct arena *a, struct uuid id, struct message *out)
{
    struct message *row = NULL;
    size_t n = 0;
    enum err e = store_read_messages(db, a, Q_MESSAGE_GET, ARGS(V_UUID(id)), 1, &row, &n);
    if (n > 0) {
        *out = *row;
    }
    return e;
}

enum err store_notification_list(struct db *db, struct arena *a, const struct unread *in,
                                 size_t in_count, const struct window *window,
                                 struct notification **out, size_t *count)
{
    struct notification *rows = ARENA_ARRAY(a, struct notification, (size_t)window->limit + 1);
    struct message *messages = ARENA_ARRAY(a, struct message, (size_t)window->limit + 1);
    struct merge m;
    bool found = true;
    *out = rows;
    *count = 0;
    merge_init(&m, db, a, in, in_count, window);
    enum err e = pass_over(&m, window->offset);
    while (e == ERR_OK && found && *count < (size_t)window->limit) {
        struct run run;
        e = take_next(&m, &run, &found);
        if (e == ERR_OK && found) {
            rows[*count] = (struct notification){run.in, &messages[*count]};
            e = read_message(db, a, run.key.id, &messages[(*count)++]);
        }
    }
    return e == ERR_OK ? store_complete_senders(db, a, messages, *count) : e;
}
