#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

#define ASCII_MASK UINT64_C(0x8080808080808080)

/* How many bytes from `i` on are ASCII; eight at a time, as most text is. */
static size_t ascii_run(struct str s, size_t i)
{
    size_t start = i;
    uint64_t word;
    while (s.n - i >= sizeof(word)) {
        memcpy(&word, s.p + i, sizeof(word));
        if ((word & ASCII_MASK) != 0) {
            break;
        }
        i += sizeof(word);
    }
    while (i < s.n && (unsigned char)s.p[i] < 0x80) {
        i++;
    }
    return i - start;
}

/* The bytes of the well-formed sequence at `p` (RFC 3629, the table of section 4), or 0. The range
 * of the second byte is what keeps overlong forms, surrogates and too high values out. */
static size_t sequence(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t length;
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        length = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        length = 3;
        low = p[0] == 0xE0 ? 0xA0 : low;
        high = p[0] == 0xED ? 0x9F : high;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        length = 4;
        low = p[0] == 0xF0 ? 0x90 : low;
        high = p[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (n < length || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

/* *bad_at is the start of the sequence that is wrong, as in Python's UnicodeDecodeError. */
bool utf8_valid(struct str s, size_t *bad_at)
{
    for (size_t i = 0; i < s.n;) {
        i += ascii_run(s, i);
        if (i == s.n) {
            break;
        }
        size_t length = sequence((const unsigned char *)s.p + i, s.n - i);
        if (length == 0) {
            if (bad_at != NULL) {
                *bad_at = i;
            }
            return false;
        }
        i += length;
    }
    return true;
}

size_t utf8_length(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) {
        count += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    }
    return count;
}

/* The characters for which Python's str.isspace() is true. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Bytes of the white space character at `p`, 0 if there is another one. All white space is
 * encoded in one to three bytes. */
static size_t space_bytes(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return is_space(p[0]) ? 1 : 0;
    }
    size_t length = sequence(p, n);
    if (length == 2) {
        return is_space((uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F)) ? 2 : 0;
    }
    if (length == 3) {
        uint32_t c = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        return is_space(c) ? 3 : 0;
    }
    return 0;
}

static size_t space_bytes_at_end(struct str s)
{
    for (size_t length = 1; length <= 3 && length <= s.n; length++) {
        if (space_bytes(s.p + (s.n - length), length) == length) {
            return length;
        }
    }
    return 0;
}

struct str utf8_trim(struct str s)
{
    size_t length;
    while ((length = space_bytes(s.p, s.n)) > 0) {
        s = (struct str){s.p + length, s.n - length};
    }
    while ((length = space_bytes_at_end(s)) > 0) {
        s.n -= length;
    }
    return s;
}

static struct str fold_ascii(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return (struct str){out, s.n};
}

struct str utf8_fold(struct arena *a, struct str s)
{
    const utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD;
    if (s.p == NULL) {
        return s;
    }
    if (ascii_run(s, 0) == s.n) {
        return fold_ascii(a, s);
    }
    const utf8proc_uint8_t *text = (const utf8proc_uint8_t *)s.p;
    utf8proc_ssize_t count = utf8proc_decompose(text, (utf8proc_ssize_t)s.n, NULL, 0, options);
    if (count < 0) {
        return s;
    }
    /* Code points in, bytes out, in the same memory; one byte more for utf8proc's end mark. */
    utf8proc_int32_t *points = mem_alloc((size_t)count * sizeof(*points) + 1);
    struct str folded = s;
    count = utf8proc_decompose(text, (utf8proc_ssize_t)s.n, points, count, options);
    if (count >= 0) {
        utf8proc_ssize_t bytes = utf8proc_reencode(points, count, options);
        if (bytes >= 0) {
            folded = arena_copy(a, (struct str){(const char *)points, (size_t)bytes});
        }
    }
    free(points);
    return folded;
}
