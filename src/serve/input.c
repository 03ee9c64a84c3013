#include "serve/input.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "chat/email.h"
#include "http/charset.h"
#include "http/form.h"
#include "json/read.h"

/* One sent value on its way into a field; from JSON or from a form. */
struct raw {
    const json_t *json; /* NULL: text of a form or query */
    struct str text;
};

struct check {
    struct req *r;
    const struct field *field;
    struct value *value;
};

static const struct value *find_value(const struct field *fields, size_t count,
                                      const struct value *values, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &values[i];
        }
    }
    assert(false && "a field that the route does not declare");
    static const struct value absent = {.state = VALUE_ABSENT};
    return &absent;
}

const struct value *req_input(const struct req *r, const char *name)
{
    return find_value(r->route->input, r->route->input_count, r->input, name);
}

const struct value *req_filter(const struct req *r, const char *name)
{
    return find_value(r->route->query, r->route->query_count, r->filters, name);
}

enum err req_problem(struct req *r, const char *field, struct str text)
{
    problems_add(&r->problems, field, text);
    return ERR_INVALID;
}

static void wrong(struct check *c, struct str text)
{
    problems_add(&c->r->problems, c->field->name, text);
}

/* Python's name for the type, as DRF's messages have it. */
static const char *python_type(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT: return "dict";
    case JSON_ARRAY: return "list";
    case JSON_STRING: return "str";
    case JSON_INTEGER: return "int";
    case JSON_REAL: return "float";
    case JSON_TRUE:
    case JSON_FALSE: return "bool";
    case JSON_NULL: break;
    }
    return "NoneType";
}

/* Text as DRF's CharField takes it: strings and numbers. */
static bool raw_text(struct req *r, const struct raw *raw, struct str *out)
{
    if (raw->json == NULL) {
        *out = raw->text;
        return true;
    }
    if (json_is_string(raw->json)) {
        struct str s = {json_string_value(raw->json), json_string_length(raw->json)};
        *out = arena_copy(r->arena, s);
        return true;
    }
    if (json_is_number(raw->json)) {
        *out = json_dump_compact(r->arena, raw->json);
        return true;
    }
    return false;
}

static void check_choice(struct check *c, struct str text)
{
    if (str_in_list(text, c->field->choices)) {
        c->value->text = text;
    } else {
        wrong(c, arena_printf(c->r->arena, "\"%.*s\" is not a valid choice.", STR_ARG(text)));
    }
}

static void check_text(struct check *c, const struct raw *raw)
{
    const struct field *f = c->field;
    struct str text;
    if (!raw_text(c->r, raw, &text)) {
        wrong(c, STR("Not a valid string."));
        return;
    }
    if (f->type != FIELD_SECRET) {
        text = utf8_trim(text);
    }
    c->value->text = text;
    if (f->type == FIELD_CHOICE && !(text.n == 0 && f->blank)) {
        check_choice(c, text);
        return;
    }
    if (text.n == 0) {
        if (!f->blank) {
            wrong(c, STR("This field may not be blank."));
        }
        return;
    }
    if (str_contains_byte(text, '\0')) {
        wrong(c, STR("Null characters are not allowed."));
        return;
    }
    if (f->type == FIELD_EMAIL && !email_valid(text)) {
        wrong(c, STR("Enter a valid email address."));
    }
    int64_t length = (int64_t)utf8_length(text);
    if (f->max > 0 && length > f->max) {
        wrong(c, arena_printf(c->r->arena, "Ensure this field has no more than %lld characters.",
                              (long long)f->max));
    }
    if (length < f->min) {
        wrong(c, arena_printf(c->r->arena, "Ensure this field has at least %lld characters.",
                              (long long)f->min));
    }
}

static void check_uuid(struct check *c, const struct raw *raw)
{
    struct str text;
    if (!raw_text(c->r, raw, &text) || json_is_number(raw->json) ||
        !uuid_parse(str_trim(text), &c->value->id)) {
        wrong(c, STR("Must be a valid UUID."));
    }
}

