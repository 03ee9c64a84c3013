/* admin/messages/: everybody's, and deleting many at once. */
#include "api/admin.h"
#include "api/json_message.h"
#include "api/messages.h"
#include "chat/audit.h"
#include "chat/history.h"

static const struct field list_query[] = {
    PAGE_FIELDS,
    EXPORT_FIELD,
    {.name = "search",
     .aliases = "q",
     .type = FIELD_TEXT,
     .scans = true,
     .help = "Words that must all be in the text."},
    {.name = "sender",
     .aliases = "sender_id,user",
     .type = FIELD_USER,
     .help = "Who sent it: id, username or e-mail."},
    CONVERSATION_FIELD,
    {.name = "sent_after", .type = FIELD_TIME, .help = "Sent then or later."},
    {.name = "sent_before", .type = FIELD_TIME, .help = "Sent then or earlier."},
    {.name = "deleted", .type = FIELD_BOOL, .help = "1: tombstones too."},
    {.name = "ordering", .type = FIELD_TEXT, .help = "sent_at or -sent_at, the usual one."},
};

struct messages {
    struct message_filter filter;
    struct message_plan plan;
    struct conversation_view in; /* filter.conversation is of this */
    struct message *rows;
};

static enum err count_messages(struct req *r, void *of, int64_t *count, bool *capped)
{
    struct messages *list = of;
    enum err e = store_message_count(r->call.db, &list->plan, PAGER_COUNT_MAX + 1, count);
    *capped = *count > PAGER_COUNT_MAX && !list->plan.is_plain;
    return e;
}

static enum err read_messages(struct req *r, void *of, const struct window *window, size_t *n)
{
    struct messages *list = of;
    return store_message_list(r->call.db, r->arena, &list->plan, window, &list->rows, n);
}

static struct list_key key_of(const void *of, size_t i)
{
    const struct messages *list = of;
    return store_message_key(&list->rows[i], list->filter.conversation != NULL);
}

static enum err write_message(struct req *r, void *of, size_t i)
{
    api_write_message(r, &((const struct messages *)of)->rows[i]);
    return ERR_OK;
}

static void write_csv(struct csv *csv, const void *of, size_t i)
{
    const struct message *m = &((const struct messages *)of)->rows[i];
    api_csv_uuid(csv, m->id);
    api_csv_uuid(csv, m->conversation_id);
    api_csv_int(csv, m->seq);
    api_csv_uuid(csv, m->sender_id);
    api_csv_text(csv, m->sender.username);
    api_csv_time(csv, m->sent_at);
    api_csv_time(csv, m->edited_at);
    api_csv_time(csv, m->deleted_at);
    api_csv_text(csv, m->body);
}

static bool is_truncated(const void *of)
{
    return ((const struct messages *)of)->plan.truncated;
}

/* Where it is not known there is nothing. */
static enum err set_conversation(struct req *r, struct messages *list)
{
    const struct value *id = req_filter(r, "conversation");
    if (!value_is_set(id)) {
        return ERR_OK;
    }
    enum err e = chat_conversation_open(&r->call, id->id, NEED_READ, ERR_NOT_FOUND, &list->in);
    list->filter.nothing = e == ERR_NOT_FOUND;
    list->filter.conversation = &list->in.conversation;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err read_filter(struct req *r, struct messages *list)
{
    const struct message_search search = {.words = api_text_filter(r, "search")};
    bool nobody = false;
    list->filter = (struct message_filter){
        .all = true,
        .deleted = api_flag_filter(r, "deleted"),
        .sent_from = api_time_filter(r, "sent_after"),
        .sent_to = api_time_filter(r, "sent_before"),
    };
    enum err e = chat_history_filter(&r->call, &search, &list->filter);
    if (e == ERR_OK) {
        e = api_user_filter(r, "sender", &list->filter.sender, &nobody);
    }
    if (e == ERR_OK) {
        e = set_conversation(r, list);
    }
    list->filter.nothing = list->filter.nothing || nobody;
    return e == ERR_OK ? store_message_plan(r->call.db, &list->filter, &list->plan) : e;
}

static enum err list_messages(struct req *r)
{
    static const struct admin_list list = {
        .name = "messages",
        .columns = "id,conversation_id,seq,sender_id,sender,sent_at,edited_at,deleted_at,"
                   "message_body",
        .count = count_messages,
        .read = read_messages,
        .key = key_of,
        .write = write_message,
        .write_csv = write_csv,
        .truncated = is_truncated,
    };
    struct messages *messages = ARENA_NEW(r->arena, struct messages);
    enum err e = read_filter(r, messages);
    bool inside = messages->filter.conversation != NULL;
    if (e == ERR_OK) {
        e = api_admin_list(r, &list, inside ? 'q' : 't', api_messages_descend(r, true), messages);
    }
    if (e == ERR_OK) {
        chat_audit_note(&r->call, "message.list_all", req_filter(r, "conversation")->id);
    }
    return e;
}

/* ------- many at once ------- */

static const struct field bulk_input[] = {BULK_FIELDS("delete")};

static enum err delete_one(struct req *r, struct uuid id, struct bulk_result *out)
{
    struct message_view view;
    (void)out;
    enum err e = chat_message_open(&r->call, id, &view);
    if (e == ERR_OK) {
        e = chat_message_may_delete(&r->call, &view);
    }
    return e == ERR_OK ? chat_message_delete(&r->call, &view) : e;
}

static enum err delete_all(struct req *r)
{
    return api_bulk_run(r, delete_one);
}

const struct resource api_admin_message_list_resource = {
    .name = "Admin Message List",
    .description = "Everybody's messages, newest first.",
    .paths = {"admin/messages/"},
    .methods = {ADMIN_LIST_ROUTE(list_query, list_messages, shape_message_page)},
};

const struct resource api_admin_message_bulk_resource = {
    .name = "Admin Message Bulk",
    .description = "Deletes many messages at once.",
    .paths = {"admin/messages/bulk/"},
    .within = WITHIN_MANY,
    .methods = {ADMIN_BULK_ROUTE(bulk_input, api_bulk_ids, delete_all)},
};
