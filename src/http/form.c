#define _GNU_SOURCE /* memmem */
#include "http/form.h"

#include <utf8proc.h>

#include "http/charset.h"

enum { BOUNDARY_MAX = 201 };

#define PROBLEM "Multipart form parse error - "

bool form_is_urlencoded(const struct media_type *type)
{
    return str_eq_nocase(type->type, STR("application/x-www-form-urlencoded"));
}

bool form_is_multipart(const struct media_type *type)
{
    return str_eq_nocase(type->type, STR("multipart/form-data"));
}

/* A delimiter line: "--boundary", or "--boundary--" for the last. */
struct mark {
    size_t before; /* the end of what stands before it, without the line end between */
    size_t behind; /* the start of the next line */
    bool is_last;
};

/* Is there a delimiter line at `at`, where `delimiter` was found? */
static bool read_mark(struct str body, size_t at, struct str delimiter, struct mark *mark)
{
    size_t i = at + delimiter.n;
    if (at > 0 && body.p[at - 1] != '\n') {
        return false;
    }
    mark->is_last = body.n - i >= 2 && body.p[i] == '-' && body.p[i + 1] == '-';
    i += mark->is_last ? 2 : 0;
    while (i < body.n && (body.p[i] == ' ' || body.p[i] == '\t')) {
        i++;
    }
    if (i + 1 < body.n && body.p[i] == '\r') {
        i++;
    }
    if (i < body.n && body.p[i] != '\n') {
        return false;
    }
    mark->behind = i < body.n ? i + 1 : i;
    mark->before = at;
    mark->before -= mark->before > 0 ? 1 : 0;
    mark->before -= mark->before > 0 && body.p[mark->before - 1] == '\r' ? 1 : 0;
    return true;
}

/* The first delimiter line from `from` on, which is the start of a line. */
static bool find_mark(struct str body, size_t from, struct str delimiter, struct mark *mark)
{
    while (body.n - from >= delimiter.n) {
        const char *found = memmem(body.p + from, body.n - from, delimiter.p, delimiter.n);
        if (found == NULL) {
            return false;
        }
        size_t at = (size_t)(found - body.p);
        if (read_mark(body, at, delimiter, mark)) {
            return true;
        }
        from = at + 1;
    }
    return false;
}

static struct str slice(struct str s, size_t from, size_t to)
{
    return (struct str){s.p + from, to > from ? to - from : 0};
}

/* The next part: *at is its start, and moves to that of the one behind it. False: no more. The end
 * of the body ends the last part too. */
static bool next_part(struct str body, struct str delimiter, size_t *at, struct str *part)
{
    struct mark mark;
    if (*at >= body.n) {
        return false;
    }
    if (find_mark(body, *at, delimiter, &mark)) {
        *part = slice(body, *at, mark.before);
        *at = mark.is_last ? body.n : mark.behind;
    } else {
        *part = slice(body, *at, body.n);
        *at = body.n;
    }
    return true;
}

struct part {
    struct str disposition;
    struct str content_type;
    struct str content;
};

/* False: there is no blank line behind the headers. */
static bool split_part(struct str text, struct part *part, size_t *header_size)
{
    struct str rest = text;
    *part = (struct part){STR_NULL, STR_NULL, STR_NULL};
    while (rest.p != NULL) {
        struct str value = str_cut(&rest, '\n');
        if (rest.p == NULL) {
            break;
        }
        if (str_trim(value).n == 0) {
            part->content = rest;
            *header_size = (size_t)(rest.p - text.p);
            return true;
        }
        struct str name = str_trim(str_cut(&value, ':'));
        if (str_eq_nocase(name, STR("Content-Disposition"))) {
            part->disposition = value;
        } else if (str_eq_nocase(name, STR("Content-Type"))) {
            part->content_type = str_trim(value);
        }
    }
    *header_size = text.n;
    return false;
}

/* As Python's str.isprintable: what is left out could disguise a name ("gpj.exe" turned round). */
static bool is_printable(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return true;
    }
}

