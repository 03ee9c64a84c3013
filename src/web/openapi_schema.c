/* Fields and shapes as JSON Schema (2020-12). */
#include "web/openapi_private.h"

static void put_words(struct openapi_writer *w, const char *words, bool and_null)
{
    struct str rest = str_of(words);
    json_open_array(&w->o);
    while (rest.p != NULL) {
        json_str(&w->o, str_cut(&rest, ','));
    }
    if (and_null) {
        json_put_null(&w->o);
    }
    json_close_array(&w->o);
}

void openapi_put_words(struct openapi_writer *w, const char *words)
{
    put_words(w, words, false);
}

void openapi_put_help(struct openapi_writer *w, const char *help, const char *aliases)
{
    struct buf text;
    struct str rest = str_of(aliases);
    const char *before = " Also taken as ";
    if (help == NULL && aliases == NULL) {
        return;
    }
    buf_init(&text, INT32_MAX);
    if (help != NULL) {
        buf_str(&text, str_of(help));
    }
    while (rest.p != NULL) {
        buf_str(&text, str_of(before + (text.n == 0 ? 1 : 0)));
        buf_char(&text, '`');
        buf_str(&text, str_cut(&rest, ','));
        buf_char(&text, '`');
        before = ", ";
    }
    if (aliases != NULL) {
        buf_char(&text, '.');
    }
    json_field_str(&w->o, "description", buf_view(&text));
    buf_fini(&text);
}

static void put_type(struct openapi_writer *w, const char *type, bool nullable)
{
    json_key(&w->o, "type");
    if (nullable) {
        json_open_array(&w->o);
        json_str(&w->o, str_of(type));
        json_str(&w->o, STR("null"));
        json_close_array(&w->o);
    } else {
        json_str(&w->o, str_of(type));
    }
}

static void put_choices(struct openapi_writer *w, const char *choices, bool nullable)
{
    json_key(&w->o, "enum");
    put_words(w, choices, nullable);
}

/* ------- what is taken ------- */

static const struct {
    const char *type;
    const char *format; /* NULL: none */
} field_types[] = {
    [FIELD_TEXT] = {"string", NULL},     [FIELD_SECRET] = {"string", "password"},
    [FIELD_EMAIL] = {"string", "email"}, [FIELD_UUID] = {"string", "uuid"},
    [FIELD_PK] = {"string", "uuid"},     [FIELD_INT] = {"integer", "int64"},
    [FIELD_BOOL] = {"boolean", NULL},    [FIELD_TIME] = {"string", "date-time"},
    [FIELD_OBJECT] = {"object", NULL},   [FIELD_CHOICE] = {"string", NULL},
    [FIELD_LIST] = {"array", NULL},      [FIELD_USER] = {"string", NULL},
};

static bool is_text(enum field_type type)
{
    return type == FIELD_TEXT || type == FIELD_SECRET || type == FIELD_EMAIL;
}

static void put_limits(struct openapi_writer *w, const struct field *field)
{
    struct json_out *o = &w->o;
    int64_t least = field->blank || field->min > 0 ? field->min : 1;
    if (is_text(field->type)) {
        if (least > 0) {
            json_field_i64(o, "minLength", least);
        }
        if (field->max > 0) {
            json_field_i64(o, "maxLength", field->max);
        }
    } else if (field->type == FIELD_OBJECT && field->max > 0) {
        json_field_i64(o, "x-max-bytes", field->max);
    }
}

/* A list of texts; one alone counts as a list. */
static void put_list(struct openapi_writer *w, const struct field *field)
{
    struct json_out *o = &w->o;
    json_field_open_array(o, "oneOf");
    json_open_object(o);
    json_field_str(o, "type", STR("array"));
    if (field->max > 0) {
        json_field_i64(o, "maxItems", field->max);
    }
    json_field_raw(o, "items", STR("{\"type\":\"string\"}"));
    json_close_object(o);
    json_raw(o, STR("{\"type\":\"string\"}"));
    if (field->nullable) {
        json_raw(o, STR("{\"type\":\"null\"}"));
    }
    json_close_array(o);
}

void openapi_put_field(struct openapi_writer *w, const struct field *field, bool is_query)
{
    struct json_out *o = &w->o;
    bool nullable = field->nullable && !is_query;
    if (field->type == FIELD_LIST) {
        put_list(w, field);
        return;
    }
    put_type(w, field_types[field->type].type, nullable);
    if (field_types[field->type].format != NULL) {
        json_field_str(o, "format", str_of(field_types[field->type].format));
    }
    if (field->type == FIELD_CHOICE) {
        put_choices(w, field->choices, nullable);
    }
    if (field->type == FIELD_INT && (field->min != 0 || field->max != 0)) {
        json_field_i64(o, "minimum", field->min);
        json_field_i64(o, "maximum", field->max);
    }
    if (field->type == FIELD_SECRET) {
        json_field_bool(o, "writeOnly", true);
    }
    if (!is_query) { /* of a filter that is too long nothing is found */
        put_limits(w, field);
    }
}

