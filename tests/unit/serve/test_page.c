/* serve/page.c: page numbers, links, cursors, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "serve/page.h"
#include "serve/route.h"

static const struct field fields[] = {PAGE_FIELDS};
static const struct route route = {.method = "GET", .query = FIELDS(fields)};

struct fixture {
    struct arena arena;
    struct buf out;
    struct http_exchange x;
    struct req r;
    struct value filters[COUNT_OF(fields)];
    struct pager p;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    arena_init(&f->arena);
    buf_init(&f->out, 64 * 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->out);
    arena_fini(&f->arena);
    free(f);
    return 0;
}

/* A request for a list, with its query; nothing of an earlier one is left. */
static enum err ask(struct fixture *f, const char *query, bool descending)
{
    buf_reset(&f->out);
    memset(f->filters, 0, sizeof(f->filters));
    f->x = (struct http_exchange){.query = str_of(query)};
    f->r = (struct req){.x = &f->x,
                        .arena = &f->arena,
                        .route = &route,
                        .filters = f->filters,
                        .base_url = STR("http://h"),
                        .path_sent = STR("/api/x/")};
    problems_init(&f->r.problems, &f->arena);
    json_out_init(&f->r.out, &f->out);
    assert_int_equal(query_parse(&f->arena, str_of(query), &f->r.query), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct str text = query_get(&f->r.query, str_of(fields[i].name));
        if (text.p != NULL) {
            f->filters[i] = (struct value){.state = VALUE_SET, .text = text};
        }
    }
    return pager_init(&f->p, &f->r, 's', descending);
}

static struct list_key key_of(int64_t n)
{
    return (struct list_key){.n = n, .id = {{(uint8_t)n, 1}}};
}

/* Writes a page of the numbers `rows`, as the store gave them. */
static void show(struct fixture *f, const int64_t *rows, size_t fetched)
{
    size_t n = pager_rows(&f->p, fetched);
    struct list_key first = {0};
    struct list_key last = {0};
    if (n > 0) {
        first = key_of(rows[pager_index(&f->p, n, 0)]);
        last = key_of(rows[pager_index(&f->p, n, n - 1)]);
    }
    pager_open(&f->p, first, last);
    for (size_t i = 0; i < n; i++) {
        json_i64(&f->r.out, rows[pager_index(&f->p, n, i)]);
    }
    pager_close(&f->p);
    assert_true(json_out_done(&f->r.out));
}

static void assert_out(struct fixture *f, const char *wanted)
{
    struct str got = buf_view(&f->out);
    if (!str_eq(got, str_of(wanted))) {
        fail_msg("got  %.*s\nwant %s", STR_ARG(got), wanted);
    }
}

static void assert_window(struct fixture *f, int64_t offset, int64_t limit, bool descending)
{
    assert_int_equal(f->p.window.offset, offset);
    assert_int_equal(f->p.window.limit, limit);
    assert_int_equal(f->p.window.descending, descending);
}

/* ------- page numbers ------- */

static void test_first_page(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "page_size=2&search=a%20b", false), ERR_OK);
    assert_true(pager_needs_count(&f->p));
    assert_int_equal(pager_set_count(&f->p, 5, false), ERR_OK);
    assert_window(f, 0, 2, false);
    show(f, (const int64_t[]){1, 2}, 2);
    assert_out(f, "{\"count\":5,\"next\":\"http://h/api/x/?page=2&page_size=2&search=a+b\","
                  "\"previous\":null,\"page_size\":2,\"current_page\":1,\"total_pages\":3,"
                  "\"results\":[1,2]}");
}

/* The link to the first page carries no number, as DRF's. */
static void test_middle_page(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "page=2&page_size=2", true), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 5, false), ERR_OK);
    assert_window(f, 2, 2, true);
    show(f, (const int64_t[]){3, 2}, 2);
    assert_out(f, "{\"count\":5,\"next\":\"http://h/api/x/?page=3&page_size=2\","
                  "\"previous\":\"http://h/api/x/?page_size=2\",\"page_size\":2,"
                  "\"current_page\":2,\"total_pages\":3,\"results\":[3,2]}");
}