/* The last component, printable characters only; empty if that leaves no name for a file. */
static struct str clean_filename(struct arena *a, struct str name)
{
    for (size_t i = name.n; i > 0; i--) {
        if (name.p[i - 1] == '/' || name.p[i - 1] == '\\') {
            name = slice(name, i, name.n);
            break;
        }
    }
    char *out = arena_alloc(a, name.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < name.n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)name.p + i,
                                                  (utf8proc_ssize_t)(name.n - i), &c);
        if (bytes <= 0) {
            break;
        }
        if (is_printable(c)) {
            memcpy(out + n, name.p + i, (size_t)bytes);
            n += (size_t)bytes;
        }
        i += (size_t)bytes;
    }
    struct str clean = str_trim((struct str){out, n});
    bool is_name = !str_eq(clean, STR(".")) && !str_eq(clean, STR(".."));
    return is_name ? clean : STR("");
}

/* filename="..." as browsers send it, or RFC 8187's  filename*=UTF-8''...  of some libraries. */
static struct str sent_filename(struct arena *a, struct str disposition)
{
    struct str extended = header_param(a, disposition, STR("filename*"));
    if (extended.p != NULL) {
        (void)str_cut(&extended, '\''); /* the character set: UTF-8 is the only one in use */
        (void)str_cut(&extended, '\''); /* the language */
    }
    if (extended.p != NULL) {
        return query_unescape(a, extended, false);
    }
    return charset_repair(a, header_param(a, disposition, STR("filename")));
}

static void keep_part(struct arena *a, const struct part *part, struct form *out)
{
    struct str name = header_param(a, part->disposition, STR("name"));
    if (name.p == NULL) {
        return;
    }
    name = charset_repair(a, str_trim(name));
    struct str filename = sent_filename(a, part->disposition);
    if (filename.n == 0) { /* also what browsers send for a file that was not chosen */
        out->fields.pairs[out->fields.count++] =
            (struct query_pair){name, charset_repair(a, part->content)};
        return;
    }
    filename = clean_filename(a, filename);
    if (filename.n > 0) {
        out->files[out->file_count++] = (struct form_file){
            .name = name,
            .filename = filename,
            .content_type = part->content_type,
            .content = part->content,
        };
    }
}

static bool is_boundary(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~') {
            return false;
        }
    }
    return s.n > 0 && s.n <= BOUNDARY_MAX && s.p[s.n - 1] != ' ';
}

static enum err read_parts(struct arena *a, struct str body, size_t first, struct str delimiter,
                           struct form *out, struct str *problem)
{
    struct str text;
    struct part part;
    size_t count = 0;
    size_t header_size;
    for (size_t at = first; next_part(body, delimiter, &at, &text);) {
        if (++count > FORM_PARTS_MAX) {
            *problem = QUERY_TOO_MANY;
            return ERR_INVALID;
        }
    }
    out->fields.pairs = ARENA_ARRAY(a, struct query_pair, count);
    out->files = ARENA_ARRAY(a, struct form_file, count);
    for (size_t at = first; next_part(body, delimiter, &at, &text);) {
        bool is_whole = split_part(text, &part, &header_size);
        if (header_size > FORM_HEADER_MAX) {
            *problem = STR(PROBLEM "Request max total header size exceeded.");
            return ERR_PARSE;
        }
        if (is_whole) {
            keep_part(a, &part, out);
        }
    }
    return ERR_OK;
}

static enum err read_multipart(struct arena *a, struct str boundary, struct str body,
                               struct form *out, struct str *problem)
{
    struct mark mark;
    if (!is_boundary(boundary)) {
        struct str shown = boundary.p == NULL ? STR("None") : charset_repair(a, boundary);
        *problem = arena_printf(a, PROBLEM "Invalid boundary in multipart: %.*s", STR_ARG(shown));
        return ERR_PARSE;
    }
    struct str delimiter = arena_printf(a, "--%.*s", STR_ARG(boundary));
    if (!find_mark(body, 0, delimiter, &mark) || mark.is_last) {
        return ERR_OK;
    }
    return read_parts(a, body, mark.behind, delimiter, out, problem);
}

enum err form_read(struct arena *a, const struct media_type *type, struct str body,
                   struct form *out, struct str *problem)
{
    *out = (struct form){0};
    *problem = STR_NULL;
    if (form_is_multipart(type)) {
        return read_multipart(a, type->boundary, body, out, problem);
    }
    enum err e = query_parse(a, body, &out->fields);
    if (e != ERR_OK) {
        *problem = QUERY_TOO_MANY;
    }
    return e;
}
