/* admin/audit/: who used power over others, on whom, when. */
#include "api/admin.h"
#include "api/admin_user.h"
#include "store/audit.h"

static const struct shape_field audit_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "at", .type = SHAPE_TIME},
    {.name = "actor", .type = SHAPE_OBJECT, .of = &shape_person},
    {.name = "action", .type = SHAPE_STRING},
    {.name = "object_id", .type = SHAPE_UUID, .nullable = true},
    {.name = "detail", .type = SHAPE_JSON_OBJECT},
};
static const struct shape shape_audit_page = {
    .name = "AuditEntry", FIELDS(audit_fields), .paged = true};

static const struct field list_query[] = {
    PAGE_FIELDS,
    EXPORT_FIELD,
    {.name = "actor", .type = FIELD_USER, .help = "Who did it: id, username or e-mail."},
    {.name = "action", .type = FIELD_TEXT, .scans = true, .help = "What, exactly: user.update"},
    {.name = "object",
     .aliases = "object_id",
     .type = FIELD_UUID,
     .help = "The user, conversation or other that it was done to."},
    {.name = "after", .type = FIELD_TIME, .help = "Then or later."},
    {.name = "before", .type = FIELD_TIME, .help = "Then or earlier."},
};

struct entries {
    struct audit_filter filter;
    struct audit_entry *rows;
};

static enum err count_entries(struct req *r, void *of, int64_t *count, bool *capped)
{
    const struct entries *entries = of;
    enum err e = store_audit_count(r->call.db, &entries->filter, PAGER_COUNT_MAX + 1, count);
    *capped = *count > PAGER_COUNT_MAX;
    return e;
}

static enum err read_entries(struct req *r, void *of, const struct window *window, size_t *n)
{
    struct entries *entries = of;
    return store_audit_list(r->call.db, r->arena, &entries->filter, window, &entries->rows, n);
}

static struct list_key key_of(const void *of, size_t i)
{
    const struct audit_entry *entry = &((const struct entries *)of)->rows[i];
    return (struct list_key){.n = entry->at, .id = entry->id};
}

static enum err write_entry(struct req *r, void *of, size_t i)
{
    const struct audit_entry *entry = &((const struct entries *)of)->rows[i];
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_uuid(o, "id", entry->id);
    json_field_time(o, "at", entry->at);
    json_key(o, "actor");
    api_write_person(r, entry->actor_id, entry->actor_name);
    json_field_str(o, "action", entry->action);
    json_field_uuid_or_null(o, "object_id", entry->object_id);
    json_field_raw(o, "detail", entry->detail);
    json_close_object(o);
    return ERR_OK;
}

static void write_csv(struct csv *csv, const void *of, size_t i)
{
    const struct audit_entry *entry = &((const struct entries *)of)->rows[i];
    api_csv_uuid(csv, entry->id);
    api_csv_time(csv, entry->at);
    api_csv_uuid(csv, entry->actor_id);
    api_csv_text(csv, entry->actor_name);
    api_csv_text(csv, entry->action);
    api_csv_uuid(csv, entry->object_id);
    api_csv_text(csv, entry->detail);
}

/* Looking at it is not noted: it would grow by being looked at. */
static enum err list_entries(struct req *r)
{
    static const struct admin_list list = {
        .name = "audit",
        .columns = "id,at,actor_id,actor,action,object_id,detail",
        .count = count_entries,
        .read = read_entries,
        .key = key_of,
        .write = write_entry,
        .write_csv = write_csv,
    };
    struct entries entries = {
        .filter = {.action = V_TEXT(api_text_filter(r, "action")),
                   .object = api_uuid_filter(r, "object"),
                   .from = api_time_filter(r, "after"),
                   .to = api_time_filter(r, "before")},
    };
    bool nobody = false;
    enum err e = api_user_filter(r, "actor", &entries.filter.actor, &nobody);
    return e == ERR_OK ? api_admin_list(r, &list, 'a', true, nobody ? NULL : &entries) : e;
}

const struct resource api_admin_audit_resource = {
    .name = "Admin Audit Log",
    .description = "What admins did with their power over others, newest first.",
    .paths = {"admin/audit/"},
    .methods = {ADMIN_LIST_ROUTE(list_query, list_entries, shape_audit_page)},
};