static void test_empty_list(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 0, false), ERR_OK);
    show(f, NULL, 0);
    assert_out(f, "{\"count\":0,\"next\":null,\"previous\":null,\"page_size\":20,"
                  "\"current_page\":1,\"total_pages\":1,\"results\":[]}");
}

/* Read from the end, so that it costs the same at any depth; shown in the list's order. */
static void test_last_page(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "page=last&page_size=2", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 100001, false), ERR_OK);
    assert_window(f, 0, 1, true);
    show(f, (const int64_t[]){100001}, 1);
    assert_int_equal(ask(f, "page=last&page_size=2", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 6, false), ERR_OK);
    show(f, (const int64_t[]){6, 5}, 2);
    assert_out(f, "{\"count\":6,\"next\":null,\"previous\":\"http://h/api/x/?page=2&page_size=2\","
                  "\"page_size\":2,\"current_page\":3,\"total_pages\":3,\"results\":[5,6]}");
}

static void test_bad_pages(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"page=0",   "page=-1", "page=x",
                                      "page=1.5", "page=",   "page=99999999999999999999",
                                      "page=Last"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(ask(f, bad[i], false), ERR_INVALID_PAGE);
    }
    assert_int_equal(ask(f, "page=2", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 20, false), ERR_INVALID_PAGE);
    assert_int_equal(ask(f, "page=9223372036854775", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 20, false), ERR_INVALID_PAGE);
}

static void assert_size(struct fixture *f, const char *query, int64_t wanted)
{
    assert_int_equal(ask(f, query, false), ERR_OK);
    assert_int_equal(f->p.page_size, wanted);
}

/* As DRF: what is no good size is passed over, what is too large is the largest. */
static void test_sizes(void **state)
{
    struct fixture *f = *state;
    assert_size(f, "", PAGE_SIZE);
    assert_size(f, "page_size=1", 1);
    assert_size(f, "page_size=100", 100);
    assert_size(f, "page_size=101", PAGE_SIZE_MAX);
    assert_size(f, "page_size=9223372036854775807", PAGE_SIZE_MAX);
    assert_size(f, "page_size=0", PAGE_SIZE);
    assert_size(f, "page_size=-5", PAGE_SIZE);
    assert_size(f, "page_size=x", PAGE_SIZE);
    assert_size(f, "page_size=", PAGE_SIZE);
}

static void test_depth(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "page=100&page_size=100", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 20000, false), ERR_OK);
    assert_window(f, 9900, 100, false);
    assert_int_equal(ask(f, "page=101&page_size=100", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, 20000, false), ERR_PAGE_TOO_DEEP);
    assert_int_equal(ask(f, "page=501", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, PAGER_COUNT_MAX + 1, true), ERR_PAGE_TOO_DEEP);
}

static void test_capped_count(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, "page_size=100", false), ERR_OK);
    assert_int_equal(pager_set_count(&f->p, PAGER_COUNT_MAX + 1, true), ERR_OK);
    f->p.truncated = true;
    show(f, (const int64_t[]){1}, 1);
    assert_out(f, "{\"count\":10000,\"count_capped\":true,"
                  "\"next\":\"http://h/api/x/?page=2&page_size=100\",\"previous\":null,"
                  "\"page_size\":100,\"current_page\":1,\"total_pages\":100,\"truncated\":true,"
                  "\"results\":[1]}");
}

/* ------- cursors ------- */

