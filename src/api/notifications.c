/* notifications/: what is unread in conversations that are not muted. Derived from read positions:
 * the id of a notification is that of its message, and it is gone once it is read. */
#include "api/notifications.h"

#include "api/filters.h"
#include "api/json_message.h"
#include "chat/notification.h"
#include "serve/page.h"

static const struct field list_query[] = {
    PAGE_FIELDS,
    CONVERSATION_FIELD,
};

static const struct field read_all_input[] = {
    {.name = "conversation",
     .aliases = "conversation_id",
     .type = FIELD_PK,
     .nullable = true,
     .help = "Only in this conversation, muted or not; absent: in all that are not muted."},
};

static const struct field change_input[] = {
    {.name = "is_read",
     .aliases = "read",
     .type = FIELD_BOOL,
     .help = "True: reads up to this message. What is read stays read."},
};

/* ------- as JSON ------- */

static const struct shape_field brief_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "conversation_id", .type = SHAPE_UUID},
    {.name = "title", .type = SHAPE_STRING},
    {.name = "unread_count", .type = SHAPE_INT},
};
static const struct shape shape_brief = {.name = "UnreadConversation", FIELDS(brief_fields)};

static const struct shape_field notification_fields[] = {
    {.name = "id", .type = SHAPE_UUID, .help = "The message's."},
    {.name = "notification_id", .type = SHAPE_UUID, .help = "The same as id."},
    {.name = "kind", .type = SHAPE_STRING, .choices = "message"},
    {.name = "conversation", .type = SHAPE_OBJECT, .of = &shape_brief},
    {.name = "message", .type = SHAPE_OBJECT, .of = &shape_message},
    {.name = "is_read", .type = SHAPE_BOOL},
    {.name = "created_at", .type = SHAPE_TIME},
};
static const struct shape shape_notification = {.name = "Notification",
                                                FIELDS(notification_fields)};

/* The envelope of a list, and two counts more. */
static const struct shape_field page_fields[] = {
    {.name = "count", .type = SHAPE_INT, .optional = true},
    {.name = "next", .type = SHAPE_URL, .nullable = true},
    {.name = "previous", .type = SHAPE_URL, .nullable = true},
    {.name = "page_size", .type = SHAPE_INT},
    {.name = "current_page", .type = SHAPE_INT, .optional = true},
    {.name = "total_pages", .type = SHAPE_INT, .optional = true},
    {.name = "results", .type = SHAPE_ARRAY, .of = &shape_notification},
    {.name = "unread_count", .type = SHAPE_INT},
    {.name = "unread_conversations", .type = SHAPE_INT},
};
const struct shape shape_notification_page = {.name = "NotificationPage", FIELDS(page_fields)};

static const struct shape_field count_fields[] = {
    {.name = "count", .type = SHAPE_INT},
    {.name = "unread_count", .type = SHAPE_INT},
    {.name = "unread_conversations", .type = SHAPE_INT},
};
static const struct shape shape_count = {.name = "NotificationCount", FIELDS(count_fields)};

static const struct shape_field read_all_fields[] = {
    {.name = "detail", .type = SHAPE_STRING},
    {.name = "conversations", .type = SHAPE_INT},
    {.name = "count", .type = SHAPE_INT},
};
static const struct shape shape_read_all = {.name = "NotificationsRead", FIELDS(read_all_fields)};

static void write_brief(struct json_out *o, struct uuid id, struct str title, int64_t unread_count)
{
    json_field_open_object(o, "conversation");
    json_field_uuid(o, "id", id);
    json_field_uuid(o, "conversation_id", id);
    json_field_str(o, "title", title);
    json_field_i64(o, "unread_count", unread_count);
    json_close_object(o);
}

static void open_notification(struct json_out *o, const struct message *message)
{
    json_open_object(o);
    json_field_uuid(o, "id", message->id);
    json_field_uuid(o, "notification_id", message->id);
    json_field_str(o, "kind", STR("message"));
}

static void close_notification(struct message_writer *w, const struct message *message)
{
    struct json_out *o = &w->r->out;
    json_key(o, "message");
    api_write_listed_message(w, message);
    json_field_bool(o, "is_read", message->is_read);
    json_field_time(o, "created_at", message->sent_at);
    json_close_object(o);
}

