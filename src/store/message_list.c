#include "store/message_list.h"

#include "store/message_row.h"
#include "store/queries.h"
#include "store/system.h"

/* The ways to go through the rows (queries_message.def). */
enum form { FORM_INSIDE, FORM_EVERY, FORM_SENDER, FORM_MINE, FORM_ALL, FORM_ALL_SENDER };

static const struct {
    int ascending;
    int descending;
    int count;
} forms[] = {
    [FORM_INSIDE] = {Q_MESSAGE_INSIDE_ASC, Q_MESSAGE_INSIDE_DESC, Q_MESSAGE_INSIDE_COUNT},
    [FORM_EVERY] = {Q_MESSAGE_EVERY_ASC, Q_MESSAGE_EVERY_DESC, Q_MESSAGE_EVERY_COUNT},
    [FORM_SENDER] = {Q_MESSAGE_SENDER_ASC, Q_MESSAGE_SENDER_DESC, Q_MESSAGE_SENDER_COUNT},
    [FORM_MINE] = {Q_MESSAGE_MINE_ASC, Q_MESSAGE_MINE_DESC, Q_MESSAGE_MINE_COUNT},
    [FORM_ALL] = {Q_MESSAGE_ALL_ASC, Q_MESSAGE_ALL_DESC, Q_MESSAGE_ALL_COUNT},
    [FORM_ALL_SENDER] = {Q_MESSAGE_ALL_SENDER_ASC, Q_MESSAGE_ALL_SENDER_DESC,
                         Q_MESSAGE_ALL_SENDER_COUNT},
};

enum {
    SMALL = 2000,       /* reading and sorting so many rows costs less than thinking about it */
    GUESSED_SHARE = 50, /* where nobody has counted, one visible row of so many is a match */
    EVERY_COST = 4,     /* a row by way of FORM_EVERY costs so many by way of FORM_MINE */
};

/* --- the plan ----------------------------------------------------------------------------- */

static bool has_text(const struct message_filter *f)
{
    return f->needles[0].type != DB_NULL;
}

static bool is_plain(const struct message_filter *f)
{
    return !f->unread && f->sender.type == DB_NULL && f->sender_name.type == DB_NULL &&
           f->participant.type == DB_NULL && f->is_read.type == DB_NULL &&
           f->sent_from.type == DB_NULL && f->sent_to.type == DB_NULL && !has_text(f);
}

static void plan_inside(struct message_plan *plan)
{
    const struct message_filter *f = plan->filter;
    plan->form = FORM_INSIDE;
    plan->visible = f->deleted ? f->conversation->last_seq : f->conversation->message_count;
    if (has_text(f) && f->conversation->last_seq > MESSAGE_SCAN_MAX) {
        plan->seq_floor = f->conversation->last_seq - MESSAGE_SCAN_MAX;
        plan->truncated = true;
    }
}

static enum err count_visible(struct db *db, const struct message_filter *f, int64_t *out)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_MESSAGE_VISIBLE, ARGS(V_UUID(f->reader_id)), &rows);
    if (e == ERR_OK && db_next(&rows)) {
        *out = db_int(&rows, f->deleted ? 1 : 0);
    }
    return db_end(&rows, e);
}

/* Text is looked for in the newest rows only. */
static enum err find_time_floor(struct db *db, struct message_plan *plan)
{
    bool by_sender = plan->form == FORM_SENDER;
    struct uuid whose = by_sender ? plan->filter->sender.id : plan->filter->reader_id;
    int64_t floor = 0;
    enum err e =
        db_get_int(db, by_sender ? Q_MESSAGE_SENDER_FLOOR : Q_MESSAGE_EVERY_FLOOR,
                   ARGS(V_UUID(whose), V_INT(MESSAGE_SCAN_MAX - 1)), &floor, &plan->truncated);
    if (plan->truncated) {
        plan->time_floor = floor;
        plan->form = by_sender ? FORM_SENDER : FORM_EVERY;
    }
    return e;
}

/* Nobody counts tombstones: where they are listed too the list has no kept count. */
static enum err plan_all(struct db *db, struct message_plan *plan)
{
    const struct message_filter *f = plan->filter;
    bool by_sender = f->sender.type != DB_NULL;
    int64_t floor = 0;
    enum err e = store_tally_get(db, TALLY_MESSAGES, &plan->visible);
    plan->form = by_sender ? FORM_ALL_SENDER : FORM_ALL;
    plan->is_plain = plan->is_plain && !f->deleted;
    if (e != ERR_OK || !has_text(f)) {
        return e;
    }
    e = by_sender
            ? db_get_int(db, Q_MESSAGE_SENDER_FLOOR, ARGS(f->sender, V_INT(MESSAGE_SCAN_MAX - 1)),
                         &floor, &plan->truncated)
            : db_get_int(db, Q_MESSAGE_ALL_FLOOR, ARGS(V_INT(MESSAGE_SCAN_MAX - 1)), &floor,
                         &plan->truncated);
    plan->time_floor = plan->truncated ? floor : plan->time_floor;
    return e;
}

