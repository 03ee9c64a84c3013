#include "serve/options.h"

#include "serve/router.h"

static const char *type_name(enum field_type type)
{
    switch (type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_USER: return "string";
    case FIELD_EMAIL: return "email";
    case FIELD_UUID: return "string";
    case FIELD_PK: return "field";
    case FIELD_INT: return "integer";
    case FIELD_BOOL: return "boolean";
    case FIELD_TIME: return "datetime";
    case FIELD_OBJECT: return "nested object";
    case FIELD_CHOICE: return "choice";
    case FIELD_LIST: return "list";
    }
    return "field";
}

/* "message_body" is labelled "Message body"; a choice "guest" is shown as "Guest". */
static struct str label(struct arena *a, struct str name)
{
    struct str copy = arena_copy(a, name);
    char *p = (char *)copy.p;
    for (size_t i = 0; i < copy.n; i++) {
        p[i] = p[i] == '_' ? ' ' : p[i];
    }
    if (copy.n > 0 && p[0] >= 'a' && p[0] <= 'z') {
        p[0] = (char)(p[0] - 'a' + 'A');
    }
    return copy;
}

static void write_choices(struct req *r, const struct field *f)
{
    struct json_out *o = &r->out;
    struct str rest = str_of(f->choices);
    json_field_open_array(o, "choices");
    while (rest.p != NULL) {
        struct str choice = str_cut(&rest, ',');
        json_open_object(o);
        json_field_str(o, "value", choice);
        json_field_str(o, "display_name", label(r->arena, choice));
        json_close_object(o);
    }
    json_close_array(o);
}

static void write_field(struct req *r, const struct field *f)
{
    struct json_out *o = &r->out;
    bool is_text = f->type == FIELD_TEXT || f->type == FIELD_EMAIL || f->type == FIELD_SECRET;
    json_key_str(o, str_of(f->name));
    json_open_object(o);
    json_field_str(o, "type", str_of(type_name(f->type)));
    json_field_bool(o, "required", f->required);
    json_field_bool(o, "read_only", false);
    json_field_str(o, "label", label(r->arena, str_of(f->name)));
    if (f->help != NULL) {
        json_field_str(o, "help_text", str_of(f->help));
    }
    if (is_text && f->max > 0) {
        json_field_i64(o, "max_length", f->max);
    }
    if (f->type == FIELD_INT && f->max > 0) {
        json_field_i64(o, "min_value", f->min);
        json_field_i64(o, "max_value", f->max);
    }
    if (f->type == FIELD_CHOICE) {
        write_choices(r, f);
    }
    json_close_object(o);
}

/* Only what the caller may do is shown: the access of the route, and its object. */
static bool may(struct req *r, const struct route *route)
{
    bool admin_only = route->access == ACCESS_ADMIN;
    if (route->access == ACCESS_USER || admin_only) {
        if (r->call.me == NULL || (admin_only && !call_is_admin(&r->call))) {
            return false;
        }
    }
    if (route->object == NULL) {
        return true;
    }
    const struct route *before = r->route;
    r->route = route;
    r->input = ARENA_ARRAY(r->arena, struct value, route->input_count + 1);
    enum err e = route->object(r);
    r->route = before;
    return e == ERR_OK;
}

static void write_type(struct json_out *o, const char *type)
{
    json_str(o, str_of(type));
}

/* What the resource's first method answers with; of what has one form alone, the page if it is one. */
static void write_renders(struct req *r)
{
    const struct route *route = &r->resource->methods[0];
    struct json_out *o = &r->out;
    json_field_open_array(o, "renders");
    if (!route->one_form) {
        write_type(o, "application/json");
    }
    if (!route->one_form || route->page != NULL) {
        write_type(o, "text/html");
    }
    for (size_t i = 0; i < route->render_count; i++) {
        json_str(o, route->renders[i].media_type);
    }
    json_close_array(o);
}

static void write_actions(struct req *r)
{
    static const char *const methods[] = {"POST", "PUT"};
    struct json_out *o = &r->out;
    bool opened = false;
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        const struct route *route = router_method(r->resource, str_of(methods[i]));
        if (route == NULL || !may(r, route)) {
            continue;
        }
        if (!opened) {
            json_field_open_object(o, "actions");
            opened = true;
        }
        json_key_str(o, str_of(methods[i]));
        json_open_object(o);
        for (size_t k = 0; k < route->input_count; k++) {
            write_field(r, &route->input[k]);
        }
        json_close_object(o);
    }
    if (opened) {
        json_close_object(o);
    }
}

void options_write(struct req *r)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_str(o, "name", str_of(r->resource->name));
    json_field_str(o, "description", str_of(r->resource->description));
    write_renders(r);
    json_field_open_array(o, "parses");
    write_type(o, "application/json");
    write_type(o, "application/x-www-form-urlencoded");
    write_type(o, "multipart/form-data");
    json_close_array(o);
    write_actions(r);
    json_close_object(o);
}
