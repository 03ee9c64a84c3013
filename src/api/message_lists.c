/* Lists of messages: all that the caller may see (messages/), a conversation's, and those that have
 * a name of their own; history and answers of a message. */
#include "api/filters.h"
#include "api/json_message.h"
#include "api/messages.h"
#include "chat/history.h"
#include "serve/page.h"

enum { LISTED_WITHOUT_PAGES = 100, LINK_BYTES_MAX = 64 * 1024 };

#define US_PER_DAY (INT64_C(86400) * 1000000)

/* ------- what may be asked ------- */

#define SENDER_FIELD(other_names)                                                                  \
    {                                                                                              \
        .name = "sender", .aliases = other_names, .type = FIELD_USER,                              \
        .help = "Who sent it: id, username or, where it may be seen, e-mail."                      \
    }
#define FILTER_FIELDS                                                                              \
    PAGE_FIELDS,                                                                                   \
        {.name = "sender_username",                                                                \
         .type = FIELD_TEXT,                                                                       \
         .scans = true,                                                                            \
         .help = "Part of the sender's username."},                                                \
        {.name = "participant",                                                                    \
         .aliases = "participant_id",                                                              \
         .type = FIELD_USER,                                                                       \
         .help = "In conversations with this user."},                                              \
        {.name = "sent_after",                                                                     \
         .aliases =                                                                                \
             "start_date,sent_at_after,sent_at__gte,created_after,timestamp_after,from_date",      \
         .type = FIELD_TIME,                                                                       \
         .help = "Sent then or later."},                                                           \
        {.name = "sent_before",                                                                    \
         .aliases =                                                                                \
             "end_date,sent_at_before,sent_at__lte,created_before,timestamp_before,to_date",       \
         .type = FIELD_TIME,                                                                       \
         .help = "Sent then or earlier."},                                                         \
        {.name = "sent_date", .type = FIELD_TIME, .help = "Sent on that day (UTC)."},              \
        {.name = "message_body",                                                                   \
         .aliases = "content,message_content,message_contains",                                    \
         .type = FIELD_TEXT,                                                                       \
         .scans = true,                                                                            \
         .help = "Part of the text, case ignored."},                                               \
        {.name = "search",                                                                         \
         .aliases = "q",                                                                           \
         .type = FIELD_TEXT,                                                                       \
         .scans = true,                                                                            \
         .help = "Words that must all be in the text."},                                           \
        {.name = "is_read", .type = FIELD_BOOL, .help = "Read by the caller; his own: by all."},   \
        {.name = "deleted", .type = FIELD_BOOL, .help = "1: tombstones too."},                     \
    {                                                                                              \
        .name = "ordering", .type = FIELD_TEXT, .help = "sent_at or -sent_at."                     \
    }

static const struct field flat_query[] = {FILTER_FIELDS, SENDER_FIELD("sender_id"),
                                          CONVERSATION_FIELD};

static const struct field by_user_query[] = {FILTER_FIELDS, SENDER_FIELD("user_id,user,sender_id"),
                                             CONVERSATION_FIELD};

static const struct field nested_query[] = {
    FILTER_FIELDS,
    SENDER_FIELD("sender_id"),
    {.name = "before_seq", .type = FIELD_INT, .help = "The last ones below this seq."},
    {.name = "after_seq", .type = FIELD_INT, .help = "The first ones above this seq."},
    {.name = "around_seq", .type = FIELD_INT, .help = "The ones before and after this seq."},
    {.name = "limit", .type = FIELD_INT, .help = "How many of those, at most 100."},
};

static const struct field by_conversation_query[] = {CONVERSATION_FIELD};

static const struct field page_query[] = {PAGE_FIELDS};

/* ------- from the query to a filter ------- */

static void not_before(struct message_filter *filter, int64_t us)
{
    if (filter->sent_from.type == DB_NULL || filter->sent_from.i < us) {
        filter->sent_from = V_TIME(us);
    }
}

static void not_after(struct message_filter *filter, int64_t us)
{
    if (filter->sent_to.type == DB_NULL || filter->sent_to.i > us) {
        filter->sent_to = V_TIME(us);
    }
}

static void read_times(struct req *r, struct message_filter *filter)
{
    const struct value *date = req_filter(r, "sent_date");
    filter->sent_from = api_time_filter(r, "sent_after");
    filter->sent_to = api_time_filter(r, "sent_before");
    if (value_is_set(date)) {
        int64_t into_day = date->n % US_PER_DAY;
        int64_t midnight = date->n - into_day - (into_day < 0 ? US_PER_DAY : 0);
        not_before(filter, midnight);
        not_after(filter, midnight + US_PER_DAY - 1);
    }
}

