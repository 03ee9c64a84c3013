/* One's devices: log-ins and long-lived Tokens. */
#include "chat/session.h"
#include "serve/page.h"
#include "serve/route.h"
#include "store/session.h"

static const struct shape_field session_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "session_id", .type = SHAPE_UUID},
    {.name = "kind", .type = SHAPE_STRING, .choices = SESSION_KIND_CHOICES},
    {.name = "created_at", .type = SHAPE_TIME},
    {.name = "last_used", .type = SHAPE_TIME},
    {.name = "user_agent", .type = SHAPE_STRING},
    {.name = "address", .type = SHAPE_STRING},
    {.name = "current", .type = SHAPE_BOOL, .help = "The one that asks."},
};
static const struct shape shape_session_page = {
    .name = "Session", FIELDS(session_fields), .paged = true};

static const struct field list_query[] = {PAGE_FIELDS};

static void write_session(struct req *r, const struct session *session)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_uuid(o, "id", session->id);
    json_field_uuid(o, "session_id", session->id);
    json_field_str(o, "kind", str_of(session_kind_names[session->kind]));
    json_field_time(o, "created_at", session->created_at);
    json_field_time(o, "last_used", session->last_used_at);
    json_field_str(o, "user_agent", session->user_agent);
    json_field_str(o, "address", session->address);
    json_field_bool(o, "current", uuid_eq(session->id, r->call.session_id));
    json_close_object(o);
}

static struct list_key key_of(const struct session *session)
{
    return (struct list_key){.n = session->created_at, .id = session->id};
}

static void write_page(struct req *r, struct pager *p, const struct session *rows, size_t fetched)
{
    static const struct list_key none;
    size_t n = pager_rows(p, fetched);
    pager_open(p, n > 0 ? key_of(&rows[pager_index(p, n, 0)]) : none,
               n > 0 ? key_of(&rows[pager_index(p, n, n - 1)]) : none);
    for (size_t i = 0; i < n; i++) {
        write_session(r, &rows[pager_index(p, n, i)]);
    }
    pager_close(p);
}

static enum err list_sessions(struct req *r)
{
    struct call *c = &r->call;
    struct pager p;
    struct session *rows;
    size_t n;
    int64_t count = 0;
    enum err e = pager_init(&p, r, 's', true);
    if (e == ERR_OK && pager_needs_count(&p)) {
        e = store_session_count(c->db, c->me->id, c->now_us, &count);
        if (e == ERR_OK) {
            e = pager_set_count(&p, count, false);
        }
    }
    if (e == ERR_OK) {
        e = store_session_list(c->db, c->arena, c->me->id, c->now_us, &p.window, &rows, &n);
    }
    if (e == ERR_OK) {
        write_page(r, &p, rows, n);
    }
    return e;
}

const struct resource api_session_list_resource = {
    .name = "Session List",
    .description = "The caller's devices and Tokens.",
    .paths = {"users/me/sessions/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_USER,
                 .db = ROUTE_READ,
                 .query = FIELDS(list_query),
                 .handle = list_sessions,
                 .out = &shape_session_page,
                 .status = 200}},
};

static enum err find_session(struct req *r)
{
    struct session *session = ARENA_NEW(r->arena, struct session);
    r->object = session;
    return chat_session_get(&r->call, r->path_ids[0].id, r->call.me->id, session);
}

static enum err revoke_session(struct req *r)
{
    return chat_session_revoke(&r->call, r->object);
}

const struct resource api_session_resource = {
    .name = "Session Instance",
    .description = "One device of the caller's.",
    .paths = {"users/me/sessions/{id}/"},
    .methods = {{.method = "DELETE",
                 .access = ACCESS_USER,
                 .db = ROUTE_WRITE,
                 .object = find_session,
                 .handle = revoke_session,
                 .about = "Signs the device out.",
                 .status = 204}},
};
