#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

struct str buf_end(struct buf *b, struct arena *a)
{
    struct str copy = arena_copy(a, buf_view(b));
    buf_fini(b);
    return copy;
}

char *buf_take(struct buf *b, size_t *n)
{
    char *p = b->p;
    *n = b->n;
    *b = (struct buf){.max = b->max};
    return p;
}

static bool reserve(struct buf *b, size_t more)
{
    if (b->cap - b->n >= more) {
        return true;
    }
    if (b->failed || more > b->max - b->n) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap == 0 ? 512 : b->cap;
    while (cap - b->n < more) {
        cap *= 2;
    }
    b->cap = cap < b->max ? cap : b->max;
    b->p = mem_realloc(b->p, b->cap);
    return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n > 0 && reserve(b, n)) {
        memcpy(b->p + b->n, p, n);
        b->n += n;
    }
}

void buf_char(struct buf *b, char c)
{
    if (reserve(b, 1)) {
        b->p[b->n++] = c;
    }
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_i64(struct buf *b, int64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0) {
        digits[--at] = '-';
    }
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !reserve(b, (size_t)n + 1)) { /* vsnprintf writes a zero byte too */
        b->failed = true;
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += (size_t)n;
}

/* How many bytes from i on need no escape. */
static size_t plain_run(struct str s, size_t i)
{
    size_t start = i;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0xE2) {
            break;
        }
        i++;
    }
    return i - start;
}

void buf_json(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t i = 0;
    while (i < s.n) {
        size_t run = plain_run(s, i);
        buf_add(b, s.p + i, run);
        i += run;
        if (i == s.n) {
            return;
        }
        unsigned char c = (unsigned char)s.p[i];
        if (c == 0xE2) {
            /* U+2028 is E2 80 A8, U+2029 is E2 80 A9 */
            bool separator = s.n - i >= 3 && (unsigned char)s.p[i + 1] == 0x80 &&
                             ((unsigned char)s.p[i + 2] | 1) == 0xA9;
            if (separator) {
                buf_lit(b, "\\u202");
                buf_char(b, (unsigned char)s.p[i + 2] == 0xA8 ? '8' : '9');
                i += 3;
            } else {
                buf_char(b, s.p[i++]);
            }
            continue;
        }
        i++;
        switch (c) {
        case '"': buf_lit(b, "\\\""); break;
        case '\\': buf_lit(b, "\\\\"); break;
        case '\b': buf_lit(b, "\\b"); break;
        case '\f': buf_lit(b, "\\f"); break;
        case '\n': buf_lit(b, "\\n"); break;
        case '\r': buf_lit(b, "\\r"); break;
        case '\t': buf_lit(b, "\\t"); break;
        default:
            buf_lit(b, "\\u00");
            buf_char(b, hex[c >> 4]);
            buf_char(b, hex[c & 15]);
        }
    }
}

void buf_url(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            buf_char(b, (char)c);
        } else if (c == ' ') {
            buf_char(b, '+');
        } else {
            buf_char(b, '%');
            buf_char(b, hex[c >> 4]);
            buf_char(b, hex[c & 15]);
        }
    }
}

static const char *html_reference(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void buf_html(struct buf *b, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *reference = html_reference(s.p[i]);
        if (reference != NULL) {
            buf_add(b, s.p + from, i - from);
            buf_str(b, str_of(reference));
            from = i + 1;
        }
    }
    buf_add(b, s.p + from, s.n - from);
}