/* Adds what the query asks for to what is in the filter already. */
static enum err read_filter(struct req *r, struct message_filter *filter)
{
    bool is_flat = filter->conversation == NULL;
    struct message_search search = {
        .conversation_id = is_flat ? req_filter(r, "conversation")->id : (struct uuid){{0}},
        .sender = api_text_filter(r, "sender"),
        .sender_name = api_text_filter(r, "sender_username"),
        .participant = api_text_filter(r, "participant"),
        .text = api_text_filter(r, "message_body"),
        .words = api_text_filter(r, "search"),
    };
    filter->deleted = api_flag_filter(r, "deleted");
    filter->is_read = api_bool_filter(r, "is_read");
    read_times(r, filter);
    return chat_history_filter(&r->call, &search, filter);
}

bool api_messages_descend(const struct req *r, bool usual)
{
    static const struct ordering by_time[] = {{.name = "sent_at"}};
    bool descending = usual;
    (void)pager_ordering(r, by_time, COUNT_OF(by_time), &descending);
    return descending;
}

/* ------- pages ------- */

static enum err set_count(struct pager *p, int64_t count, bool is_exact)
{
    return pager_set_count(p, count, !is_exact && count > PAGER_COUNT_MAX);
}

static void write_page(struct pager *p, const struct message *rows, size_t fetched, bool by_seq)
{
    static const struct list_key none;
    struct message_writer w = {.r = p->r};
    size_t n = pager_rows(p, fetched);
    pager_open(p, n > 0 ? store_message_key(&rows[pager_index(p, n, 0)], by_seq) : none,
               n > 0 ? store_message_key(&rows[pager_index(p, n, n - 1)], by_seq) : none);
    for (size_t i = 0; i < n; i++) {
        api_write_listed_message(&w, &rows[pager_index(p, n, i)]);
    }
    pager_close(p);
}

static enum err count_list(struct req *r, struct message_plan *plan, struct pager *p)
{
    int64_t count = 0;
    if (!pager_needs_count(p)) {
        return ERR_OK;
    }
    enum err e = store_message_count(r->call.db, plan, PAGER_COUNT_MAX + 1, &count);
    return e == ERR_OK ? set_count(p, count, plan->is_plain) : e;
}

static enum err answer_list(struct req *r, const struct message_filter *filter, bool usual_order)
{
    struct pager p;
    struct message_plan plan;
    struct message *rows = NULL;
    size_t n = 0;
    bool by_seq = filter->conversation != NULL;
    enum err e = pager_init(&p, r, by_seq ? 'q' : 't', api_messages_descend(r, usual_order));
    if (e == ERR_OK) {
        e = store_message_plan(r->call.db, filter, &plan);
    }
    if (e == ERR_OK) {
        e = count_list(r, &plan, &p);
    }
    if (e == ERR_OK) {
        e = store_message_list(r->call.db, r->arena, &plan, &p.window, &rows, &n);
    }
    if (e == ERR_OK) {
        p.truncated = plan.truncated;
        write_page(&p, rows, n, by_seq);
    }
    return e;
}

/* ------- around a seq -------
 *
 * before_seq, after_seq and around_seq give so many messages beside a known one, always in
 * chronological order: {"next", "previous", "page_size", "results"}, where the links lead on with
 * after_seq and before_seq. No count, no page numbers. */

struct stretch {
    struct message *rows;
    size_t count;
    int64_t limit;
    bool more_before;
    bool more_after;
};

static bool asks_for_stretch(struct req *r)
{
    return value_is_set(req_filter(r, "before_seq")) || value_is_set(req_filter(r, "after_seq")) ||
           value_is_set(req_filter(r, "around_seq"));
}

static int64_t stretch_limit(struct req *r)
{
    const struct value *limit = req_filter(r, "limit");
    if (!value_is_set(limit) || limit->n < 1) {
        return PAGE_SIZE;
    }
    return limit->n < PAGE_SIZE_MAX ? limit->n : PAGE_SIZE_MAX;
}

/* One row more than asked for tells whether there are more. */
static enum err read_beside(struct req *r, const struct message_plan *plan, bool backward,
                            int64_t seq, int64_t limit, struct stretch *s, bool *more)
{
    struct window window = {.descending = backward, .after = {.n = seq}, .limit = limit + 1};
    enum err e = store_message_list(r->call.db, r->arena, plan, &window, &s->rows, &s->count);
    *more = s->count > (size_t)limit;
    return e;
}

