/* A growing piece of text. It gets its maximum at birth; what would go beyond it sets `failed`,
 * which sticks, so a builder checks once at the end. The escaping is in the name of the call. */
#pragma once

#include "base/str.h"

struct arena;

struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Empties, keeps the memory. */
void buf_reset(struct buf *b);
/* The text so far; valid until the next change. */
static inline struct str buf_view(const struct buf *b)
{
    return (struct str){b->p != NULL ? b->p : "", b->n};
}
/* A copy of the text in the arena; the buf's own memory is freed. */
struct str buf_end(struct buf *b, struct arena *a);
/* Ownership moves to the caller, who frees with free(); the buf is empty afterwards. */
char *buf_take(struct buf *b, size_t *n);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_char(struct buf *b, char c);
void buf_str(struct buf *b, struct str s);
#define buf_lit(b, literal) buf_add((b), "" literal, sizeof(literal) - 1)
void buf_i64(struct buf *b, int64_t n);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The inside of a JSON string (no quotes): RFC 8259, and U+2028, U+2029 escaped as DRF does. The
 * text must be valid UTF-8. */
void buf_json(struct buf *b, struct str s);
/* Text of an HTML element or of a quoted attribute: & < > " ' as references. */
void buf_html(struct buf *b, struct str s);
/* Percent-encoded for a query value as Python's quote_plus: blanks become '+'. */
void buf_url(struct buf *b, struct str s);
