/* confab routes: the route table as JSON, for tests and for those who generate clients.
 *
 *     {"routes": [{"method", "path", "aliases", "name", "access", "db", "throttle", "slow",
 *                  "input": [field...], "query": [field...], "out", "status", "idempotent",
 *                  "secret", "paged"}...],
 *      "shapes": {"Message": {"id": "uuid", "edited_at": "time|null", "sender": "User", ...}}}
 *
 * `out` is null (no body), the name of a shape, "page:Name" for the envelope of a list around it,
 * or "[Name]" for a bare list. In a shape a field's value is a type or the name of a shape, in [ ]
 * for a list; "|null" behind it: it may be null; "?" behind the key: it may be missing. */
#include <stdio.h>

#include "cli/options.h"
#include "serve/route.h"
#include "json/write.h"

enum { JSON_MAX = 4 * 1024 * 1024, SHAPES_MAX = 128 };

static const char *const field_types[] = {
    [FIELD_TEXT] = "text",     [FIELD_SECRET] = "secret", [FIELD_EMAIL] = "email",
    [FIELD_UUID] = "uuid",     [FIELD_PK] = "pk",         [FIELD_INT] = "int",
    [FIELD_BOOL] = "bool",     [FIELD_TIME] = "time",     [FIELD_OBJECT] = "object",
    [FIELD_CHOICE] = "choice", [FIELD_LIST] = "list",     [FIELD_USER] = "user",
};
static const char *const shape_types[] = {
    [SHAPE_STRING] = "string", [SHAPE_INT] = "int",   [SHAPE_BOOL] = "bool",
    [SHAPE_UUID] = "uuid",     [SHAPE_TIME] = "time", [SHAPE_JSON_OBJECT] = "object",
    [SHAPE_OBJECT] = "object", [SHAPE_ARRAY] = "any", [SHAPE_URL] = "url",
};
static const char *const accesses[] = {
    [ACCESS_UNDECLARED] = "undeclared", [ACCESS_ANYONE] = "anyone",
    [ACCESS_IGNORE] = "ignore",         [ACCESS_USER] = "user",
    [ACCESS_ADMIN] = "admin",
};
static const char *const dbs[] = {
    [ROUTE_NONE] = "none",
    [ROUTE_READ] = "read",
    [ROUTE_WRITE] = "write",
};
static const char *const throttles[] = {
    [THROTTLE_NORMAL] = "normal",
    [THROTTLE_NEVER] = "never",
    [THROTTLE_LOGIN] = "login",
    [THROTTLE_REGISTER] = "register",
};

struct printer {
    struct arena *arena;
    struct json_out o;
    const struct shape *shapes[SHAPES_MAX]; /* those that routes name, and those that they name */
    size_t shape_count;
};

/* ------- shapes ------- */

/* "[Message]" is a bare list of the shape Message. */
static bool is_bare_list(const struct shape *shape)
{
    return shape->name[0] == '[';
}

static struct str bare_name(const struct shape *shape)
{
    struct str name = str_of(shape->name);
    return is_bare_list(shape) ? (struct str){name.p + 1, name.n - 2} : name;
}

/* Notes the shape and what it is made of, each name once. */
static void note_shape(struct printer *p, const struct shape *shape)
{
    for (size_t i = 0; i < p->shape_count; i++) {
        if (str_eq(bare_name(p->shapes[i]), bare_name(shape))) {
            return;
        }
    }
    if (p->shape_count == SHAPES_MAX) {
        return;
    }
    p->shapes[p->shape_count++] = shape;
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].of != NULL) {
            note_shape(p, shape->fields[i].of);
        }
    }
}

static void write_shape_field(struct printer *p, const struct shape_field *field)
{
    struct str name = field->of != NULL ? bare_name(field->of) : str_of(shape_types[field->type]);
    bool list = field->type == SHAPE_ARRAY;
    json_key_str(&p->o, arena_printf(p->arena, "%s%s", field->name, field->optional ? "?" : ""));
    json_str(&p->o, arena_printf(p->arena, "%s%.*s%s%s", list ? "[" : "", STR_ARG(name),
                                 list ? "]" : "", field->nullable ? "|null" : ""));
}

static void write_shapes(struct printer *p)
{
    json_field_open_object(&p->o, "shapes");
    for (size_t i = 0; i < p->shape_count; i++) {
        const struct shape *shape = p->shapes[i];
        json_key_str(&p->o, bare_name(shape));
        json_open_object(&p->o);
        for (size_t f = 0; f < shape->count; f++) {
            write_shape_field(p, &shape->fields[f]);
        }
        json_close_object(&p->o);
    }
    json_close_object(&p->o);
}

