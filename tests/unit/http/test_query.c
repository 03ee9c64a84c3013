/* http/query.h: reading as Django's QueryDict, and the queries of pagination links. The wanted
 * values are those of Python 3.11's urllib.parse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/query.h"

static void assert_str(struct str got, const char *wanted)
{
    assert_non_null(got.p);
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.n);
}

/* Pairs are shown as name=value| each. */
static const struct {
    const char *text;
    const char *pairs;
} readings[] = {
    {"", ""},
    {"a=1&b=2", "a=1|b=2|"},
    {"a", "a=|"},
    {"a=", "a=|"},
    {"=a", "=a|"},
    {"=", "=|"},
    {"&&a=1&&", "a=1|"},
    {"a=1;b=2", "a=1;b=2|"},
    {"a=1=2", "a=1=2|"},
    {"a+b=c+d%2B", "a b=c d+|"},
    {"%61=%C3%A9+b", "a=\xC3\xA9 b|"},
    {"a=%zz%4&b=100%", "a=%zz%4|b=100%|"},
    {"a=%ff", "a=\xEF\xBF\xBD|"},
    {"a=%e2%82x", "a=\xEF\xBF\xBDx|"},
    {"a=\xE2\x82\xAC\xFF", "a=\xE2\x82\xAC\xEF\xBF\xBD|"},
    {"a=1&a=2", "a=1|a=2|"},
};

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(readings); i++) {
        struct arena a;
        struct query q;
        struct buf shown;
        arena_init(&a);
        buf_init(&shown, 4096);
        assert_int_equal(query_parse(&a, str_of(readings[i].text), &q), ERR_OK);
        for (size_t n = 0; n < q.count; n++) {
            buf_str(&shown, q.pairs[n].name);
            buf_char(&shown, '=');
            buf_str(&shown, q.pairs[n].value);
            buf_char(&shown, '|');
        }
        assert_str(buf_view(&shown), readings[i].pairs);
        buf_fini(&shown);
        arena_fini(&a);
    }
}

static void test_nul_is_kept(void **state)
{
    struct arena a;
    struct query q;
    (void)state;
    arena_init(&a);
    assert_int_equal(query_parse(&a, STR("a=x%00y"), &q), ERR_OK);
    assert_int_equal(q.pairs[0].value.n, 3);
    assert_memory_equal(q.pairs[0].value.p, "x\0y", 3);
    arena_fini(&a);
}

static void test_get(void **state)
{
    struct arena a;
    struct query q;
    struct str value;
    size_t at = 0;
    (void)state;
    arena_init(&a);
    assert_int_equal(query_parse(&a, STR("a=1&b=&a=2"), &q), ERR_OK);
    assert_str(query_get(&q, STR("a")), "2");
    assert_str(query_get(&q, STR("b")), "");
    assert_null(query_get(&q, STR("c")).p);
    assert_true(query_get_all(&q, STR("a"), &at, &value));
    assert_str(value, "1");
    assert_true(query_get_all(&q, STR("a"), &at, &value));
    assert_str(value, "2");
    assert_false(query_get_all(&q, STR("a"), &at, &value));
    arena_fini(&a);
}

static enum err parse_separators(size_t count)
{
    struct arena a;
    struct query q;
    char text[QUERY_PAIRS_MAX + 1];
    memset(text, '&', sizeof(text));
    arena_init(&a);
    enum err e = query_parse(&a, (struct str){text, count}, &q);
    arena_fini(&a);
    return e;
}

static void test_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_separators(QUERY_PAIRS_MAX - 1), ERR_OK);
    assert_int_equal(parse_separators(QUERY_PAIRS_MAX), ERR_INVALID);
}

static const struct {
    const char *text;
    const char *page; /* NULL: left out */
    const char *wanted;
} links[] = {
    {"page_size=2", "2", "page=2&page_size=2"},
    {"page=2&page_size=2", "3", "page=3&page_size=2"},
    {"page=2&page_size=2", NULL, "page_size=2"},
    {"page=last&page_size=100&ordering=sent_at", NULL, "ordering=sent_at&page_size=100"},
    {"page_size=1&zzz=1&search=hello&aaa=%C3%A9+b", "2",
     "aaa=%C3%A9+b&page=2&page_size=1&search=hello&zzz=1"},
    {"b=2&a=9&b=1&b=3", NULL, "a=9&b=2&b=1&b=3"},
    {"page=1&page=2", "7", "page=7"},
    {"", NULL, ""},
    {"a", NULL, "a="},
    {"a-_.~b=%26%3D%00%2F", NULL, "a-_.~b=%26%3D%00%2F"},
};

static void test_rebuild(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        struct arena a;
        struct query q;
        struct buf out;
        arena_init(&a);
        buf_init(&out, 4096);
        assert_int_equal(query_parse(&a, str_of(links[i].text), &q), ERR_OK);
        const struct query_pair change = {STR("page"), str_of(links[i].page)};
        query_rebuild(&out, &q, &change, 1);
        assert_str(buf_view(&out), links[i].wanted);
        buf_fini(&out);
        arena_fini(&a);
    }
}

static void test_rebuild_with_several_changes(void **state)
{
    const struct query_pair changes[] = {
        {STR("cursor"), STR("x y")},
        {STR("page"), STR_NULL},
        {STR("aa"), STR("1")},
    };
    struct arena a;
    struct query q;
    struct buf out;
    (void)state;
    arena_init(&a);
    buf_init(&out, 4096);
    assert_int_equal(query_parse(&a, STR("page=3&b=1&cursor=old"), &q), ERR_OK);
    query_rebuild(&out, &q, changes, COUNT_OF(changes));
    assert_str(buf_view(&out), "aa=1&b=1&cursor=x+y");
    query_rebuild(&out, &q, changes, QUERY_CHANGES_MAX + 1);
    assert_true(out.failed);
    buf_fini(&out);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_nul_is_kept),
        cmocka_unit_test(test_get),     cmocka_unit_test(test_limit),
        cmocka_unit_test(test_rebuild), cmocka_unit_test(test_rebuild_with_several_changes),
    };
    return cmocka_run_group_tests_name("http/query", tests, NULL, NULL);
}
