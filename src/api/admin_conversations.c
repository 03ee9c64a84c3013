/* admin/conversations/: everybody's, one of them, many at once. Messages and participants of one are at
 * conversations/{id}/..., which admins may read. */
#include "api/admin.h"
#include "api/admin_user.h"
#include "api/conversations.h"
#include "api/json_conversation.h"
#include "chat/conversation.h"

enum { PEOPLE_LISTED = 5 };

/* ------- as JSON ------- */

#define CONVERSATION_FIELDS                                                                        \
    {.name = "id", .type = SHAPE_UUID}, {.name = "conversation_id", .type = SHAPE_UUID},           \
        {.name = "title", .type = SHAPE_STRING}, {.name = "direct", .type = SHAPE_BOOL},           \
        {.name = "closed", .type = SHAPE_BOOL},                                                    \
        {.name = "closed_at", .type = SHAPE_TIME, .nullable = true},                               \
        {.name = "created_by", .type = SHAPE_UUID}, {.name = "created_at", .type = SHAPE_TIME},    \
        {.name = "updated_at", .type = SHAPE_TIME},                                                \
        {.name = "participant_count", .type = SHAPE_INT},                                          \
        {.name = "message_count", .type = SHAPE_INT},                                              \
        {.name = "deleted_message_count", .type = SHAPE_INT},                                      \
    {                                                                                              \
        .name = "last_seq", .type = SHAPE_INT                                                      \
    }

static const struct shape_field listed_fields[] = {
    CONVERSATION_FIELDS,
    {.name = "people", .type = SHAPE_ARRAY, .of = &shape_person},
};
static const struct shape shape_listed_page = {
    .name = "AdminConversation", FIELDS(listed_fields), .paged = true};

static const struct shape_field detail_fields[] = {
    CONVERSATION_FIELDS,
    {.name = "metadata", .type = SHAPE_JSON_OBJECT},
    {.name = "participants", .type = SHAPE_ARRAY, .of = &shape_participant},
};
static const struct shape shape_detailed = {.name = "AdminConversationDetail",
                                            FIELDS(detail_fields)};

static void write_fields(struct req *r, const struct conversation *c)
{
    struct json_out *o = &r->out;
    json_field_uuid(o, "id", c->id);
    json_field_uuid(o, "conversation_id", c->id);
    json_field_str(o, "title", c->title);
    json_field_bool(o, "direct", c->direct);
    json_field_bool(o, "closed", c->closed_at != 0);
    json_field_time_or_null(o, "closed_at", c->closed_at);
    json_field_uuid(o, "created_by", c->created_by);
    json_field_time(o, "created_at", c->created_at);
    json_field_time(o, "updated_at", c->updated_at);
    json_field_i64(o, "participant_count", c->participant_count);
    json_field_i64(o, "message_count", c->message_count);
    json_field_i64(o, "deleted_message_count", c->last_seq - c->message_count);
    json_field_i64(o, "last_seq", c->last_seq);
}

/* ------- list ------- */

static const struct field list_query[] = {
    PAGE_FIELDS,
    EXPORT_FIELD,
    {.name = "search",
     .aliases = "q",
     .type = FIELD_TEXT,
     .scans = true,
     .help = "Words in the title or in participants' names."},
    {.name = "participant",
     .aliases = "user",
     .type = FIELD_USER,
     .help = "Who takes part: id, username or e-mail."},
    {.name = "closed",
     .type = FIELD_BOOL,
     .scans = true,
     .help = "Closed ones, or those that are not."},
    {.name = "created_after", .type = FIELD_TIME, .help = "Made then or later."},
    {.name = "created_before", .type = FIELD_TIME, .help = "Made then or earlier."},
    {.name = "ordering",
     .type = FIELD_TEXT,
     .help = "created_at, updated_at; with a minus the other way round."},
};

struct conversations {
    struct conversation_filter filter;
    enum conversation_order order;
    struct conversation_view *rows;
};

static enum err count_conversations(struct req *r, void *of, int64_t *count, bool *capped)
{
    const struct conversations *list = of;
    enum err e = store_conversation_count(r->call.db, &list->filter, PAGER_COUNT_MAX + 1, count);
    *capped = *count > PAGER_COUNT_MAX && store_conversation_is_filtered(&list->filter);
    return e;
}

static enum err read_conversations(struct req *r, void *of, const struct window *window, size_t *n)
{
    struct conversations *list = of;
    return store_conversation_list(r->call.db, r->arena, &list->filter, list->order, window,
                                   &list->rows, n);
}

static struct list_key key_of(const void *of, size_t i)
{
    const struct conversations *list = of;
    return store_conversation_key(&list->rows[i], list->order);
}