static enum err read_before(struct req *r, const struct message_plan *plan, int64_t seq,
                            struct stretch *s)
{
    enum err e = read_beside(r, plan, true, seq, s->limit, s, &s->more_before);
    s->count -= s->more_before ? 1 : 0;
    for (size_t i = 0; i < s->count / 2; i++) {
        struct message swapped = s->rows[i];
        s->rows[i] = s->rows[s->count - 1 - i];
        s->rows[s->count - 1 - i] = swapped;
    }
    s->more_after = true; /* the one that was named, at least */
    return e;
}

static enum err read_after(struct req *r, const struct message_plan *plan, int64_t seq,
                           struct stretch *s)
{
    enum err e = read_beside(r, plan, false, seq, s->limit, s, &s->more_after);
    s->count -= s->more_after ? 1 : 0;
    return e;
}

/* Half of them before it, as far as there are so many. */
static enum err read_around(struct req *r, const struct message_plan *plan, int64_t seq,
                            struct stretch *s)
{
    int64_t half = s->limit / 2;
    enum err e = read_beside(r, plan, true, seq, half, s, &s->more_before);
    if (e != ERR_OK) {
        return e;
    }
    return read_after(r, plan, s->more_before ? s->rows[half].seq : 0, s);
}

static enum err read_stretch(struct req *r, const struct message_plan *plan, struct stretch *s)
{
    const struct value *before = req_filter(r, "before_seq");
    const struct value *after = req_filter(r, "after_seq");
    if (value_is_set(before)) {
        return read_before(r, plan, before->n, s);
    }
    if (value_is_set(after)) {
        s->more_before = after->n > 0;
        return read_after(r, plan, after->n, s);
    }
    return read_around(r, plan, req_filter(r, "around_seq")->n, s);
}

static void write_seq_link(struct req *r, const char *name, bool there_is, int64_t seq)
{
    struct buf link;
    if (!there_is) {
        json_put_null(&r->out);
        return;
    }
    const struct query_pair changes[] = {
        {str_of(name), arena_printf(r->arena, "%lld", (long long)seq)},
        {STR("before_seq"), STR_NULL},
        {STR("after_seq"), STR_NULL},
        {STR("around_seq"), STR_NULL},
    };
    buf_init(&link, LINK_BYTES_MAX);
    buf_str(&link, r->base_url);
    buf_str(&link, r->path_sent);
    buf_char(&link, '?');
    query_rebuild(&link, &r->query, changes, COUNT_OF(changes));
    json_str(&r->out, buf_view(&link));
    buf_fini(&link);
}

static void write_stretch(struct req *r, const struct stretch *s, bool truncated)
{
    struct message_writer w = {.r = r};
    struct json_out *o = &r->out;
    bool any = s->count > 0;
    json_open_object(o);
    json_key(o, "next");
    write_seq_link(r, "after_seq", any && s->more_after, any ? s->rows[s->count - 1].seq : 0);
    json_key(o, "previous");
    write_seq_link(r, "before_seq", any && s->more_before, any ? s->rows[0].seq : 0);
    json_field_i64(o, "page_size", s->limit);
    if (truncated) {
        json_field_bool(o, "truncated", true);
    }
    json_field_open_array(o, "results");
    for (size_t i = 0; i < s->count; i++) {
        api_write_listed_message(&w, &s->rows[i]);
    }
    json_close_array(o);
    json_close_object(o);
}

static enum err answer_stretch(struct req *r, const struct message_filter *filter)
{
    struct message_plan plan;
    struct stretch s = {.limit = stretch_limit(r)};
    enum err e = store_message_plan(r->call.db, filter, &plan);
    if (e == ERR_OK) {
        e = read_stretch(r, &plan, &s);
    }
    if (e == ERR_OK) {
        write_stretch(r, &s, plan.truncated);
    }
    return e;
}

/* ------- the lists ------- */

static enum err list_flat(struct req *r)
{
    struct message_filter filter = {0};
    enum err e = read_filter(r, &filter);
    return e == ERR_OK ? answer_list(r, &filter, true) : e;
}

static enum err list_unread(struct req *r)
{
    struct message_filter filter = {.unread = true};
    enum err e = read_filter(r, &filter);
    return e == ERR_OK ? answer_list(r, &filter, true) : e;
}

static enum err list_my_messages(struct req *r)
{
    struct message_filter filter = {0};
    enum err e = read_filter(r, &filter);
    filter.sender = V_UUID(r->user.id);
    return e == ERR_OK ? answer_list(r, &filter, true) : e;
}