static void write_out(struct printer *p, const struct shape *shape)
{
    json_key(&p->o, "out");
    if (shape == NULL) {
        json_put_null(&p->o);
        return;
    }
    json_str(&p->o, arena_printf(p->arena, "%s%s", shape->paged ? "page:" : "", shape->name));
    note_shape(p, shape);
}

/* ------- fields ------- */

static void write_words(struct json_out *o, const char *list)
{
    struct str rest = str_of(list);
    json_open_array(o);
    while (rest.p != NULL) {
        json_str(o, str_cut(&rest, ','));
    }
    json_close_array(o);
}

static void write_field(struct json_out *o, const struct field *field)
{
    json_open_object(o);
    json_field_str(o, "name", str_of(field->name));
    json_key(o, "aliases");
    write_words(o, field->aliases);
    json_field_str(o, "type", str_of(field_types[field->type]));
    json_field_bool(o, "required", field->required);
    json_field_bool(o, "nullable", field->nullable);
    json_field_bool(o, "blank", field->blank);
    if (field->min != 0 || field->max != 0) {
        json_field_i64(o, "min", field->min);
        json_field_i64(o, "max", field->max);
    }
    if (field->choices != NULL) {
        json_key(o, "choices");
        write_words(o, field->choices);
    }
    if (field->refuse_prefix != NULL) {
        json_field_str(o, "refuse_prefix", str_of(field->refuse_prefix));
    }
    json_field_str_or_null(o, "help", str_of(field->help));
    json_close_object(o);
}

static void write_fields(struct json_out *o, const struct field *fields, size_t count)
{
    json_open_array(o);
    for (size_t i = 0; i < count; i++) {
        write_field(o, &fields[i]);
    }
    json_close_array(o);
}

/* ------- routes ------- */

static struct str full_path(struct printer *p, const char *path)
{
    return path[0] == '/' ? str_of(path) : arena_printf(p->arena, "/api/%s", path);
}

static void write_paths(struct printer *p, const struct resource *resource)
{
    json_field_str(&p->o, "path", full_path(p, resource->paths[0]));
    json_field_open_array(&p->o, "aliases");
    for (size_t i = 1; i < PATHS_MAX && resource->paths[i] != NULL; i++) {
        json_str(&p->o, full_path(p, resource->paths[i]));
    }
    json_close_array(&p->o);
}

static void write_route(struct printer *p, const struct resource *resource,
                        const struct route *route)
{
    struct json_out *o = &p->o;
    json_open_object(o);
    json_field_str(o, "method", str_of(route->method));
    write_paths(p, resource);
    json_field_str(o, "name", str_of(resource->name));
    json_field_str(o, "access", str_of(accesses[route->access]));
    json_field_str(o, "db", str_of(dbs[route->db]));
    json_field_str(o, "throttle", str_of(throttles[route->throttle]));
    json_field_bool(o, "slow", route->slow != NULL);
    json_key(o, "input");
    write_fields(o, route->input, route->input_count);
    json_key(o, "query");
    write_fields(o, route->query, route->query_count);
    write_out(p, route->out);
    json_field_i64(o, "status", route->status);
    json_field_bool(o, "idempotent", route->may_replay != NULL);
    json_field_bool(o, "secret", route->secret);
    json_field_bool(o, "paged", route->out != NULL && route->out->paged);
    json_close_object(o);
}

static void write_table(struct printer *p)
{
    json_open_object(&p->o);
    json_field_open_array(&p->o, "routes");
    for (size_t i = 0; i < api_resource_count; i++) {
        const struct resource *resource = api_resources[i];
        for (const struct route *route = resource->methods; route->method != NULL; route++) {
            write_route(p, resource, route);
        }
    }
    json_close_array(&p->o);
    write_shapes(p);
    json_close_object(&p->o);
}

int cli_routes(struct cli *cli)
{
    struct printer p = {.arena = cli->arena};
    struct buf text;
    const struct cli_usage usage = {.command = "routes",
                                    .about = "Prints the route table as JSON."};
    int code = 0;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    buf_init(&text, JSON_MAX);
    json_out_init(&p.o, &text);
    write_table(&p);
    if (json_out_done(&p.o)) {
        buf_char(&text, '\n');
        (void)fwrite(text.p, 1, text.n, stdout);
    } else {
        code = cli_fail(1, "the route table is larger than %d bytes.", JSON_MAX);
    }
    buf_fini(&text);
    return code;
}