static enum err write_listed(struct req *r, void *of, size_t i)
{
    const struct conversation *c = &((const struct conversations *)of)->rows[i].conversation;
    const struct window first = {.after = window_start(false), .limit = PEOPLE_LISTED};
    struct member *people = NULL;
    size_t n = 0;
    json_open_object(&r->out);
    write_fields(r, c);
    enum err e = store_member_list(r->call.db, r->arena, c->id, &first, &people, &n);
    json_field_open_array(&r->out, "people");
    for (size_t p = 0; p < n && e == ERR_OK; p++) {
        api_write_person(r, people[p].user.id, people[p].user.username);
    }
    json_close_array(&r->out);
    json_close_object(&r->out);
    return e;
}

static void write_csv(struct csv *csv, const void *of, size_t i)
{
    const struct conversation *c = &((const struct conversations *)of)->rows[i].conversation;
    api_csv_uuid(csv, c->id);
    api_csv_text(csv, c->title);
    api_csv_bool(csv, c->direct);
    api_csv_time(csv, c->closed_at);
    api_csv_uuid(csv, c->created_by);
    api_csv_time(csv, c->created_at);
    api_csv_time(csv, c->updated_at);
    api_csv_int(csv, c->participant_count);
    api_csv_int(csv, c->message_count);
}

/* One user's are gone through by his memberships, as he would see them. */
static enum err read_filter(struct req *r, struct conversation_filter *filter, bool *nobody)
{
    const struct conversation_search search = {
        .all = true,
        .words = api_text_filter(r, "search"),
    };
    struct db_val participant;
    *filter = (struct conversation_filter){
        .created_from = api_time_filter(r, "created_after"),
        .created_to = api_time_filter(r, "created_before"),
        .closed = api_bool_filter(r, "closed"),
    };
    enum err e = chat_conversation_filter(&r->call, &search, filter);
    if (e == ERR_OK) {
        e = api_user_filter(r, "participant", &participant, nobody);
    }
    if (e == ERR_OK && participant.type != DB_NULL) {
        filter->all = false;
        filter->reader_id = participant.id;
    }
    return e;
}

static enum err list_conversations(struct req *r)
{
    static const struct admin_list list = {
        .name = "conversations",
        .action = "conversation.list_all",
        .columns = "id,title,direct,closed_at,created_by,created_at,updated_at,participant_count,"
                   "message_count",
        .count = count_conversations,
        .read = read_conversations,
        .key = key_of,
        .write = write_listed,
        .write_csv = write_csv,
    };
    struct conversations conversations;
    bool descending = true;
    bool nobody = false;
    conversations.order = (enum conversation_order)pager_ordering(
        r, api_conversation_orderings, CONVERSATION_ORDERINGS, &descending);
    char letter = api_conversation_orderings[conversations.order].letter;
    enum err e = read_filter(r, &conversations.filter, &nobody);
    return e == ERR_OK
               ? api_admin_list(r, &list, letter, descending, nobody ? NULL : &conversations)
               : e;
}

/* ------- one of them ------- */

static enum err show_conversation(struct req *r)
{
    const struct conversation *c = &api_conversation(r)->conversation;
    json_open_object(&r->out);
    write_fields(r, c);
    json_field_raw(&r->out, "metadata", c->metadata);
    enum err e = api_write_members(r, c);
    json_close_object(&r->out);
    return e;
}

/* ------- many at once ------- */

static const struct field bulk_input[] = {BULK_FIELDS("close,reopen,delete")};

static enum err act_on(struct req *r, struct uuid id, struct bulk_result *out)
{
    struct str action = req_input(r, "action")->text;
    bool deletes = str_eq(action, STR("delete"));
    bool closes = str_eq(action, STR("close"));
    struct conversation_view view;
    enum err e = chat_conversation_open(&r->call, id, deletes ? NEED_OWN : NEED_MANAGE,
                                        ERR_NOT_FOUND, &view);
    if (e != ERR_OK) {
        return e;
    }
    if (deletes) {
        return chat_conversation_delete(&r->call, &view);
    }
    if ((view.conversation.closed_at != 0) == closes) {
        out->state = BULK_UNCHANGED;
        return ERR_OK;
    }
    return chat_conversation_set_closed(&r->call, &view, closes);
}

static enum err act_on_all(struct req *r)
{
    return api_bulk_run(r, act_on);
}

const struct resource api_admin_conversation_list_resource = {
    .name = "Admin Conversation List",
    .description = "Everybody's conversations, newest activity first.",
    .paths = {"admin/conversations/"},
    .methods = {ADMIN_LIST_ROUTE(list_query, list_conversations, shape_listed_page)},
};

const struct resource api_admin_conversation_resource = {
    .name = "Admin Conversation Instance",
    .description = "One conversation, its counts and its first hundred participants.",
    .paths = {"admin/conversations/{id}/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_READ,
                 .object = api_conversation_to_read,
                 .handle = show_conversation,
                 .out = &shape_detailed,
                 .status = 200}},
};

const struct resource api_admin_conversation_bulk_resource = {
    .name = "Admin Conversation Bulk",
    .description = "The same to many conversations at once.",
    .paths = {"admin/conversations/bulk/"},
    .within = WITHIN_MANY,
    .methods = {ADMIN_BULK_ROUTE(bulk_input, api_bulk_ids, act_on_all)},
};