enum err store_message_plan(struct db *db, const struct message_filter *filter,
                            struct message_plan *out)
{
    *out = (struct message_plan){.filter = filter, .form = FORM_MINE, .matches = -1};
    out->is_plain = is_plain(filter);
    out->time_floor = INT64_MIN;
    if (filter->nothing) {
        return ERR_OK;
    }
    if (filter->conversation != NULL) {
        plan_inside(out);
        return ERR_OK;
    }
    if (filter->all) {
        return plan_all(db, out);
    }
    enum err e = count_visible(db, filter, &out->visible);
    if (e != ERR_OK) {
        return e;
    }
    if (filter->sender.type != DB_NULL && !filter->unread && out->visible > SMALL) {
        out->form = FORM_SENDER;
    }
    return has_text(filter) && out->visible > MESSAGE_SCAN_MAX ? find_time_floor(db, out) : ERR_OK;
}

/* The list by time of all that the reader sees can be had in two ways: reading all messages there
 * are by time until the page is full, or reading and sorting all of the reader's. */
static enum err choose_form(struct db *db, const struct message_plan *plan,
                            const struct window *window, int *form)
{
    int64_t total = 0;
    *form = plan->form;
    if (plan->form != FORM_MINE || plan->filter->unread || plan->visible <= SMALL) {
        return ERR_OK;
    }
    int64_t matches = plan->matches;
    if (matches < 0) {
        matches = plan->is_plain ? plan->visible : plan->visible / GUESSED_SHARE;
    }
    enum err e = store_tally_get(db, TALLY_MESSAGES, &total);
    int64_t wanted = window->offset + window->limit;
    if (matches > 0 && EVERY_COST * wanted * total / matches < plan->visible) {
        *form = FORM_EVERY;
    }
    return e;
}

/* --- the parameters ----------------------------------------------------------------------- */

enum {
    PARAMETERS_BEFORE_NEEDLES = 15,
    PARAMETERS = PARAMETERS_BEFORE_NEEDLES + MESSAGE_NEEDLES_MAX
};

/* Where a list by time may look. The place where the page begins counts too: SQLite searches the
 * index for these bounds, not for the sort key. */
static void set_time_bounds(const struct message_plan *plan, const struct window *window,
                            int64_t *from, int64_t *to)
{
    const struct message_filter *f = plan->filter;
    *from = f->sent_from.type != DB_NULL ? f->sent_from.i : INT64_MIN;
    *to = f->sent_to.type != DB_NULL ? f->sent_to.i : INT64_MAX;
    if (*from < plan->time_floor) {
        *from = plan->time_floor;
    }
    if (plan->form == FORM_INSIDE) {
        return;
    }
    if (window->descending && *to > window->after.n) {
        *to = window->after.n;
    } else if (!window->descending && *from < window->after.n) {
        *from = window->after.n;
    }
}

static void set_parameters(const struct message_plan *plan, const struct window *window,
                           struct db_val out[PARAMETERS])
{
    const struct message_filter *f = plan->filter;
    bool by_seq = plan->form == FORM_INSIDE;
    int64_t from;
    int64_t to;
    set_time_bounds(plan, window, &from, &to);
    const struct db_val head[PARAMETERS_BEFORE_NEEDLES] = {
        V_UUID(f->reader_id),
        by_seq ? V_INT(window->after.n) : V_TIME(window->after.n),
        V_UUID(window->after.id),
        V_INT(window->limit),
        V_INT(window->offset),
        V_BOOL(f->deleted),
        f->sender,
        f->sender_name,
        V_TIME(from),
        V_TIME(to),
        f->participant,
        f->is_read,
        f->conversation != NULL ? V_UUID(f->conversation->id) : V_NULL,
        V_INT(plan->seq_floor),
        V_BOOL(f->unread),
    };
    memcpy(out, head, sizeof(head));
    memcpy(out + PARAMETERS_BEFORE_NEEDLES, f->needles, sizeof(f->needles));
}

/* --- count and list ----------------------------------------------------------------------- */

struct list_key store_message_key(const struct message *message, bool by_seq)
{
    return by_seq ? (struct list_key){.n = message->seq}
                  : (struct list_key){.n = message->sent_at, .id = message->id};
}

enum err store_message_count(struct db *db, struct message_plan *plan, int64_t count_max,
                             int64_t *out)
{
    enum err e = ERR_OK;
    if (plan->filter->nothing) {
        *out = 0;
    } else if (plan->is_plain) {
        *out = plan->visible;
    } else {
        struct window all = {.after = window_start(false), .limit = count_max};
        struct db_val parameters[PARAMETERS];
        set_parameters(plan, &all, parameters);
        e = db_get_int(db, forms[plan->form].count, parameters, PARAMETERS, out, NULL);
    }
    plan->matches = *out;
    return e;
}

