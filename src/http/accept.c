#include "http/accept.h"

enum { INDENT_MAX = 8 };

/* The end of the parameter that begins at `i`: its ';' or the end. Quoted ones do not count. */
static size_t param_end(struct str s, size_t i)
{
    bool quoted = false;
    for (; i < s.n && (quoted || s.p[i] != ';'); i++) {
        if (s.p[i] == '"') {
            quoted = !quoted;
        } else if (quoted && s.p[i] == '\\' && i + 1 < s.n) {
            i++;
        }
    }
    return i;
}

static struct str unquote(struct arena *a, struct str s)
{
    if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"') {
        return s;
    }
    s = (struct str){s.p + 1, s.n - 2};
    if (!str_contains_byte(s, '\\')) {
        return s;
    }
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool escapes = s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '"' || s.p[i + 1] == '\\');
        i += escapes ? 1 : 0;
        out[n++] = s.p[i];
    }
    return (struct str){out, n};
}

/* The parameter `name` as it stands there, quotes and all. */
static struct str raw_param(struct str header, struct str name)
{
    size_t end;
    for (size_t i = param_end(header, 0); i < header.n; i = end) {
        i++;
        end = param_end(header, i);
        struct str value = {header.p + i, end - i};
        struct str key = str_trim(str_cut(&value, '='));
        if (value.p != NULL && str_eq_nocase(key, name)) {
            return str_trim(value);
        }
    }
    return STR_NULL;
}

struct str header_param(struct arena *a, struct str header, struct str name)
{
    struct str raw = raw_param(header, name);
    return raw.p == NULL ? STR_NULL : unquote(a, raw);
}

void media_type_parse(struct arena *a, struct str header, struct media_type *out)
{
    struct str rest = header;
    *out = (struct media_type){STR_NULL, STR_NULL, STR_NULL};
    if (header.p != NULL) {
        out->type = str_trim(str_cut(&rest, ';'));
        out->boundary = header_param(a, header, STR("boundary"));
        out->charset = header_param(a, header, STR("charset"));
    }
}

/* One element of an Accept header. */
struct range {
    struct str type;
    struct str subtype;
    int precedence; /* as DRF: 3 with parameters, 2 without, 1 type and star, 0 two stars */
    int indent;
};

static const struct str star = {"*", 1};

/* Has it a parameter besides q? */
static bool has_params(struct str element)
{
    for (size_t i = param_end(element, 0); i < element.n; i = param_end(element, i + 1)) {
        struct str param = {element.p + i + 1, param_end(element, i + 1) - i - 1};
        struct str key = str_trim(str_cut(&param, '='));
        if (param.p != NULL && !str_eq_nocase(key, STR("q"))) {
            return true;
        }
    }
    return false;
}

static int wanted_indent(struct str element)
{
    int64_t n;
    struct str value = raw_param(element, STR("indent"));
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') {
        value = (struct str){value.p + 1, value.n - 2};
    }
    if (value.p == NULL || !str_to_i64(value, &n) || n < 0) {
        return 0;
    }
    return n > INDENT_MAX ? INDENT_MAX : (int)n;
}

static struct range range_of(struct str element)
{
    struct range range = {.precedence = 2};
    struct str rest = element;
    struct str subtype = str_trim(str_cut(&rest, ';'));
    range.type = str_cut(&subtype, '/');
    range.subtype = subtype;
    if (rest.p != NULL) {
        range.indent = wanted_indent(element);
    }
    if (str_eq(range.type, star)) {
        range.precedence = 0;
    } else if (str_eq(range.subtype, star)) {
        range.precedence = 1;
    } else if (rest.p != NULL && has_params(element)) {
        range.precedence = 3;
    }
    return range;
}

static bool is_problem_json(const struct range *range)
{
    return str_eq_nocase(range->type, STR("application")) &&
           str_eq_nocase(range->subtype, STR("problem+json"));
}

/* A client that asks for problem+json wants JSON, and its errors in that form. */
static bool matches(const struct range *range, struct str media_type)
{
    struct str subtype = media_type;
    struct str type = str_cut(&subtype, '/');
    if (is_problem_json(range)) {
        return str_eq_nocase(media_type, STR("application/json"));
    }
    return (str_eq(range->type, star) || str_eq_nocase(range->type, type)) &&
           (str_eq(range->subtype, star) || str_eq_nocase(range->subtype, subtype));
}

static bool has_format(const struct renderer *renderer, struct str format)
{
    return format.n == 0 || str_eq(renderer->format, format);
}

/* The best renderer for the header among those of the format; false: none. */
static bool choose_by_header(struct str accept, struct str format, const struct renderer *list,
                             size_t count, struct accept_choice *out)
{
    int best = -1;
    while (accept.p != NULL) {
        struct range range = range_of(str_trim(str_cut(&accept, ',')));
        out->problem_json = out->problem_json || is_problem_json(&range);
        for (size_t i = 0; i < count; i++) {
            bool is_better =
                range.precedence > best || (range.precedence == best && i < out->index);
            if (is_better && has_format(&list[i], format) && matches(&range, list[i].media_type)) {
                best = range.precedence;
                out->index = i;
                out->indent = range.indent;
            }
        }
    }
    return best >= 0;
}

enum err accept_choose(struct str accept, struct str format, const struct renderer *list,
                       size_t count, struct accept_choice *out)
{
    *out = (struct accept_choice){0};
    if (accept.n == 0) {
        accept = STR("*/*");
    }
    if (choose_by_header(accept, format, list, count, out)) {
        return ERR_OK;
    }
    if (format.n == 0) {
        return ERR_NOT_ACCEPTABLE;
    }
    for (size_t i = 0; i < count; i++) {
        if (has_format(&list[i], format)) {
            out->index = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}