/* The texts of DRF's PrimaryKeyRelatedField. */
static void check_pk(struct check *c, const struct raw *raw)
{
    struct arena *a = c->r->arena;
    struct str text;
    if (json_is_boolean(raw->json)) {
        wrong(c, STR("Incorrect type. Expected pk value, received bool."));
        return;
    }
    if (!raw_text(c->r, raw, &text)) {
        text = json_dump_compact(a, raw->json);
    } else if (json_is_number(raw->json)) {
        wrong(c, arena_printf(a, "Invalid pk \"%.*s\" - object does not exist.", STR_ARG(text)));
        return;
    } else if (str_trim(text).n == 0) {
        wrong(c, STR("This field may not be null."));
        return;
    }
    if (!uuid_parse(str_trim(text), &c->value->id)) {
        wrong(c, arena_printf(a, "“%.*s” is not a valid UUID.", STR_ARG(text)));
    }
}

static void check_range(struct check *c)
{
    const struct field *f = c->field;
    bool limited = f->min != 0 || f->max != 0;
    if (limited && c->value->n < f->min) {
        wrong(c, arena_printf(c->r->arena, "Ensure this value is greater than or equal to %lld.",
                              (long long)f->min));
    } else if (limited && c->value->n > f->max) {
        wrong(c, arena_printf(c->r->arena, "Ensure this value is less than or equal to %lld.",
                              (long long)f->max));
    }
}

static void check_int(struct check *c, const struct raw *raw)
{
    struct str text;
    if (!raw_text(c->r, raw, &text) || !str_to_i64(str_trim(text), &c->value->n)) {
        wrong(c, STR("A valid integer is required."));
    } else {
        check_range(c);
    }
}

/* DRF's words for true and false; -1: neither. */
static int bool_word(struct str text)
{
    if (str_in_list(text, "true,True,TRUE,t,T,1,yes,Yes,YES,y,Y,on,On,ON")) {
        return 1;
    }
    return str_in_list(text, "false,False,FALSE,f,F,0,no,No,NO,n,N,off,Off,OFF") ? 0 : -1;
}

static void check_bool(struct check *c, const struct raw *raw)
{
    struct str text;
    int found = -1;
    if (json_is_boolean(raw->json)) {
        found = json_is_true(raw->json) ? 1 : 0;
    } else if (raw_text(c->r, raw, &text)) {
        found = bool_word(str_trim(text));
    }
    c->value->n = found;
    if (found < 0) {
        wrong(c, STR("Must be a valid boolean."));
    }
}

static void check_time(struct check *c, const struct raw *raw)
{
    struct str text;
    if (!raw_text(c->r, raw, &text) ||
        !time_parse(str_trim(text), &c->value->n, &c->value->is_date)) {
        wrong(c, STR("Datetime has wrong format. Use one of these formats instead: "
                     "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."));
    }
}

static void take_object(struct check *c, const json_t *json)
{
    struct arena *a = c->r->arena;
    if (!json_is_object(json)) {
        wrong(c, arena_printf(a, "Expected a dictionary of items but got type \"%s\".",
                              python_type(json)));
        return;
    }
    c->value->text = json_dump_compact(a, json);
    if (c->field->max > 0 && (int64_t)c->value->text.n > c->field->max) {
        wrong(c, arena_printf(a, "Ensure this field has no more than %lld bytes of JSON.",
                              (long long)c->field->max));
    } else if (memmem(c->value->text.p, c->value->text.n, "\\u0000", 6) != NULL) {
        wrong(c, STR("Null characters are not allowed."));
    }
}