static enum err list_by_user(struct req *r)
{
    if (!value_is_set(req_filter(r, "sender"))) {
        return req_problem(r, "user_id", STR("This field is required."));
    }
    return list_flat(r);
}

static enum err list_by_conversation(struct req *r)
{
    const struct value *id = req_filter(r, "conversation");
    struct message_search search = {.conversation_id = id->id};
    struct message_filter filter = {0};
    struct message_writer w = {.r = r};
    struct message *rows = NULL;
    size_t n = 0;
    if (!value_is_set(id)) {
        return req_problem(r, "conversation_id", STR("This field is required."));
    }
    enum err e = chat_history_filter(&r->call, &search, &filter);
    if (e == ERR_OK && filter.conversation != NULL) {
        e = store_message_newest(r->call.db, r->arena, id->id, r->user.id, LISTED_WITHOUT_PAGES,
                                 &rows, &n);
    }
    if (e != ERR_OK) {
        return e;
    }
    json_open_array(&r->out);
    for (size_t i = 0; i < n; i++) {
        api_write_listed_message(&w, &rows[i]);
    }
    json_close_array(&r->out);
    return ERR_OK;
}

static enum err open_conversation(struct req *r)
{
    struct conversation_view *view = ARENA_NEW(r->arena, struct conversation_view);
    r->object = view;
    return chat_conversation_open(&r->call, r->path_ids[0].id, NEED_READ, ERR_NOT_PARTICIPANT,
                                  view);
}

/* Does the query ask for nothing but a page of the conversation as it is? */
static bool is_plain_list(const struct req *r)
{
    static const char plain[] = "page,page_size,cursor,ordering,deleted";
    for (size_t i = 0; i < r->route->query_count; i++) {
        if (value_is_set(&r->filters[i]) && !str_in_list(str_of(r->route->query[i].name), plain)) {
            return false;
        }
    }
    return true;
}

static void foresee_nested(struct req *r, struct uuid reader_id)
{
    struct pager p;
    struct uuid id = r->path_ids[0].id;
    store_conversation_foresee_view(r->call.db, id, reader_id);
    bool is_known = is_plain_list(r) &&
                    pager_init(&p, r, 'q', api_messages_descend(r, false)) == ERR_OK && !p.last;
    if (is_known && pager_needs_count(&p)) { /* without the count only the first page is known */
        is_known = pager_set_count(&p, 1, false) == ERR_OK;
    }
    if (is_known) {
        store_message_foresee_list(r->call.db, id, api_flag_filter(r, "deleted"), &p.window);
    }
}

static enum err list_nested(struct req *r)
{
    const struct conversation_view *view = r->object;
    struct message_filter filter = {.conversation = &view->conversation};
    enum err e = read_filter(r, &filter);
    if (e != ERR_OK) {
        return e;
    }
    return asks_for_stretch(r) ? answer_stretch(r, &filter) : answer_list(r, &filter, false);
}

/* ------- about one message ------- */

static enum err list_replies(struct req *r)
{
    const struct message_view *view = r->object;
    struct pager p;
    struct message *rows = NULL;
    size_t n = 0;
    int64_t count = 0;
    enum err e = pager_init(&p, r, 'r', false);
    if (e == ERR_OK && pager_needs_count(&p)) {
        e = store_reply_count(r->call.db, &view->message, PAGER_COUNT_MAX + 1, &count);
        e = e == ERR_OK ? set_count(&p, count, false) : e;
    }
    if (e == ERR_OK) {
        e = store_reply_list(r->call.db, r->arena, &view->message, r->user.id, &p.window, &rows,
                             &n);
    }
    if (e == ERR_OK) {
        write_page(&p, rows, n, true);
    }
    return e;
}

static void write_history(struct pager *p, const struct message_version *rows, size_t fetched)
{
    size_t n = pager_rows(p, fetched);
    struct list_key first = {.n = n > 0 ? rows[pager_index(p, n, 0)].n : 0};
    struct list_key last = {.n = n > 0 ? rows[pager_index(p, n, n - 1)].n : 0};
    pager_open(p, first, last);
    for (size_t i = 0; i < n; i++) {
        api_write_version(p->r, &rows[pager_index(p, n, i)]);
    }
    pager_close(p);
}