static void put_body_schema(struct openapi_writer *w, const struct openapi_body *body)
{
    struct json_out *o = &w->o;
    bool any = false;
    json_open_object(o);
    json_field_str(o, "type", STR("object"));
    json_field_open_object(o, "properties");
    for (size_t i = 0; i < body->count; i++) {
        const struct field *field = &body->fields[i];
        json_key_str(o, str_of(field->name));
        json_open_object(o);
        openapi_put_field(w, field, false);
        openapi_put_help(w, field->help, field->aliases);
        if (field->aliases != NULL) {
            json_key(o, "x-aliases");
            openapi_put_words(w, field->aliases);
        }
        json_close_object(o);
        any = any || field->required;
    }
    json_close_object(o);
    if (any && !body->is_partial) {
        json_field_open_array(o, "required");
        for (size_t i = 0; i < body->count; i++) {
            if (body->fields[i].required) {
                json_str(o, str_of(body->fields[i].name));
            }
        }
        json_close_array(o);
    }
    json_field_open_array(o, "examples");
    openapi_put_body_example(w, body);
    json_close_array(o);
    json_close_object(o);
}

/* The key of a reference, into an open object. */
static void put_ref_key(struct openapi_writer *w, struct str name)
{
    json_field_str(&w->o, "$ref",
                   arena_printf(w->arena, "#/components/schemas/%.*s", STR_ARG(name)));
}

static void put_ref(struct openapi_writer *w, struct str name)
{
    json_open_object(&w->o);
    put_ref_key(w, name);
    json_close_object(&w->o);
}

void openapi_put_body(struct openapi_writer *w, const struct route *route, struct str name)
{
    bool is_partial = strcmp(route->method, "PATCH") == 0;
    for (size_t i = 0; i < w->body_count; i++) {
        if (w->bodies[i].fields == route->input && w->bodies[i].is_partial == is_partial) {
            put_ref(w, w->bodies[i].name);
            return;
        }
    }
    if (w->body_count == OPENAPI_BODIES_MAX) {
        w->o.b->failed = true;
        return;
    }
    w->bodies[w->body_count++] =
        (struct openapi_body){route->input, route->input_count, is_partial, name};
    put_ref(w, name);
}

/* ------- what is answered ------- */

bool openapi_is_bare_list(const struct shape *shape)
{
    return shape->name[0] == '[';
}

static struct str object_name(const struct shape *shape)
{
    struct str name = str_of(shape->name);
    return openapi_is_bare_list(shape) ? (struct str){name.p + 1, name.n - 2} : name;
}

static struct str page_name(struct openapi_writer *w, const struct shape *shape)
{
    return arena_printf(w->arena, "Paginated%sList", shape->name);
}

/* Each name once. */
static void note_in(struct openapi_writer *w, struct openapi_shapes *list,
                    const struct shape *shape)
{
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq(object_name(list->items[i]), object_name(shape))) {
            return;
        }
    }
    if (list->count == OPENAPI_SHAPES_MAX) {
        w->o.b->failed = true;
        return;
    }
    list->items[list->count++] = shape;
}

static void note(struct openapi_writer *w, const struct shape *shape)
{
    note_in(w, &w->objects, shape);
    if (shape->paged) {
        note_in(w, &w->pages, shape);
    }
}

void openapi_put_answer(struct openapi_writer *w, const struct shape *shape)
{
    note(w, shape);
    if (openapi_is_bare_list(shape)) {
        json_open_object(&w->o);
        json_field_str(&w->o, "type", STR("array"));
        json_key(&w->o, "items");
        put_ref(w, object_name(shape));
        json_close_object(&w->o);
    } else {
        put_ref(w, shape->paged ? page_name(w, shape) : object_name(shape));
    }
}

static const struct {
    const char *type;
    const char *format;
} shape_types[] = {
    [SHAPE_STRING] = {"string", NULL},      [SHAPE_INT] = {"integer", NULL},
    [SHAPE_BOOL] = {"boolean", NULL},       [SHAPE_UUID] = {"string", "uuid"},
    [SHAPE_TIME] = {"string", "date-time"}, [SHAPE_JSON_OBJECT] = {"object", NULL},
    [SHAPE_OBJECT] = {"object", NULL},      [SHAPE_ARRAY] = {"array", NULL},
    [SHAPE_URL] = {"string", "uri"},
};

static void put_items(struct openapi_writer *w, const struct shape_field *field)
{
    json_key(&w->o, "items");
    if (field->of != NULL) {
        openapi_put_answer(w, field->of);
    } else {
        json_raw(&w->o, STR("{\"type\":\"string\"}"));
    }
}