static void check_object(struct check *c, const struct raw *raw)
{
    if (raw->json != NULL) {
        take_object(c, raw->json);
        return;
    }
    json_t *root = NULL;
    struct str problem;
    if (json_read(c->r->arena, raw->text, &root, &problem) != ERR_OK) {
        wrong(c, STR("Value must be valid JSON."));
        return;
    }
    take_object(c, root);
    json_decref(root);
}

/* False: it is none, and the first that is none is enough. */
static bool add_item(struct check *c, const struct raw *raw)
{
    struct str text;
    if (!raw_text(c->r, raw, &text) || str_contains_byte(text, '\0')) {
        wrong(c, STR("Not a valid string."));
        return false;
    }
    c->value->list[c->value->count++] = utf8_trim(text);
    return true;
}

static bool list_fits(struct check *c, size_t count)
{
    if ((int64_t)count < c->field->min) {
        wrong(c, arena_printf(c->r->arena, "Ensure this field has at least %lld elements.",
                              (long long)c->field->min));
        return false;
    }
    if (c->field->max > 0 && (int64_t)count > c->field->max) {
        wrong(c, arena_printf(c->r->arena, "Ensure this field has no more than %lld elements.",
                              (long long)c->field->max));
        return false;
    }
    c->value->list = ARENA_ARRAY(c->r->arena, struct str, count + 1);
    return true;
}

static void check_list(struct check *c, const struct raw *raw)
{
    if (json_is_object(raw->json) || json_is_boolean(raw->json)) {
        wrong(c, arena_printf(c->r->arena, "Expected a list of items but got type \"%s\".",
                              python_type(raw->json)));
        return;
    }
    size_t count = json_is_array(raw->json) ? json_array_size(raw->json) : 1;
    if (!list_fits(c, count)) {
        return;
    }
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        struct raw item = *raw;
        if (json_is_array(raw->json)) {
            item.json = json_array_get(raw->json, i);
        }
        good = add_item(c, &item);
    }
}

static void check_value(struct check *c, const struct raw *raw)
{
    if (json_is_null(raw->json) && raw->json != NULL) {
        c->value->state = VALUE_NULL;
        if (!c->field->nullable) {
            wrong(c, STR("This field may not be null."));
        }
        return;
    }
    c->value->state = VALUE_SET;
    switch (c->field->type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_EMAIL:
    case FIELD_CHOICE:
    case FIELD_USER: check_text(c, raw); break;
    case FIELD_UUID: check_uuid(c, raw); break;
    case FIELD_PK: check_pk(c, raw); break;
    case FIELD_INT: check_int(c, raw); break;
    case FIELD_BOOL: check_bool(c, raw); break;
    case FIELD_TIME: check_time(c, raw); break;
    case FIELD_OBJECT: check_object(c, raw); break;
    case FIELD_LIST: check_list(c, raw); break;
    }
}

/* Visits the field's name, then its aliases: `while (next_name(f, &rest, &name))`, rest zero at
 * first. */
static bool next_name(const struct field *f, struct str *rest, struct str *name)
{
    if (name->p == NULL) {
        *name = str_of(f->name);
        *rest = str_of(f->aliases);
        return true;
    }
    if (rest->p == NULL) {
        return false;
    }
    *name = str_cut(rest, ',');
    return true;
}

static bool has_name(const struct field *f, struct str wanted)
{
    struct str name = STR_NULL;
    struct str rest = STR_NULL;
    while (next_name(f, &rest, &name)) {
        if (str_eq(name, wanted)) {
            return true;
        }
    }
    return false;
}

/* Where a field's value comes from: an object, or the pairs of a form. */
struct source {
    const json_t *object;
    const struct query *form;
};

static bool find_sent(const struct source *source, const struct field *f, struct raw *raw,
                      struct str *sent_name)
{
    struct str name = STR_NULL;
    struct str rest = STR_NULL;
    while (next_name(f, &rest, &name)) {
        if (source->object != NULL) {
            raw->json = json_object_getn(source->object, name.p, name.n);
        } else {
            raw->text = query_get(source->form, name);
        }
        if (raw->json != NULL || raw->text.p != NULL) {
            *sent_name = name;
            return true;
        }
    }
    return false;
}