static enum err list_history(struct req *r)
{
    const struct message_view *view = r->object;
    struct pager p;
    struct message_version *rows = NULL;
    size_t n = 0;
    int64_t count = 0;
    enum err e = pager_init(&p, r, 'h', false);
    if (e == ERR_OK && pager_needs_count(&p)) {
        e = store_history_count(r->call.db, view->message.id, &count);
        e = e == ERR_OK ? set_count(&p, count, true) : e;
    }
    if (e == ERR_OK) {
        e = store_history_list(r->call.db, r->arena, view->message.id, &p.window, &rows, &n);
    }
    if (e == ERR_OK) {
        write_history(&p, rows, n);
    }
    return e;
}

/* ------- reading all ------- */

static const struct shape_field read_all_fields[] = {
    {.name = "detail", .type = SHAPE_STRING},
    {.name = "conversations", .type = SHAPE_INT},
};

static const struct shape shape_read_all = {.name = "ReadAll", FIELDS(read_all_fields)};

static enum err read_all(struct req *r)
{
    int64_t changed = 0;
    enum err e = store_message_read_all(r->call.db, r->user.id, &changed);
    if (e != ERR_OK) {
        return e;
    }
    json_open_object(&r->out);
    json_field_str(&r->out, "detail", STR("All messages are marked as read."));
    json_field_i64(&r->out, "conversations", changed);
    json_close_object(&r->out);
    return ERR_OK;
}

/* ------- routes ------- */

const struct resource api_message_list_resource = {
    .name = "Message List",
    .description = "All messages that the caller may see, newest first.",
    .paths = {"messages/"},
    .within = WITHIN_NAMED,
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(flat_query), .handle = list_flat,
             .out = &shape_message_page, .status = 200},
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(api_message_flat_input), SEND_EXTRAS,
             .handle = api_send_message, .foresee = api_foresee_send, .out = &shape_message,
             .status = 201},
        },
};

const struct resource api_conversation_message_list_resource = {
    .name = "Message List",
    .description = "The messages of a conversation, in chronological order.",
    .paths = {"conversations/{conversation_id}/messages/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(nested_query),
             .object = open_conversation, .fails = FAILS(ERR_NOT_PARTICIPANT),
             .handle = list_nested, .foresee = foresee_nested, .out = &shape_message_page,
             .status = 200},
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(api_message_nested_input),
             SEND_EXTRAS, .object = api_message_target, .handle = api_send_message,
             .foresee = api_foresee_send, .out = &shape_message, .status = 201},
        },
};

const struct resource api_message_search_resource = {
    .name = "Message Search",
    .description = "The list of messages, by another name: ?q= is its search.",
    .paths = {"messages/search/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(flat_query), .handle = list_flat,
             .out = &shape_message_page, .status = 200},
        },
};

const struct resource api_message_unread_resource = {
    .name = "Unread Messages",
    .description = "What others have sent and the caller has not read.",
    .paths = {"messages/unread/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(flat_query), .handle = list_unread,
             .out = &shape_message_page, .status = 200},
        },
};

const struct resource api_my_messages_resource = {
    .name = "My Messages",
    .description = "What the caller has sent.",
    .paths = {"messages/my_messages/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(flat_query),
             .handle = list_my_messages, .out = &shape_message_page, .status = 200},
        },
};

const struct resource api_messages_by_user_resource = {
    .name = "Messages By User",
    .description = "What one user has sent.",
    .paths = {"messages/by_user/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(by_user_query), .handle = list_by_user,
             .out = &shape_message_page, .status = 200},
        },
};

const struct resource api_messages_by_conversation_resource = {
    .name = "Messages By Conversation",
    .description = "The newest 100 of a conversation in chronological order, as a bare list.",
    .paths = {"messages/by_conversation/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(by_conversation_query),
             .handle = list_by_conversation, .out = &shape_message_array, .status = 200},
        },
};

const struct resource api_message_history_resource = {
    .name = "Message History",
    .description = "What the message said earlier.",
    .paths = {"messages/{message_id}/history/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(page_query),
             .object = api_message_to_read, .handle = list_history,
             .out = &shape_message_version_page, .status = 200},
        },
};

const struct resource api_message_replies_resource = {
    .name = "Message Replies",
    .description = "Answers to the message, in chronological order.",
    .paths = {"messages/{message_id}/replies/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(page_query),
             .object = api_message_to_read, .handle = list_replies, .out = &shape_message_page,
             .status = 200},
        },
};

const struct resource api_message_read_all_resource = {
    .name = "Mark All Read",
    .description = "Moves the caller's read positions to the end of all conversations.",
    .paths = {"messages/mark-all-read/"},
    .within = WITHIN_MANY,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .handle = read_all, .out = &shape_read_all,
             .status = 200},
        },
};
