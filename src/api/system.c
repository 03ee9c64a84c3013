/* The root of the API, and what watchers ask: is it alive, is it ready? */
#include "serve/app.h"
#include "serve/route.h"
#include "store/health.h"

/* ------- the root ------- */

static const struct shape_field root_fields[] = {
    {.name = "users", .type = SHAPE_URL},
    {.name = "conversations", .type = SHAPE_URL},
    {.name = "messages", .type = SHAPE_URL},
};
static const struct shape shape_root = {.name = "Root", FIELDS(root_fields)};

/* The resources as absolute links that keep the caller's prefix. */
static enum err show_root(struct req *r)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    for (size_t i = 0; i < COUNT_OF(root_fields); i++) {
        const char *name = root_fields[i].name;
        json_key_str(o, str_of(name));
        json_str(o, arena_printf(r->arena, "%.*s%.*s%s/", STR_ARG(r->base_url), STR_ARG(r->prefix),
                                 name));
    }
    json_close_object(o);
    return ERR_OK;
}

const struct resource api_root_resource = {
    .name = "Api Root",
    .description = "The resources.",
    .paths = {""},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_NONE, .handle = show_root, .out = &shape_root,
             .status = 200},
        },
};

/* ------- alive, ready ------- */

static const struct shape_field status_fields[] = {
    {.name = "status", .type = SHAPE_STRING, .choices = "ok,ready"},
};
static const struct shape shape_status = {.name = "Status", FIELDS(status_fields)};

static enum err write_status(struct req *r, struct str status)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_str(o, "status", status);
    json_close_object(o);
    return ERR_OK;
}

static enum err show_health(struct req *r)
{
    return write_status(r, STR("ok"));
}

static enum err show_readiness(struct req *r)
{
    bool migrated = false;
    if (atomic_load(&r->app->stopping)) {
        r->detail = STR("The server is stopping.");
        return ERR_UNAVAILABLE;
    }
    if (store_is_migrated(r->call.db, &migrated) != ERR_OK) {
        r->detail = STR("The database does not answer.");
        return ERR_UNAVAILABLE;
    }
    if (!migrated) {
        r->detail = STR("The database is not migrated.");
        return ERR_UNAVAILABLE;
    }
    return write_status(r, STR("ready"));
}

const struct resource api_health_resource = {
    .name = "Health",
    .description = "Whether the server is alive. It asks no database.",
    .paths = {"/health/", "health/"},
    .methods =
        {
            {"GET", ACCESS_IGNORE, ROUTE_NONE, THROTTLE_NEVER, .handle = show_health,
             .out = &shape_status, .status = 200},
        },
};

const struct resource api_ready_resource = {
    .name = "Readiness",
    .description = "Whether the database answers and is up to date.",
    .paths = {"/ready/"},
    .methods =
        {
            {"GET", ACCESS_IGNORE, ROUTE_READ, THROTTLE_NEVER, .handle = show_readiness,
             .out = &shape_status, .status = 200},
        },
};
