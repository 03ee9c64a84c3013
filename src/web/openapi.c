#include "web/openapi.h"

#include "serve/router.h"
#include "web/openapi_private.h"

static const char description[] =
    "A self-hosted messaging server: people, conversations, messages, over REST and in real time.\n\n"
    "- `/api/v1/` and `/api/chats/` are the same tree as `/api/`; the slash at the end may be left "
    "out. `x-aliases` of a path are other paths to the same.\n"
    "- `HEAD` works wherever `GET` does, `OPTIONS` everywhere; it tells the fields.\n"
    "- Unknown fields are ignored. Other names under which a field or parameter is taken are in its "
    "`x-aliases`.\n"
    "- Each error carries a code in the header `X-Error-Code` (`x-error-codes` of an operation), and "
    "comes as RFC 9457 where `Accept` names `application/problem+json`.\n"
    "- Lists are read by `page` and `page_size`, or at any depth by `cursor` (empty at first).\n"
    "- Who may call an operation is in its `x-access`: anyone, user, admin.";

static void put_info(struct openapi_writer *w)
{
    struct json_out *o = &w->o;
    json_field_open_object(o, "info");
    json_field_str(o, "title", STR("Confab"));
    json_field_str(o, "version", STR(CONFAB_VERSION));
    json_field_str(o, "description", str_of(description));
    json_field_raw(o, "license", STR("{\"name\":\"MIT\",\"identifier\":\"MIT\"}"));
    json_close_object(o);
}

/* ------- paths ------- */

static void put_path(struct openapi_writer *w, const struct resource *resource)
{
    static const struct {
        const char *method;
        const char *key;
    } methods[] = {
        {"GET", "get"}, {"POST", "post"}, {"PUT", "put"}, {"PATCH", "patch"}, {"DELETE", "delete"}};
    struct json_out *o = &w->o;
    json_key_str(o, router_full_path(w->arena, resource->paths[0]));
    json_open_object(o);
    if (resource->paths[1] != NULL) {
        json_field_open_array(o, "x-aliases");
        for (size_t i = 1; i < PATHS_MAX && resource->paths[i] != NULL; i++) {
            json_str(o, router_full_path(w->arena, resource->paths[i]));
        }
        json_close_array(o);
    }
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        for (const struct route *route = resource->methods; route->method != NULL; route++) {
            if (strcmp(route->method, methods[i].method) == 0) {
                json_key_str(o, str_of(methods[i].key));
                openapi_put_operation(w, resource, route);
            }
        }
    }
    json_close_object(o);
}

static void put_paths(struct openapi_writer *w)
{
    json_field_open_object(&w->o, "paths");
    for (size_t i = 0; i < api_resource_count; i++) {
        put_path(w, api_resources[i]);
    }
    json_close_object(&w->o);
}

/* ------- components ------- */

static void put_security_schemes(struct openapi_writer *w)
{
    struct json_out *o = &w->o;
    json_field_open_object(o, "securitySchemes");
    json_field_raw(o, "jwt",
                   STR("{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\","
                       "\"description\":\"The access token of POST /api/token/.\"}"));
    json_field_raw(o, "token",
                   STR("{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"Authorization\","
                       "\"description\":\"Token KEY, with the word before the key of POST "
                       "/api-token-auth/.\"}"));
    json_field_raw(o, "session",
                   STR("{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"sessionid\","
                       "\"description\":\"Of browsers that are logged in at /api-auth/login/.\"}"));
    json_field_raw(o, "csrf",
                   STR("{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-CSRFToken\","
                       "\"description\":\"With the session cookie: the value of the cookie "
                       "csrftoken.\"}"));
    json_field_raw(o, "ticket",
                   STR("{\"type\":\"apiKey\",\"in\":\"query\",\"name\":\"ticket\","
                       "\"description\":\"Of POST /api/ws/ticket/; good once.\"}"));
    if (w->conf->auth_basic) {
        json_field_raw(o, "basic", STR("{\"type\":\"http\",\"scheme\":\"basic\"}"));
    }
    json_close_object(o);
}

static void put_headers(struct openapi_writer *w)
{
    struct json_out *o = &w->o;
    json_field_open_object(o, "headers");
    json_field_raw(o, "RequestID",
                   STR("{\"description\":\"That of the request, or one that was made; it is in the "
                       "access log too.\",\"schema\":{\"type\":\"string\"}}"));
    json_field_raw(o, "RetryAfter",
                   STR("{\"description\":\"Seconds to wait.\",\"schema\":{\"type\":\"integer\","
                       "\"minimum\":1}}"));
    json_field_raw(o, "Authenticate", STR("{\"schema\":{\"type\":\"string\"}}"));
    json_field_raw(o, "IdempotentReplay",
                   STR("{\"description\":\"The request was answered before; nothing was done "
                       "again.\",\"schema\":{\"const\":\"true\"}}"));
    json_close_object(o);
}

static void put_components(struct openapi_writer *w)
{
    struct json_out *o = &w->o;
    json_field_open_object(o, "components");
    put_security_schemes(w);
    put_headers(w);
    json_field_open_object(o, "responses");
    openapi_put_error_responses(w);
    json_close_object(o);
    json_field_open_object(o, "schemas");
    openapi_put_error_schemas(w);
    openapi_put_schemas(w);
    json_close_object(o);
    json_close_object(o);
}

void openapi_write(const struct conf *conf, struct buf *out)
{
    struct arena arena;
    arena_init(&arena);
    struct openapi_writer w = {.arena = &arena, .conf = conf};
    json_out_init(&w.o, out);
    json_open_object(&w.o);
    json_field_str(&w.o, "openapi", STR("3.1.0"));
    put_info(&w);
    json_field_raw(&w.o, "servers", STR("[{\"url\":\"/\"}]"));
    json_key(&w.o, "tags");
    openapi_put_tags(&w);
    put_paths(&w);
    put_components(&w);
    json_close_object(&w.o);
    if (!json_out_done(&w.o)) {
        out->failed = true;
    }
    arena_fini(&arena);
}
