#include "json/read.h"

#include "base/utf8.h"
#include "json/explain.h"
#include "json/write.h"

enum { DUMP_MAX = 16 * 1024 * 1024 };

/* Is the text nested too deeply, and where? Brackets in strings do not count. It may be no JSON at
 * all: up to its first fault this counts as a parser would. */
static bool is_too_deep(struct str text, size_t *at)
{
    int depth = 0;
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '"':
            for (i++; i < text.n && text.p[i] != '"'; i++) {
                i += text.p[i] == '\\';
            }
            break;
        case '[':
        case '{':
            if (++depth > JSON_DEPTH_MAX) {
                *at = i;
                return true;
            }
            break;
        case ']':
        case '}': depth -= depth > 0; break;
        default: break;
        }
    }
    return false;
}

/* Python decodes before it parses, so these two come before any fault of syntax. */
static struct str encoding_problem(struct arena *a, struct str text)
{
    size_t at;
    if (str_starts(text, STR("\xEF\xBB\xBF"))) {
        return json_problem_at(a, STR("Unexpected UTF-8 BOM (decode using utf-8-sig)"), text, 0);
    }
    if (utf8_valid(text, &at)) {
        return STR_NULL;
    }
    unsigned char lead = (unsigned char)text.p[at];
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    const char *why = "invalid continuation byte";
    if (lead < 0xC2 || lead > 0xF4) {
        why = "invalid start byte";
    } else if (text.n - at < length) {
        why = "unexpected end of data";
    }
    return arena_printf(a, "'utf-8' codec can't decode byte 0x%02x in position %zu: %s", lead, at,
                        why);
}

/* Why jansson did not take it. What is left to jansson's own words are keys with U+0000. */
static struct str find_problem(struct arena *a, struct str text, const json_error_t *error)
{
    struct str problem = encoding_problem(a, text);
    if (problem.p == NULL) {
        problem = json_explain(a, text);
    }
    if (problem.p == NULL) {
        size_t byte = error->position < 0 ? 0 : (size_t)error->position;
        struct str words = arena_copy(a, str_of(error->text));
        problem = json_problem_at(a, words, text, byte < text.n ? byte : text.n);
    }
    return problem;
}

enum err json_read(struct arena *a, struct str text, json_t **root, struct str *problem)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t error;
    size_t at;
    *root = NULL;
    *problem = STR_NULL;
    if (is_too_deep(text, &at)) {
        struct str words = arena_printf(a, "Nested deeper than %d levels", JSON_DEPTH_MAX);
        *problem = json_problem_at(a, words, text, at);
        return ERR_PARSE;
    }
    *root = json_loadb(text.n == 0 ? "" : text.p, text.n, flags, &error);
    if (*root != NULL) {
        return ERR_OK;
    }
    if (json_error_code(&error) == json_error_out_of_memory) {
        return ERR_INTERNAL;
    }
    *problem = find_problem(a, text, &error);
    return ERR_PARSE;
}

static void dump(struct json_out *o, const json_t *value);

static void dump_object(struct json_out *o, const json_t *object)
{
    json_t *walk = (json_t *)(uintptr_t)object; /* jansson's iterators take no const */
    json_open_object(o);
    for (void *i = json_object_iter(walk); i != NULL; i = json_object_iter_next(walk, i)) {
        json_key_str(o, (struct str){json_object_iter_key(i), json_object_iter_key_len(i)});
        dump(o, json_object_iter_value(i));
    }
    json_close_object(o);
}

static void dump_array(struct json_out *o, const json_t *array)
{
    json_open_array(o);
    for (size_t i = 0; i < json_array_size(array); i++) {
        dump(o, json_array_get(array, i));
    }
    json_close_array(o);
}

/* The writer fails at its depth limit, and that ends the recursion. */
static void dump(struct json_out *o, const json_t *value)
{
    if (o->b->failed) {
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT: dump_object(o, value); break;
    case JSON_ARRAY: dump_array(o, value); break;
    case JSON_STRING:
        json_str(o, (struct str){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER: json_i64(o, json_integer_value(value)); break;
    case JSON_REAL: json_double(o, json_real_value(value)); break;
    case JSON_TRUE:
    case JSON_FALSE: json_bool(o, json_is_true(value)); break;
    case JSON_NULL: json_put_null(o); break;
    }
}

struct str json_dump_compact(struct arena *a, const json_t *value)
{
    struct buf b;
    struct json_out o;
    buf_init(&b, DUMP_MAX);
    json_out_init(&o, &b);
    dump(&o, value);
    struct str text = json_out_done(&o) ? arena_copy(a, buf_view(&b)) : STR_NULL;
    buf_fini(&b);
    return text;
}