/* A list in a form: the key comes once for each item. */
static void check_form_list(struct check *c, const struct query *form, struct str name)
{
    size_t at = 0;
    size_t count = 0;
    struct str text;
    while (query_get_all(form, name, &at, &text)) {
        count++;
    }
    c->value->state = VALUE_SET;
    if (!list_fits(c, count)) {
        return;
    }
    at = 0;
    bool good = true;
    while (good && query_get_all(form, name, &at, &text)) {
        good = add_item(c, &(struct raw){.text = text});
    }
}

static void refuse_key(struct req *r, struct str key)
{
    for (size_t i = 0; i < r->route->input_count; i++) {
        const struct field *f = &r->route->input[i];
        if (f->refuse_prefix != NULL && str_starts(key, str_of(f->refuse_prefix)) &&
            !has_name(f, key)) {
            problems_add(&r->problems, f->name,
                         arena_printf(r->arena, "Unknown field \"%.*s\"; did you mean \"%s\"?",
                                      STR_ARG(key), f->name));
        }
    }
}

static void refuse_keys(struct req *r, const struct source *source)
{
    if (source->object != NULL) {
        for (void *at = json_object_iter((json_t *)source->object); at != NULL;
             at = json_object_iter_next((json_t *)source->object, at)) {
            refuse_key(r, str_of(json_object_iter_key(at)));
        }
        return;
    }
    for (size_t i = 0; i < source->form->count; i++) {
        refuse_key(r, source->form->pairs[i].name);
    }
}

static void read_fields(struct req *r, const struct source *source)
{
    bool partial = str_eq(r->x->method, STR("PATCH"));
    for (size_t i = 0; i < r->route->input_count; i++) {
        struct check c = {r, &r->route->input[i], &r->input[i]};
        struct raw raw = {NULL, STR_NULL};
        if (!find_sent(source, c.field, &raw, &c.value->name)) {
            if (c.field->required && !partial) {
                wrong(&c, STR("This field is required."));
            }
        } else if (raw.json == NULL && c.field->type == FIELD_LIST) {
            check_form_list(&c, source->form, c.value->name);
        } else {
            check_value(&c, &raw);
        }
    }
    refuse_keys(r, source);
}

static enum err read_json(struct req *r, struct str text)
{
    json_t *root = NULL;
    struct str problem = STR("");
    enum err e = json_read(r->arena, text, &root, &problem);
    if (e != ERR_OK) {
        r->detail = arena_printf(r->arena, "JSON parse error - %.*s", STR_ARG(problem));
        return e;
    }
    if (json_is_object(root)) {
        read_fields(r, &(struct source){.object = root});
    } else if (json_is_null(root)) {
        problems_add(&r->problems, "non_field_errors", STR("No data provided"));
    } else {
        problems_add(&r->problems, "non_field_errors",
                     arena_printf(r->arena, "Invalid data. Expected a dictionary, but got %s.",
                                  python_type(root)));
    }
    json_decref(root);
    return ERR_OK;
}

static enum err read_form(struct req *r, const struct media_type *type)
{
    struct form form = {0};
    struct str problem = STR("");
    enum err e = form_read(r->arena, type, r->x->body, &form, &problem);
    if (e != ERR_OK) {
        r->detail = problem;
        return e;
    }
    read_fields(r, &(struct source){.form = &form.fields});
    return ERR_OK;
}

static enum err unsupported(struct req *r, struct str type)
{
    r->detail = arena_printf(r->arena, "Unsupported media type \"%.*s\" in request.",
                             STR_ARG(charset_repair(r->arena, type)));
    return ERR_MEDIA_TYPE;
}

