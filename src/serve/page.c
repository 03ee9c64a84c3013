#include "serve/page.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "crypto/hash.h"
#include "serve/route.h"

/* A cursor's bytes: order, flags, sort number (big-endian), id; the sort text takes the rest. */
enum { CURSOR_SIZE = 1 + 1 + 8 + 16, CURSOR_BACKWARD = 1, CURSOR_DESCENDING = 2 };

/* What a link has beside what was sent: a page number or a cursor, and its name. */
enum { LINK_ADDED_MAX = 4096 };

static struct str encode_cursor(const struct pager *p, struct list_key key, bool backward)
{
    size_t size = CURSOR_SIZE + key.text.n;
    uint8_t *bytes = arena_alloc(p->r->arena, size);
    uint64_t n = (uint64_t)key.n;
    bytes[0] = (uint8_t)p->order;
    bytes[1] =
        (uint8_t)((backward ? CURSOR_BACKWARD : 0) | (p->descending ? CURSOR_DESCENDING : 0));
    for (int i = 0; i < 8; i++) {
        bytes[2 + i] = (uint8_t)(n >> (56 - 8 * i));
    }
    memcpy(bytes + 10, key.id.b, sizeof(key.id.b));
    if (key.text.n > 0) {
        memcpy(bytes + CURSOR_SIZE, key.text.p, key.text.n);
    }
    return base64url_encode(p->r->arena, str_of_bytes(bytes, size));
}

/* False: not one of ours, or of another ordering. */
static bool decode_cursor(struct pager *p, struct str text)
{
    struct str bytes;
    if (!base64url_decode(p->r->arena, text, &bytes) || bytes.n < CURSOR_SIZE) {
        return false;
    }
    const uint8_t *b = (const uint8_t *)bytes.p;
    struct str text_key = {bytes.p + CURSOR_SIZE, bytes.n - CURSOR_SIZE};
    if (!utf8_valid(text_key, NULL) || str_contains_byte(text_key, '\0')) {
        return false; /* no database takes it */
    }
    if (b[0] != (uint8_t)p->order || ((b[1] & CURSOR_DESCENDING) != 0) != p->descending) {
        return false;
    }
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | b[2 + i];
    }
    p->backward = (b[1] & CURSOR_BACKWARD) != 0;
    p->window.after.n = (int64_t)n;
    memcpy(p->window.after.id.b, b + 10, 16);
    p->window.after.text = text_key;
    return true;
}

static enum err init_cursor(struct pager *p, struct str cursor)
{
    p->by_cursor = true;
    p->from_start = cursor.n == 0;
    p->from_end = str_eq(cursor, STR("last"));
    p->window.limit = p->page_size + 1; /* one more tells whether there is more */
    if (p->from_start || p->from_end) {
        p->backward = p->from_end;
        p->window.after = window_start(p->descending != p->backward);
    } else if (!decode_cursor(p, cursor)) {
        return ERR_BAD_CURSOR;
    }
    p->window.descending = p->descending != p->backward;
    p->reversed = p->backward;
    return ERR_OK;
}

/* `count` if it is none of them. */
static size_t find_ordering(const struct ordering *all, size_t count, struct str name)
{
    size_t i = 0;
    while (i < count && !str_eq(name, str_of(all[i].name))) {
        i++;
    }
    return i;
}

size_t pager_ordering(const struct req *r, const struct ordering *all, size_t count,
                      bool *descending)
{
    struct str rest = req_filter(r, "ordering")->text;
    while (rest.p != NULL) {
        struct str name = str_trim(str_cut(&rest, ','));
        bool down = str_starts(name, STR("-"));
        name.p += down;
        name.n -= down;
        size_t i = find_ordering(all, count, name);
        if (i < count) {
            *descending = down;
            return i;
        }
    }
    return 0;
}

enum err pager_init(struct pager *p, struct req *r, char order, bool descending)
{
    const struct value *page = req_filter(r, "page");
    const struct value *cursor = req_filter(r, "cursor");
    *p = (struct pager){.r = r, .order = order, .descending = descending, .page = 1};
    p->page_size = PAGE_SIZE;
    int64_t wished = 0;
    if (str_to_i64(req_filter(r, "page_size")->text, &wished) && wished > 0) {
        p->page_size = wished < PAGE_SIZE_MAX ? wished : PAGE_SIZE_MAX;
    }
    if (value_is_set(cursor)) {
        return init_cursor(p, cursor->text);
    }
    p->last = str_eq(page->text, STR("last"));
    if (value_is_set(page) && !p->last &&
        (!str_to_i64(page->text, &p->page) || p->page < 1 || p->page > INT64_MAX / PAGE_SIZE_MAX)) {
        return ERR_INVALID_PAGE;
    }
    return ERR_OK;
}