static void write_listed(struct message_writer *w, const struct notification *row)
{
    const struct unread *in = row->in;
    open_notification(&w->r->out, row->message);
    write_brief(&w->r->out, in->conversation_id, in->title, in->last_seq - in->read_seq);
    close_notification(w, row->message);
}

static void write_notification(struct req *r, const struct message_view *view)
{
    const struct conversation *in = &view->in.conversation;
    struct message_writer w = {.r = r};
    open_notification(&r->out, &view->message);
    write_brief(&r->out, in->id, in->title, in->last_seq - view->in.mine.read_seq);
    close_notification(&w, &view->message);
}

/* ------- list and counts ------- */

/* Unread messages of the conversations, as each of them says, tombstones too. */
static int64_t unread_count(const struct unread *rows, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += rows[i].last_seq - rows[i].read_seq;
    }
    return sum;
}

/* What there is to list. */
static int64_t notification_count(const struct unread *rows, size_t count)
{
    int64_t sum = unread_count(rows, count);
    for (size_t i = 0; i < count; i++) {
        sum -= rows[i].tombstones;
    }
    return sum;
}

static void write_counts(struct json_out *o, const struct unread *rows, size_t count)
{
    json_field_i64(o, "unread_count", unread_count(rows, count));
    json_field_i64(o, "unread_conversations", (int64_t)count);
}

/* The part of the conversations that is asked for: all, one or none. */
static void choose_sources(struct req *r, const struct unread **rows, size_t *count)
{
    const struct value *id = req_filter(r, "conversation");
    if (!value_is_set(id)) {
        return;
    }
    size_t i = 0;
    while (i < *count && !uuid_eq((*rows)[i].conversation_id, id->id)) {
        i++;
    }
    *rows += i;
    *count = i < *count ? 1 : 0;
}

static struct list_key key_of(const struct notification *row)
{
    return (struct list_key){.n = row->message->sent_at, .id = row->message->id};
}

static void write_rows(struct pager *p, const struct notification *rows, size_t fetched)
{
    static const struct list_key none;
    struct message_writer w = {.r = p->r};
    size_t n = pager_rows(p, fetched);
    pager_open(p, n > 0 ? key_of(&rows[pager_index(p, n, 0)]) : none,
               n > 0 ? key_of(&rows[pager_index(p, n, n - 1)]) : none);
    for (size_t i = 0; i < n; i++) {
        write_listed(&w, &rows[pager_index(p, n, i)]);
    }
    pager_close_rows(p);
}

static enum err list_from(struct req *r, struct pager *p, const struct unread *in, size_t count)
{
    struct notification *rows = NULL;
    size_t n = 0;
    enum err e = ERR_OK;
    if (pager_needs_count(p)) {
        e = pager_set_count(p, notification_count(in, count), false);
    }
    if (e == ERR_OK) {
        e = store_notification_list(r->call.db, r->arena, in, count, &p->window, &rows, &n);
    }
    if (e == ERR_OK) {
        write_rows(p, rows, n);
    }
    return e;
}

enum err api_answer_notifications(struct req *r, const struct unread *unread, size_t count)
{
    struct pager p;
    enum err e = pager_init(&p, r, 'n', true);
    if (e != ERR_OK) {
        return e;
    }
    const struct unread *in = unread;
    size_t in_count = count;
    choose_sources(r, &in, &in_count);
    e = list_from(r, &p, in, in_count);
    if (e == ERR_OK) {
        write_counts(&r->out, unread, count);
        json_close_object(&r->out);
    }
    return e;
}

static enum err list_notifications(struct req *r)
{
    struct unread *unread = NULL;
    size_t count = 0;
    enum err e = chat_notification_sources(&r->call, &unread, &count);
    return e == ERR_OK ? api_answer_notifications(r, unread, count) : e;
}

static enum err count_notifications(struct req *r)
{
    struct unread *unread = NULL;
    size_t count = 0;
    enum err e = chat_notification_sources(&r->call, &unread, &count);
    if (e != ERR_OK) {
        return e;
    }
    json_open_object(&r->out);
    json_field_i64(&r->out, "count", notification_count(unread, count));
    write_counts(&r->out, unread, count);
    json_close_object(&r->out);
    return ERR_OK;
}

