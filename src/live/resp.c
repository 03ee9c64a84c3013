#include "live/resp.h"

enum { DEPTH_MAX = 8, COUNT_MAX = 4096, LINE_MAX_SIZE = 1024 };

struct reader {
    struct str rest;
    struct resp *out;
    size_t left[DEPTH_MAX]; /* values that a list still has to bring, by depth */
    size_t depth;
    size_t place; /* in the outermost list, of the value that is read */
};

/* A scalar: the whole value, or an item of the outermost list. */
static void keep(struct reader *r, enum resp_kind kind, struct str text)
{
    if (r->depth == 0) {
        r->out->kind = kind;
        r->out->text = text;
    } else if (r->depth == 1 && r->place < RESP_ITEMS) {
        r->out->items[r->place] = text;
    }
}

/* A line without its end. */
static enum resp_result read_line(struct reader *r, struct str *line)
{
    const char *end = memchr(r->rest.p, '\n', r->rest.n);
    if (end == NULL) {
        return r->rest.n > LINE_MAX_SIZE ? RESP_BAD : RESP_MORE;
    }
    size_t n = (size_t)(end - r->rest.p);
    if (n < 2 || n > LINE_MAX_SIZE || end[-1] != '\r') {
        return RESP_BAD;
    }
    *line = (struct str){r->rest.p, n - 1};
    r->rest = (struct str){end + 1, r->rest.n - n - 1};
    return RESP_OK;
}

static enum resp_result read_bulk(struct reader *r, int64_t size, enum resp_kind kind)
{
    if (size < -1 || size > RESP_SIZE_MAX) {
        return RESP_BAD;
    }
    if (size == -1) {
        keep(r, RESP_OTHER, STR_NULL);
        return RESP_OK;
    }
    size_t n = (size_t)size;
    if (r->rest.n < n + 2) {
        return RESP_MORE;
    }
    if (memcmp(r->rest.p + n, "\r\n", 2) != 0) {
        return RESP_BAD;
    }
    keep(r, kind, (struct str){r->rest.p, n});
    r->rest = (struct str){r->rest.p + n + 2, r->rest.n - n - 2};
    return RESP_OK;
}

static enum resp_result open_list(struct reader *r, int64_t count, enum resp_kind kind)
{
    if (count == -1) {
        keep(r, RESP_OTHER, STR_NULL);
        return RESP_OK;
    }
    if (count < 0 || count > COUNT_MAX || r->depth == DEPTH_MAX) {
        return RESP_BAD;
    }
    if (r->depth == 0) {
        r->out->kind = kind;
        r->out->count = (size_t)count;
    }
    if (count > 0) {
        r->left[r->depth++] = (size_t)count + 1; /* this one is counted off as well */
    }
    return RESP_OK;
}

static enum resp_result read_number(struct reader *r, struct str text)
{
    int64_t number = 0;
    if (!str_to_i64(text, &number)) {
        return RESP_BAD;
    }
    keep(r, RESP_NUMBER, text);
    if (r->depth == 0) {
        r->out->text = STR_NULL;
        r->out->number = number;
    }
    return RESP_OK;
}

static enum resp_result read_value(struct reader *r)
{
    struct str line;
    int64_t n = 0;
    enum resp_result result = read_line(r, &line);
    if (result != RESP_OK) {
        return result;
    }
    char type = line.p[0];
    struct str text = {line.p + 1, line.n - 1};
    if (type != '\0' && strchr("$!=*~>%", type) != NULL && !str_to_i64(text, &n)) {
        return RESP_BAD;
    }
    switch (type) {
    case '+': keep(r, RESP_TEXT, text); return RESP_OK;
    case '-': keep(r, RESP_ERROR, text); return RESP_OK;
    case ':': return read_number(r, text);
    case '_':
    case '#':
    case ',':
    case '(': keep(r, RESP_OTHER, STR_NULL); return RESP_OK;
    case '$':
    case '=': return read_bulk(r, n, RESP_TEXT);
    case '!': return read_bulk(r, n, RESP_ERROR);
    case '*':
    case '~': return open_list(r, n, RESP_LIST);
    case '>': return open_list(r, n, RESP_PUSH);
    case '%': return n < 0 || n > COUNT_MAX / 2 ? RESP_BAD : open_list(r, 2 * n, RESP_LIST);
    default: return RESP_BAD;
    }
}

/* One value of the innermost list has been read, and with it perhaps that list, and so on. */
static void count_off(struct reader *r)
{
    while (r->depth > 0 && --r->left[r->depth - 1] == 0) {
        r->depth--;
    }
}

enum resp_result resp_read(struct str in, struct resp *out, size_t *used)
{
    struct reader r = {.rest = in, .out = out};
    *out = (struct resp){.kind = RESP_OTHER};
    do {
        size_t depth = r.depth;
        enum resp_result result = r.rest.n == 0 ? RESP_MORE : read_value(&r);
        if (result != RESP_OK) {
            bool is_full = in.n >= RESP_SIZE_MAX;
            return result == RESP_MORE && is_full ? RESP_BAD : result;
        }
        r.place += depth == 1;
        count_off(&r);
    } while (r.depth > 0);
    *used = in.n - r.rest.n;
    return RESP_OK;
}