enum err input_read_body(struct req *r, struct str content_type)
{
    r->input = ARENA_ARRAY(r->arena, struct value, r->route->input_count + 1);
    if (r->route->input_count == 0) {
        return ERR_OK;
    }
    if (r->x->body_too_large) {
        return ERR_TOO_LARGE;
    }
    if (r->x->body.n == 0) {
        read_fields(r, &(struct source){.form = &(struct query){0}});
        return ERR_OK;
    }
    struct media_type type = {STR_NULL, STR_NULL, STR_NULL};
    if (content_type.p != NULL) {
        media_type_parse(r->arena, content_type, &type);
    }
    if (str_eq_nocase(type.type, STR("application/json"))) {
        struct str text;
        struct str problem = STR("");
        enum err e = charset_to_utf8(r->arena, type.charset, r->x->body, &text, &problem);
        if (e != ERR_OK) {
            r->detail = arena_printf(r->arena, "JSON parse error - %.*s", STR_ARG(problem));
            return e;
        }
        return read_json(r, text);
    }
    if (form_is_urlencoded(&type) || form_is_multipart(&type)) {
        return read_form(r, &type);
    }
    return unsupported(r, content_type);
}

/* django-filter's way: blank and senseless booleans filter nothing, the rest is an error. */
static void read_filter(struct check *c, struct str text)
{
    struct value *v = c->value;
    struct arena *a = c->r->arena;
    struct str trimmed = utf8_trim(text);
    int yes = bool_word(trimmed);
    v->text = trimmed;
    if (trimmed.n == 0 && !c->field->blank) {
        return;
    }
    v->state = VALUE_SET;
    switch (c->field->type) {
    case FIELD_UUID:
    case FIELD_PK:
        if (!uuid_parse(trimmed, &v->id)) {
            wrong(c, STR("Enter a valid UUID."));
        }
        break;
    case FIELD_INT:
        if (!str_to_i64(trimmed, &v->n)) {
            wrong(c, STR("Enter a whole number."));
        } else {
            check_range(c);
        }
        break;
    case FIELD_BOOL:
        v->n = yes;
        if (yes < 0) {
            v->state = VALUE_ABSENT;
        }
        break;
    case FIELD_TIME:
        if (!time_parse(trimmed, &v->n, &v->is_date)) {
            wrong(c, STR("Enter a valid date/time."));
        }
        break;
    case FIELD_CHOICE:
        if (!str_in_list(trimmed, c->field->choices)) {
            wrong(c, arena_printf(a,
                                  "Select a valid choice. %.*s is not one of the available "
                                  "choices.",
                                  STR_ARG(trimmed)));
        }
        break;
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_EMAIL:
    case FIELD_OBJECT:
    case FIELD_LIST:
    case FIELD_USER: break;
    }
}

/* Without NUL bytes, as DRF's SearchFilter drops them. */
static struct str without_nul(struct arena *a, struct str text)
{
    if (!str_contains_byte(text, '\0')) {
        return text;
    }
    char *p = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\0') {
            p[n++] = text.p[i];
        }
    }
    return (struct str){p, n};
}

bool input_is_sent(const struct req *r, const struct field *field)
{
    struct raw raw = {NULL, STR_NULL};
    struct str name;
    return find_sent(&(struct source){.form = &r->query}, field, &raw, &name) &&
           utf8_trim(raw.text).n > 0;
}

enum err input_read_filters(struct req *r)
{
    const struct route *route = r->route;
    r->filters = ARENA_ARRAY(r->arena, struct value, route->query_count + 1);
    for (size_t i = 0; i < route->query_count; i++) {
        struct check c = {r, &route->query[i], &r->filters[i]};
        struct raw raw = {NULL, STR_NULL};
        if (find_sent(&(struct source){.form = &r->query}, c.field, &raw, &c.value->name)) {
            read_filter(&c, without_nul(r->arena, raw.text));
        }
    }
    return r->problems.first == NULL ? ERR_OK : ERR_INVALID;
}