/* ------- one of them ------- */

static enum err open_one(struct req *r)
{
    r->object = ARENA_NEW(r->arena, struct message_view);
    return chat_notification_open(&r->call, r->path_ids[0].id, r->object);
}

static enum err show_one(struct req *r)
{
    write_notification(r, r->object);
    return ERR_OK;
}

static enum err read_up_to(struct req *r)
{
    enum err e = chat_message_read(&r->call, r->object);
    return e == ERR_OK ? show_one(r) : e;
}

static enum err change_one(struct req *r)
{
    const struct value *is_read = req_input(r, "is_read");
    const struct message_view *view = r->object;
    if (!value_is_set(is_read)) {
        return show_one(r);
    }
    if (is_read->n == 0 && view->message.is_read) {
        return req_problem(r, "is_read", STR("What is read stays read."));
    }
    return is_read->n != 0 ? read_up_to(r) : show_one(r);
}

/* ------- all of them ------- */

static enum err read_all(struct req *r)
{
    const struct value *conversation = req_input(r, "conversation");
    struct uuid id = value_is_set(conversation) ? conversation->id : (struct uuid){{0}};
    struct notifications_read done;
    enum err e = chat_notification_read_all(&r->call, id, &done);
    if (e != ERR_OK) {
        return e;
    }
    json_open_object(&r->out);
    json_field_str(&r->out, "detail", STR("Notifications are marked as read."));
    json_field_i64(&r->out, "conversations", done.conversations);
    json_field_i64(&r->out, "count", done.messages);
    json_close_object(&r->out);
    return ERR_OK;
}

/* ------- routes ------- */

const struct resource api_notification_list_resource = {
    .name = "Notification List",
    .description = "Unread messages of conversations that are not muted, newest first.",
    .paths = {"notifications/", "notifications/unread/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(list_query),
             .handle = list_notifications, .out = &shape_notification_page, .status = 200},
        },
};

const struct resource api_notification_count_resource = {
    .name = "Notification Count",
    .description = "How many there are.",
    .paths = {"notifications/unread_count/", "notifications/unread-count/", "notifications/count/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .handle = count_notifications, .out = &shape_count,
             .status = 200},
        },
};

#define READ_ALL_ROUTE(verb)                                                                       \
    {                                                                                              \
        verb, ACCESS_USER, ROUTE_WRITE, .input = FIELDS(read_all_input), .handle = read_all,       \
                                        .out = &shape_read_all, .status = 200                      \
    }

const struct resource api_notification_read_all_resource = {
    .name = "Mark All Notifications Read",
    .description = "Moves the caller's read positions to the end.",
    .paths = {"notifications/mark-all-read/", "notifications/mark_all_read/",
              "notifications/mark-all-as-read/", "notifications/mark_all_as_read/",
              "notifications/read-all/"},
    .within = WITHIN_MANY,
    .methods = {READ_ALL_ROUTE("POST"), READ_ALL_ROUTE("PATCH")},
};

const struct resource api_notification_resource = {
    .name = "Notification Instance",
    .description = "One notification, by the id of its message.",
    .paths = {"notifications/{message_id}/"},
    .within = WITHIN_MESSAGE,
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .object = open_one, .handle = show_one,
             .out = &shape_notification, .status = 200},
            {"PATCH", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(change_input), .object = open_one,
             .handle = change_one, .out = &shape_notification, .status = 200},
        },
};

#define READ_ROUTE(verb)                                                                           \
    {                                                                                              \
        verb, ACCESS_USER, ROUTE_WRITE, .object = open_one, .handle = read_up_to,                  \
                                        .out = &shape_notification, .status = 200                  \
    }

const struct resource api_notification_read_resource = {
    .name = "Mark Notification Read",
    .description = "Moves the caller's read position to this message.",
    .paths = {"notifications/{message_id}/read/", "notifications/{message_id}/mark_as_read/",
              "notifications/{message_id}/mark-as-read/", "notifications/{message_id}/mark_read/",
              "notifications/{message_id}/mark-read/"},
    .within = WITHIN_MESSAGE,
    .methods = {READ_ROUTE("POST"), READ_ROUTE("PATCH")},
};