/* Without tombstones in between, rows can be counted by seq instead of being passed over. */
static struct window without_offset(const struct message_plan *plan, struct window w)
{
    const struct conversation *c = plan->filter->conversation;
    if (plan->visible != c->last_seq || w.offset == 0) {
        return w;
    }
    if (w.descending) {
        w.after.n = (w.after.n <= c->last_seq ? w.after.n : c->last_seq + 1) - w.offset;
    } else {
        w.after.n = (w.after.n > 0 ? w.after.n : 0) + w.offset;
    }
    w.offset = 0;
    return w;
}

void store_message_foresee_list(struct db *db, struct uuid conversation_id, bool deleted,
                                const struct window *w)
{
    db_foresee(db, w->descending ? Q_MESSAGE_PAGE_DESC : Q_MESSAGE_PAGE_ASC,
               ARGS(V_UUID(conversation_id), V_INT(w->after.n), V_BOOL(deleted), V_INT(w->limit),
                    V_INT(w->offset)));
    store_foresee_inside(db, conversation_id);
}

static enum err list_conversation(struct db *db, struct arena *a, const struct message_plan *plan,
                                  const struct window *window, struct message **rows, size_t *count)
{
    struct window w = without_offset(plan, *window);
    return store_read_messages(db, a, w.descending ? Q_MESSAGE_PAGE_DESC : Q_MESSAGE_PAGE_ASC,
                               ARGS(V_UUID(plan->filter->conversation->id), V_INT(w.after.n),
                                    V_BOOL(plan->filter->deleted), V_INT(w.limit), V_INT(w.offset)),
                               w.limit, rows, count);
}

static enum err list_filtered(struct db *db, struct arena *a, const struct message_plan *plan,
                              const struct window *window, struct message **rows, size_t *count)
{
    struct db_val parameters[PARAMETERS];
    int form;
    enum err e = choose_form(db, plan, window, &form);
    if (e != ERR_OK) {
        return e;
    }
    set_parameters(plan, window, parameters);
    return store_read_messages(db, a,
                               window->descending ? forms[form].descending : forms[form].ascending,
                               parameters, PARAMETERS, window->limit, rows, count);
}

enum err store_message_list(struct db *db, struct arena *a, const struct message_plan *plan,
                            const struct window *window, struct message **rows, size_t *count)
{
    const struct message_filter *f = plan->filter;
    *count = 0;
    if (f->nothing || plan->matches == 0) {
        return ERR_OK;
    }
    bool whole = plan->is_plain && f->conversation != NULL;
    enum err e = whole ? list_conversation(db, a, plan, window, rows, count)
                       : list_filtered(db, a, plan, window, rows, count);
    if (e != ERR_OK) {
        return e;
    }
    return f->conversation != NULL
               ? store_complete_inside(db, a, f->conversation, f->reader_id, *rows, *count)
               : store_complete_messages(db, a, f->reader_id, *rows, *count);
}

enum err store_message_newest(struct db *db, struct arena *a, struct uuid conversation_id,
                              struct uuid reader_id, int64_t limit, struct message **rows,
                              size_t *count)
{
    enum err e = store_read_messages(
        db, a, Q_MESSAGE_PAGE_DESC,
        ARGS(V_UUID(conversation_id), V_INT(INT64_MAX), V_BOOL(false), V_INT(limit), V_INT(0)),
        limit, rows, count);
    for (size_t i = 0; i < *count / 2; i++) {
        struct message swapped = (*rows)[i];
        (*rows)[i] = (*rows)[*count - 1 - i];
        (*rows)[*count - 1 - i] = swapped;
    }
    return e == ERR_OK ? store_complete_messages(db, a, reader_id, *rows, *count) : e;
}

/* --- answers ------------------------------------------------------------------------------ */

enum err store_reply_count(struct db *db, const struct message *message, int64_t count_max,
                           int64_t *out)
{
    return db_get_int(db, Q_MESSAGE_REPLY_COUNT,
                      ARGS(V_UUID(message->id), V_INT(count_max), V_UUID(message->conversation_id)),
                      out, NULL);
}

enum err store_reply_list(struct db *db, struct arena *a, const struct message *message,
                          struct uuid reader_id, const struct window *window, struct message **rows,
                          size_t *count)
{
    enum err e = store_read_messages(
        db, a, window->descending ? Q_MESSAGE_REPLY_DESC : Q_MESSAGE_REPLY_ASC,
        ARGS(V_UUID(message->id), V_INT(window->after.n), V_UUID(message->conversation_id),
             V_INT(window->limit), V_INT(window->offset)),
        window->limit, rows, count);
    return e == ERR_OK ? store_complete_messages(db, a, reader_id, *rows, *count) : e;
}