bool pager_needs_count(const struct pager *p)
{
    return !p->by_cursor;
}

enum err pager_set_count(struct pager *p, int64_t count, bool capped)
{
    p->count = capped ? PAGER_COUNT_MAX : count;
    p->capped = capped;
    p->page_count = p->count == 0 ? 1 : (p->count + p->page_size - 1) / p->page_size;
    if (p->last) {
        p->page = p->page_count;
    }
    if (p->page > p->page_count) {
        /* Behind a capped count there may be rows; they are just not served by number. */
        return capped ? ERR_PAGE_TOO_DEEP : ERR_INVALID_PAGE;
    }
    int64_t offset = (p->page - 1) * p->page_size;
    int64_t rows = p->count - offset < p->page_size ? p->count - offset : p->page_size;
    p->window.limit = p->page_size;
    p->window.descending = p->descending;
    if (p->last && !capped) { /* read from the end: the same cost at any depth */
        p->reversed = true;
        p->window.descending = !p->descending;
        p->window.limit = rows;
        offset = 0;
    } else if (offset >= PAGE_ROWS_MAX) {
        return ERR_PAGE_TOO_DEEP;
    }
    p->window.offset = offset;
    p->window.after = window_start(p->window.descending);
    return ERR_OK;
}

size_t pager_rows(struct pager *p, size_t fetched)
{
    p->more = p->by_cursor && fetched > (size_t)p->page_size;
    p->shown = p->more ? (size_t)p->page_size : fetched;
    return p->shown;
}

size_t pager_index(const struct pager *p, size_t n, size_t i)
{
    return p->reversed ? n - 1 - i : i;
}

/* An absolute link to another part of this list; what is absent is left out. */
static void write_link(struct pager *p, struct str page, struct str cursor)
{
    struct req *r = p->r;
    struct buf link;
    const struct query_pair changes[] = {{STR("page"), page}, {STR("cursor"), cursor}};
    /* A byte that is no UTF-8 becomes U+FFFD, which is nine bytes in a link. */
    buf_init(&link, r->base_url.n + r->path_sent.n + 9 * r->x->query.n + LINK_ADDED_MAX);
    buf_str(&link, r->base_url);
    buf_str(&link, r->path_sent);
    size_t before = link.n;
    buf_char(&link, '?');
    query_rebuild(&link, &r->query, changes, COUNT_OF(changes));
    if (link.n == before + 1) {
        link.n = before;
    }
    json_str(&r->out, buf_view(&link));
    buf_fini(&link);
}

static void write_cursor_link(struct pager *p, bool there_is, struct list_key key, bool backward)
{
    if (!there_is) {
        json_put_null(&p->r->out);
        return;
    }
    write_link(p, STR_NULL, encode_cursor(p, key, backward));
}

/* By number, and where numbers are not served by cursor: behind `key`, or before it. */
static void write_page_link(struct pager *p, int64_t page, struct list_key key)
{
    bool there_is = page >= 1 && (page <= p->page_count || p->capped);
    if (!there_is || (page - 1) * p->page_size >= PAGE_ROWS_MAX) {
        write_cursor_link(p, there_is && p->shown > 0, key, page < p->page);
        return;
    }
    struct str number = page == 1 ? STR_NULL : arena_printf(p->r->arena, "%lld", (long long)page);
    write_link(p, number, STR_NULL);
}

void pager_open(struct pager *p, struct list_key first, struct list_key last)
{
    struct json_out *o = &p->r->out;
    json_open_object(o);
    if (p->by_cursor) {
        bool any = p->shown > 0;
        bool next = any && !p->from_end && (p->backward || p->more);
        bool previous = any && (p->backward ? p->more : !p->from_start);
        json_key(o, "next");
        write_cursor_link(p, next, last, false);
        json_key(o, "previous");
        write_cursor_link(p, previous, first, true);
        json_field_i64(o, "page_size", p->page_size);
    } else {
        json_field_i64(o, "count", p->count);
        if (p->capped) {
            json_field_bool(o, "count_capped", true);
        }
        json_key(o, "next");
        write_page_link(p, p->page + 1, last);
        json_key(o, "previous");
        write_page_link(p, p->page - 1, first);
        json_field_i64(o, "page_size", p->page_size);
        json_field_i64(o, "current_page", p->page);
        json_field_i64(o, "total_pages", p->page_count);
    }
    if (p->truncated) {
        json_field_bool(o, "truncated", true);
    }
    json_field_open_array(o, "results");
}

void pager_close_rows(struct pager *p)
{
    json_close_array(&p->r->out);
}

void pager_close(struct pager *p)
{
    pager_close_rows(p);
    json_close_object(&p->r->out);
}