/* The query of a link in the answer: what stands between name":"http://h/api/x/? and the quote. */
static const char *link_query(struct fixture *f, const char *name)
{
    struct str out = buf_view(&f->out);
    struct str start = arena_printf(&f->arena, "\"%s\":\"http://h/api/x/?", name);
    const char *at = memmem(out.p, out.n, start.p, start.n);
    if (at == NULL) {
        return NULL;
    }
    struct str rest = {at + start.n, out.n - (size_t)(at - out.p) - start.n};
    return arena_copy(&f->arena, str_cut(&rest, '"')).p;
}

enum { ROWS = 7 };

/* Does the store's part: the numbers 1 to ROWS in the window. */
static size_t fetch(const struct window *w, int64_t *rows)
{
    size_t n = 0;
    for (int64_t i = 1; i <= ROWS; i++) {
        int64_t row = w->descending ? ROWS + 1 - i : i;
        struct list_key key = key_of(row);
        int order = key.n != w->after.n ? (key.n > w->after.n) - (key.n < w->after.n)
                                        : uuid_compare(key.id, w->after.id);
        bool behind = w->descending ? order < 0 : order > 0;
        if (behind && n < (size_t)w->limit) {
            rows[n++] = row;
        }
    }
    return n;
}

static void go(struct fixture *f, const char *query, bool descending, const char *results)
{
    int64_t rows[ROWS];
    assert_non_null(query);
    assert_int_equal(ask(f, query, descending), ERR_OK);
    assert_false(pager_needs_count(&f->p));
    show(f, rows, fetch(&f->p.window, rows));
    struct str out = buf_view(&f->out);
    if (memmem(out.p, out.n, results, strlen(results)) == NULL) {
        fail_msg("%s not in %.*s", results, STR_ARG(out));
    }
}

static void test_walk_by_cursor(void **state)
{
    struct fixture *f = *state;
    for (int descending = 0; descending <= 1; descending++) {
        static const char *const pages[2][3] = {{"[1,2,3]", "[4,5,6]", "[7]"},
                                                {"[7,6,5]", "[4,3,2]", "[1]"}};
        bool down = descending == 1;
        const char *const *page = pages[descending];
        go(f, "cursor=&page_size=3", down, page[0]);
        assert_null(link_query(f, "previous"));
        go(f, link_query(f, "next"), down, page[1]);
        go(f, link_query(f, "next"), down, page[2]);
        assert_null(link_query(f, "next"));
        go(f, link_query(f, "previous"), down, page[1]);
        go(f, link_query(f, "previous"), down, page[0]);
        assert_null(link_query(f, "previous"));
        go(f, link_query(f, "next"), down, page[1]);
    }
}

/* By cursor there is no count, and the size and other parameters stay in the links. */
static void test_envelope_by_cursor(void **state)
{
    struct fixture *f = *state;
    go(f, "cursor=&page_size=3&search=x", false, "\"page_size\":3");
    struct str out = buf_view(&f->out);
    assert_null(memmem(out.p, out.n, "count", 5));
    const char *next = link_query(f, "next");
    assert_non_null(next);
    assert_non_null(strstr(next, "page_size=3"));
    assert_non_null(strstr(next, "search=x"));
}

static void test_bad_cursors(void **state)
{
    struct fixture *f = *state;
    go(f, "cursor=&page_size=3", false, "[1,2,3]");
    const char *next = link_query(f, "next");
    assert_non_null(next);
    assert_int_equal(ask(f, next, true), ERR_BAD_CURSOR); /* of the other direction */
    static const char *const bad[] = {"cursor=x", "cursor=%00", "cursor=AAAA",
                                      "cursor=////////////////////////////////////"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(ask(f, bad[i], false), ERR_BAD_CURSOR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_first_page),     TEST(test_middle_page),
        TEST(test_empty_list),     TEST(test_last_page),
        TEST(test_bad_pages),      TEST(test_sizes),
        TEST(test_depth),          TEST(test_capped_count),
        TEST(test_walk_by_cursor), TEST(test_envelope_by_cursor),
        TEST(test_bad_cursors),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
