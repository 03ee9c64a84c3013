/* admin/sessions/: everybody's devices and Tokens; admin/users/{id}/sessions/: one user's. */
#include "api/admin.h"
#include "api/admin_user.h"
#include "api/users.h"
#include "chat/admin.h"
#include "chat/audit.h"
#include "store/session.h"

static const struct shape_field session_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "session_id", .type = SHAPE_UUID},
    {.name = "user", .type = SHAPE_OBJECT, .of = &shape_person},
    {.name = "kind", .type = SHAPE_STRING},
    {.name = "created_at", .type = SHAPE_TIME},
    {.name = "last_used", .type = SHAPE_TIME},
    {.name = "expires_at", .type = SHAPE_TIME},
    {.name = "user_agent", .type = SHAPE_STRING},
    {.name = "address", .type = SHAPE_STRING},
    {.name = "current", .type = SHAPE_BOOL},
};
static const struct shape shape_session_page = {
    .name = "AdminSession", FIELDS(session_fields), .paged = true};

/* ------- lists ------- */

static const struct field list_query[] = {
    PAGE_FIELDS,
    {.name = "user", .type = FIELD_USER, .help = "Whose: id, username or e-mail."},
    {.name = "kind", .type = FIELD_CHOICE, .choices = SESSION_KIND_CHOICES},
};

static const struct field user_query[] = {PAGE_FIELDS};

struct sessions {
    struct device_filter filter;
    struct device_row *rows;
};

/* Nobody keeps a count of them. */
static enum err count_sessions(struct req *r, void *of, int64_t *count, bool *capped)
{
    const struct sessions *sessions = of;
    enum err e = store_device_count(r->call.db, &sessions->filter, r->call.now_us,
                                    PAGER_COUNT_MAX + 1, count);
    *capped = *count > PAGER_COUNT_MAX;
    return e;
}

static enum err read_sessions(struct req *r, void *of, const struct window *window, size_t *n)
{
    struct sessions *sessions = of;
    return store_device_list(r->call.db, r->arena, &sessions->filter, r->call.now_us, window,
                             &sessions->rows, n);
}

static struct list_key key_of(const void *of, size_t i)
{
    const struct session *session = &((const struct sessions *)of)->rows[i].session;
    return (struct list_key){.n = session->created_at, .id = session->id};
}

static enum err write_session(struct req *r, void *of, size_t i)
{
    const struct device_row *row = &((const struct sessions *)of)->rows[i];
    const struct session *s = &row->session;
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_uuid(o, "id", s->id);
    json_field_uuid(o, "session_id", s->id);
    json_key(o, "user");
    api_write_person(r, row->user.id, row->user.username);
    json_field_str(o, "kind", str_of(session_kind_names[s->kind]));
    json_field_time(o, "created_at", s->created_at);
    json_field_time(o, "last_used", s->last_used_at);
    json_field_time(o, "expires_at", s->expires_at);
    json_field_str(o, "user_agent", s->user_agent);
    json_field_str(o, "address", s->address);
    json_field_bool(o, "current", uuid_eq(s->id, r->call.session_id));
    json_close_object(o);
    return ERR_OK;
}

#define SESSION_LIST(noted)                                                                        \
    {                                                                                              \
        .name = "sessions", .action = (noted), .count = count_sessions, .read = read_sessions,     \
        .key = key_of, .write = write_session                                                      \
    }

static enum err list_all(struct req *r)
{
    static const struct admin_list list = SESSION_LIST("session.list_all");
    struct sessions sessions = {.filter.kind = V_TEXT(api_text_filter(r, "kind"))};
    bool nobody = false;
    enum err e = api_user_filter(r, "user", &sessions.filter.user, &nobody);
    return e == ERR_OK ? api_admin_page(r, &list, 's', true, nobody ? NULL : &sessions) : e;
}

static enum err list_of_user(struct req *r)
{
    static const struct admin_list list = SESSION_LIST(NULL);
    const struct user *user = r->object;
    struct sessions sessions = {.filter.user = V_UUID(user->id)};
    enum err e = api_admin_page(r, &list, 's', true, &sessions);
    chat_audit_note(&r->call, "session.list", user->id);
    return e;
}

/* ------- ending them ------- */

static enum err end_all(struct req *r)
{
    return chat_admin_end_sessions(&r->call, r->object);
}

static enum err find_session(struct req *r)
{
    r->object = ARENA_NEW(r->arena, struct session);
    return chat_admin_find_session(&r->call, r->path_ids[0].id, r->object);
}

/* users/{id}/sessions/{session_id}/ */
static enum err find_users_session(struct req *r)
{
    struct session *session = ARENA_NEW(r->arena, struct session);
    r->object = session;
    enum err e = chat_admin_find_session(&r->call, r->path_ids[1].id, session);
    bool is_his = e == ERR_OK && uuid_eq(session->user_id, r->path_ids[0].id);
    return e == ERR_OK && !is_his ? ERR_NOT_FOUND : e;
}

static enum err end_one(struct req *r)
{
    return chat_admin_end_session(&r->call, r->object);
}

#define END_ROUTE(find, end)                                                                       \
    {                                                                                              \
        .method = "DELETE", .access = ACCESS_ADMIN, .db = ROUTE_WRITE, .object = (find),           \
        .handle = (end), .status = 204                                                             \
    }

const struct resource api_admin_session_list_resource = {
    .name = "Admin Session List",
    .description = "Everybody's devices and Tokens, newest first.",
    .paths = {"admin/sessions/"},
    .methods = {ADMIN_LIST_ROUTE(list_query, list_all, shape_session_page)},
};

const struct resource api_admin_session_resource = {
    .name = "Admin Session Instance",
    .description = "One device or Token; DELETE signs it out.",
    .paths = {"admin/sessions/{id}/"},
    .within = WITHIN_MANY,
    .methods = {END_ROUTE(find_session, end_one)},
};

const struct resource api_admin_user_session_list_resource = {
    .name = "Admin User Session List",
    .description = "One user's devices and Tokens; DELETE signs them all out.",
    .paths = {"admin/users/{id}/sessions/"},
    .within = WITHIN_MANY,
    .methods = {{.method = "GET",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_READ,
                 .query = FIELDS(user_query),
                 .object = api_find_user,
                 .handle = list_of_user,
                 .out = &shape_session_page,
                 .status = 200},
                END_ROUTE(api_find_user, end_all)},
};

const struct resource api_admin_user_session_resource = {
    .name = "Admin User Session Instance",
    .description = "One device or Token of one user; DELETE signs it out.",
    .paths = {"admin/users/{id}/sessions/{session_id}/"},
    .within = WITHIN_MANY,
    .methods = {END_ROUTE(find_users_session, end_one)},
};