static void put_object(struct openapi_writer *w, const struct shape_field *field)
{
    struct json_out *o = &w->o;
    if (!field->nullable) {
        note(w, field->of);
        put_ref_key(w, str_of(field->of->name));
        return;
    }
    json_field_open_array(o, "oneOf");
    openapi_put_answer(w, field->of);
    json_raw(o, STR("{\"type\":\"null\"}"));
    json_close_array(o);
}

static void put_shape_field(struct openapi_writer *w, const struct shape_field *field)
{
    struct json_out *o = &w->o;
    json_key_str(o, str_of(field->name));
    json_open_object(o);
    if (field->type == SHAPE_OBJECT) {
        put_object(w, field);
    } else {
        put_type(w, shape_types[field->type].type, field->nullable);
    }
    if (shape_types[field->type].format != NULL) {
        json_field_str(o, "format", str_of(shape_types[field->type].format));
    }
    if (field->choices != NULL) {
        put_choices(w, field->choices, field->nullable);
    }
    if (field->type == SHAPE_ARRAY) {
        put_items(w, field);
    }
    if (field->type == SHAPE_JSON_OBJECT) {
        json_field_bool(o, "additionalProperties", true);
    }
    openapi_put_help(w, field->help, NULL);
    json_close_object(o);
}

static void put_required(struct openapi_writer *w, const struct shape *shape)
{
    json_field_open_array(&w->o, "required");
    for (size_t i = 0; i < shape->count; i++) {
        if (!shape->fields[i].optional) {
            json_str(&w->o, str_of(shape->fields[i].name));
        }
    }
    json_close_array(&w->o);
}

static void put_object_schema(struct openapi_writer *w, const struct shape *shape)
{
    struct json_out *o = &w->o;
    json_open_object(o);
    json_field_str(o, "type", STR("object"));
    json_field_open_object(o, "properties");
    for (size_t i = 0; i < shape->count; i++) {
        put_shape_field(w, &shape->fields[i]);
    }
    json_close_object(o);
    put_required(w, shape);
    if (shape->open) {
        json_field_bool(o, "additionalProperties", true);
    }
    json_field_open_array(o, "examples");
    openapi_put_shape_example(w, shape);
    json_close_array(o);
    json_close_object(o);
}

/* As serve/page.c writes it: by number, or by cursor, where nobody counts. */
static void put_page_schema(struct openapi_writer *w, const struct shape *shape)
{
    static const char head[] =
        "{\"count\":{\"type\":\"integer\",\"description\":\"Of all pages; not by cursor.\"},"
        "\"count_capped\":{\"type\":\"boolean\",\"description\":\"There are more than count "
        "says.\"},"
        "\"next\":{\"type\":[\"string\",\"null\"],\"format\":\"uri\"},"
        "\"previous\":{\"type\":[\"string\",\"null\"],\"format\":\"uri\"},"
        "\"page_size\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"
        "\"current_page\":{\"type\":\"integer\",\"minimum\":1},"
        "\"total_pages\":{\"type\":\"integer\",\"minimum\":1},"
        "\"truncated\":{\"type\":\"boolean\",\"description\":\"Not all texts were looked "
        "into.\"},\"results\":{\"type\":\"array\",\"items\":";
    struct json_out *o = &w->o;
    json_open_object(o);
    json_field_str(o, "type", STR("object"));
    json_field_raw(
        o, "properties",
        arena_printf(w->arena, "%s{\"$ref\":\"#/components/schemas/%s\"}}}", head, shape->name));
    json_field_raw(o, "required", STR("[\"next\",\"previous\",\"page_size\",\"results\"]"));
    json_field_raw(o, "dependentRequired",
                   STR("{\"count\":[\"current_page\",\"total_pages\"],\"current_page\":[\"count\"],"
                       "\"total_pages\":[\"count\"],\"count_capped\":[\"count\"]}"));
    json_field_open_array(o, "examples");
    openapi_put_page_example(w, shape);
    json_close_array(o);
    json_close_object(o);
}

void openapi_put_schemas(struct openapi_writer *w)
{
    for (size_t i = 0; i < w->body_count; i++) {
        json_key_str(&w->o, w->bodies[i].name);
        put_body_schema(w, &w->bodies[i]);
    }
    for (size_t i = 0; i < w->objects.count; i++) { /* more are noted on the way */
        json_key_str(&w->o, object_name(w->objects.items[i]));
        put_object_schema(w, w->objects.items[i]);
    }
    for (size_t i = 0; i < w->pages.count; i++) {
        json_key_str(&w->o, page_name(w, w->pages.items[i]));
        put_page_schema(w, w->pages.items[i]);
    }
}
