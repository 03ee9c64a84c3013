#include "http/query.h"

#include <stdlib.h>

#include "http/charset.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of the escape at `i`, -1 if none starts there. */
static int escaped_byte(struct str s, size_t i)
{
    if (s.p[i] != '%' || s.n - i < 3) {
        return -1;
    }
    int high = hex_digit(s.p[i + 1]);
    int low = hex_digit(s.p[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

struct str query_unescape(struct arena *a, struct str s, bool plus_is_blank)
{
    if (!str_contains_byte(s, '%') && !(plus_is_blank && str_contains_byte(s, '+'))) {
        return charset_repair(a, s);
    }
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        int byte = escaped_byte(s, i);
        if (byte >= 0) {
            out[n++] = (char)byte;
            i += 3;
        } else {
            out[n++] = plus_is_blank && s.p[i] == '+' ? ' ' : s.p[i];
            i++;
        }
    }
    return charset_repair(a, (struct str){out, n});
}

/* As Django counts: separators and one, whether or not something stands between them. */
static size_t count_pairs(struct str text)
{
    size_t count = text.n > 0;
    for (size_t i = 0; i < text.n; i++) {
        count += text.p[i] == '&';
    }
    return count;
}

enum err query_parse(struct arena *a, struct str text, struct query *out)
{
    *out = (struct query){0};
    size_t count = count_pairs(text);
    if (count > QUERY_PAIRS_MAX) {
        return ERR_INVALID;
    }
    if (count == 0) {
        return ERR_OK;
    }
    out->pairs = ARENA_ARRAY(a, struct query_pair, count);
    for (struct str rest = text; rest.p != NULL;) {
        struct str value = str_cut(&rest, '&');
        if (value.n == 0) {
            continue;
        }
        struct str name = str_cut(&value, '=');
        struct query_pair *pair = &out->pairs[out->count++];
        pair->name = query_unescape(a, name, true);
        pair->value = value.p == NULL ? STR("") : query_unescape(a, value, true);
    }
    return ERR_OK;
}

struct str query_get(const struct query *q, struct str name)
{
    for (size_t i = q->count; i > 0; i--) {
        if (str_eq(q->pairs[i - 1].name, name)) {
            return q->pairs[i - 1].value;
        }
    }
    return STR_NULL;
}

bool query_get_all(const struct query *q, struct str name, size_t *at, struct str *value)
{
    while (*at < q->count) {
        const struct query_pair *pair = &q->pairs[(*at)++];
        if (str_eq(pair->name, name)) {
            *value = pair->value;
            return true;
        }
    }
    return false;
}

/* By name, in the order of UTF-8 bytes, which is that of Python's str. Names that are equal stand
 * in the same array (a changed name is taken from `changes` only), so its order decides. */
static int compare_pairs(const void *left, const void *right)
{
    const struct query_pair *a = *(const struct query_pair *const *)left;
    const struct query_pair *b = *(const struct query_pair *const *)right;
    size_t common = a->name.n < b->name.n ? a->name.n : b->name.n;
    int order = common == 0 ? 0 : memcmp(a->name.p, b->name.p, common);
    if (order != 0) {
        return order;
    }
    if (a->name.n != b->name.n) {
        return a->name.n < b->name.n ? -1 : 1;
    }
    return a < b ? -1 : a > b;
}

static bool is_changed(struct str name, const struct query_pair *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, changes[i].name)) {
            return true;
        }
    }
    return false;
}

void query_rebuild(struct buf *out, const struct query *q, const struct query_pair *changes,
                   size_t change_count)
{
    const struct query_pair *order[QUERY_PAIRS_MAX + QUERY_CHANGES_MAX];
    size_t count = 0;
    if (q->count > QUERY_PAIRS_MAX || change_count > QUERY_CHANGES_MAX) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < q->count; i++) {
        if (!is_changed(q->pairs[i].name, changes, change_count)) {
            order[count++] = &q->pairs[i];
        }
    }
    for (size_t i = 0; i < change_count; i++) {
        if (changes[i].value.p != NULL) {
            order[count++] = &changes[i];
        }
    }
    if (count > 1) {
        qsort(order, count, sizeof(order[0]), compare_pairs);
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_char(out, '&');
        }
        buf_url(out, order[i]->name);
        buf_char(out, '=');
        buf_url(out, order[i]->value);
    }
}
