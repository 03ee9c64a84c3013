/* Names and values of a query string or an urlencoded form, read as Django's QueryDict reads them:
 * '&' separates, '+' is a blank, percent signs that start no escape stay, and bytes that are no
 * UTF-8 become U+FFFD. NUL characters stay: the check of a field answers them. Any thread. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Change the number in the text too. */
enum { QUERY_PAIRS_MAX = 1000, QUERY_CHANGES_MAX = 16 };
#define QUERY_TOO_MANY STR("The number of parameters exceeded 1000.")

struct query_pair {
    struct str name;
    struct str value;
};

/* In the order of the text. All zero is a valid, empty one. */
struct query {
    struct query_pair *pairs;
    size_t count;
};

/* `text` has no "?". Pairs live in the arena or in `text`. ERR_INVALID: over QUERY_PAIRS_MAX. */
enum err query_parse(struct arena *a, struct str text, struct query *out) CHECKED;

/* The last value of that name, STR_NULL if there is none. */
struct str query_get(const struct query *q, struct str name);

/* Every value of that name:  size_t at = 0;  while (query_get_all(q, name, &at, &value)) ... */
bool query_get_all(const struct query *q, struct str name, size_t *at, struct str *value);

/* The query for a link, without '?': what is in `q`, with the names in `changes` (at most
 * QUERY_CHANGES_MAX) replaced by their value or, where it is STR_NULL, left out. Sorted by name;
 * pairs of one name keep their order. */
void query_rebuild(struct buf *out, const struct query *q, const struct query_pair *changes,
                   size_t change_count);

/* %XX undone (and '+' where `plus_is_blank`), U+FFFD for what is no UTF-8 then. */
struct str query_unescape(struct arena *a, struct str s, bool plus_is_blank);
