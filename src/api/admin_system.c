/* admin/settings/, admin/checks/: how the server is set up, and what is unwise in it. */
#include "base/conf_advice.h"
#include "serve/app.h"
#include "serve/route.h"

/* ------- settings ------- */

static const struct shape_field setting_fields[] = {
    {.name = "name", .type = SHAPE_STRING},    {.name = "group", .type = SHAPE_STRING},
    {.name = "value", .type = SHAPE_STRING},   {.name = "default", .type = SHAPE_STRING},
    {.name = "source", .type = SHAPE_STRING},  {.name = "help", .type = SHAPE_STRING},
    {.name = "allowed", .type = SHAPE_STRING}, {.name = "secret", .type = SHAPE_BOOL},
};
static const struct shape shape_setting = {.name = "Setting", FIELDS(setting_fields)};
static const struct shape_field settings_fields[] = {
    {.name = "count", .type = SHAPE_INT},
    {.name = "results", .type = SHAPE_ARRAY, .of = &shape_setting},
};
static const struct shape shape_settings = {.name = "Settings", FIELDS(settings_fields)};

static void write_setting(struct req *r, size_t i)
{
    struct json_out *o = &r->out;
    struct conf_entry entry;
    conf_entry_get(r->app->conf, i, r->arena, &entry);
    json_open_object(o);
    json_field_str(o, "name", str_of(entry.name));
    json_field_str(o, "group", str_of(entry.group));
    json_field_str(o, "value", entry.value);
    json_field_str(o, "default", str_of(entry.initial));
    json_field_str(o, "source", str_of(entry.source));
    json_field_str(o, "help", str_of(entry.help));
    json_field_str(o, "allowed", entry.allowed);
    json_field_bool(o, "secret", entry.is_secret);
    json_close_object(o);
}

static enum err list_settings(struct req *r)
{
    json_open_object(&r->out);
    json_field_i64(&r->out, "count", (int64_t)conf_count());
    json_field_open_array(&r->out, "results");
    for (size_t i = 0; i < conf_count(); i++) {
        write_setting(r, i);
    }
    json_close_array(&r->out);
    json_close_object(&r->out);
    return ERR_OK;
}

const struct resource api_admin_setting_list_resource = {
    .name = "Admin Settings",
    .description = "The settings in force and where they come from; of secrets only whether they "
                   "are set.",
    .paths = {"admin/settings/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_NONE,
                 .handle = list_settings,
                 .out = &shape_settings,
                 .status = 200}},
};

/* ------- checks ------- */

static const struct shape_field check_fields[] = {
    {.name = "id", .type = SHAPE_STRING},      {.name = "level", .type = SHAPE_STRING},
    {.name = "setting", .type = SHAPE_STRING}, {.name = "text", .type = SHAPE_STRING},
    {.name = "hint", .type = SHAPE_STRING},
};
static const struct shape shape_check = {.name = "Check", FIELDS(check_fields)};
static const struct shape_field checks_fields[] = {
    {.name = "results", .type = SHAPE_ARRAY, .of = &shape_check},
    {.name = "count", .type = SHAPE_INT},
};
static const struct shape shape_checks = {.name = "Checks", FIELDS(checks_fields)};

struct checks {
    struct json_out *o;
    int64_t count;
};

static void write_check(void *context, const struct conf_advice *advice)
{
    struct checks *checks = context;
    struct json_out *o = checks->o;
    checks->count++;
    json_open_object(o);
    json_field_str(o, "id", str_of(advice->code));
    json_field_str(o, "level", STR("warning"));
    json_field_str(o, "setting", str_of(advice->setting));
    json_field_str(o, "text", advice->text);
    json_field_str(o, "hint", str_of(advice->hint));
    json_close_object(o);
}

static enum err list_checks(struct req *r)
{
    struct checks checks = {.o = &r->out};
    json_open_object(&r->out);
    json_field_open_array(&r->out, "results");
    conf_advise(r->app->conf, true, r->arena, write_check, &checks);
    json_close_array(&r->out);
    json_field_i64(&r->out, "count", checks.count);
    json_close_object(&r->out);
    return ERR_OK;
}

const struct resource api_admin_check_list_resource = {
    .name = "Admin Checks",
    .description = "What `confab check --deploy` says of the settings.",
    .paths = {"admin/checks/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_NONE,
                 .handle = list_checks,
                 .out = &shape_checks,
                 .status = 200}},
};
