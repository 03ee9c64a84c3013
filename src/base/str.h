/* Text by pointer and length. A struct str never owns its bytes: they live in an arena, in a
 * literal or in somebody's buffer, and the function that returns one says where. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct str {
    const char *p; /* NULL: absent, which is not the same as empty */
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NULL ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, (s).p != NULL ? (s).p : ""

static inline struct str str_of(const char *zero_terminated)
{
    return zero_terminated == NULL ? STR_NULL
                                   : (struct str){zero_terminated, strlen(zero_terminated)};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters count as equal whatever their case; for protocol words, not for people's names. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_contains_byte(struct str s, char c);
/* Without blanks, tabs and line ends around. */
struct str str_trim(struct str s);
/* Cuts at the first `separator`: returns what stands before it and moves *rest behind it. At the
 * end *rest becomes STR_NULL, so `while (rest.p != NULL)` visits every part, empty ones too. */
struct str str_cut(struct str *rest, char separator);
/* Is `word` one of the comma-separated words of `list`? */
bool str_in_list(struct str word, const char *list);
/* Whole decimal numbers only, with an optional '-'; false: no number, or out of range. */
bool str_to_i64(struct str s, int64_t *out);
/* For maps: FNV-1a, not for secrets. */
uint64_t str_hash(struct str s);
