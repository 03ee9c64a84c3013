/* Lists: page numbers as DRF's PageNumberPagination, and cursors.
 *
 *     struct pager p;
 *     enum err e = pager_init(&p, r, 's', descending);           // reads page, page_size, cursor
 *     if (e == ERR_OK && pager_needs_count(&p)) {
 *         e = store_x_count(..., &count);                          // with filters: at most
 *         if (e == ERR_OK) e = pager_set_count(&p, count, capped); // PAGER_COUNT_MAX + 1 rows
 *     }
 *     if (e == ERR_OK) e = store_x_list(..., &p.window, &rows, &n); // p.window.limit rows at most
 *     if (e != ERR_OK) return e;
 *     n = pager_rows(&p, n);
 *     pager_open(&p, n > 0 ? key(first) : ..., key(last));        // keys of the rows shown
 *     for (size_t i = 0; i < n; i++) write(&rows[pager_index(&p, n, i)]);
 *     pager_close(&p);
 */
#pragma once

#include "serve/req.h"
#include "store/model.h"

enum { PAGE_SIZE = 20, PAGE_SIZE_MAX = 100, PAGER_COUNT_MAX = 10000, PAGE_ROWS_MAX = 10000 };

struct pager {
    struct req *r;
    struct window window; /* for the store */
    bool truncated;       /* set it: "truncated": true in the answer */
    /* private */
    char order; /* tells orderings apart inside cursors */
    bool descending;
    bool by_cursor;
    bool backward;   /* the cursor leads to what comes before */
    bool reversed;   /* rows come in the opposite order */
    bool from_start; /* the cursor is empty: there is nothing before */
    bool from_end;   /* the cursor says last: there is nothing behind */
    bool last;       /* page=last */
    int64_t page, page_size, page_count, count;
    bool capped;
    bool more; /* there are rows beyond, in the direction of reading */
    size_t shown;
};

/* The parameters every list takes; put into the route's query table by PAGE_FIELDS. */
#define PAGE_FIELDS                                                                                \
    {.name = "page", .type = FIELD_TEXT, .blank = true, .help = "Number of the page, or last."},   \
        {.name = "page_size",                                                                      \
         .type = FIELD_TEXT,                                                                       \
         .blank = true,                                                                            \
         .help = "Rows a page, at most 100."},                                                     \
    {                                                                                              \
        .name = "cursor", .type = FIELD_TEXT, .blank = true,                                       \
        .help = "Empty: the first page; last; else as next and previous say."                      \
    }

/* A way in which a list may be sorted. */
struct ordering {
    const char *name; /* in `ordering` of the query, where a minus before it turns it round */
    char letter;      /* in cursors */
};

/* Which of `all` the query asks for: by the first of its names that is known, as in DRF. If by none:
 * the first of all, and *descending stays as it is. */
size_t pager_ordering(const struct req *r, const struct ordering *all, size_t count,
                      bool *descending);

enum err pager_init(struct pager *p, struct req *r, char order, bool descending) CHECKED;
bool pager_needs_count(const struct pager *p);
/* `capped`: the count stopped at PAGER_COUNT_MAX. */
enum err pager_set_count(struct pager *p, int64_t count, bool capped) CHECKED;
/* How many of the fetched rows are to be shown. */
size_t pager_rows(struct pager *p, size_t fetched);
/* The row to show as the i-th of n. */
size_t pager_index(const struct pager *p, size_t n, size_t i);
/* Opens the envelope up to "results": [ ; keys of the first and last row shown (any if none). */
void pager_open(struct pager *p, struct list_key first, struct list_key last);
void pager_close(struct pager *p);
/* Closes "results" alone: more fields may follow, and json_close_object() ends the list. */
void pager_close_rows(struct pager *p);
