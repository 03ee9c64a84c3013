/* json/read.h and json/explain.h: what is JSON, what is said about the rest, and dumps. The texts
 * are those of Python 3.11's json module, but for the ones marked "ours". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "json/read.h"

static void assert_str(struct str got, const char *wanted)
{
    assert_non_null(got.p);
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.n);
}

struct bad {
    const char *text;
    const char *problem;
};

static const struct bad bad_texts[] = {
    {"", "Expecting value: line 1 column 1 (char 0)"},
    {" \n ", "Expecting value: line 2 column 2 (char 3)"},
    {"{\"message_body\": ", "Expecting value: line 1 column 18 (char 17)"},
    {"[", "Expecting value: line 1 column 2 (char 1)"},
    {"[1,]", "Expecting value: line 1 column 4 (char 3)"},
    {"[1\n2]", "Expecting ',' delimiter: line 2 column 1 (char 3)"},
    {"[01]", "Expecting ',' delimiter: line 1 column 3 (char 2)"},
    {"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"},
    {"{\"a\":1,}", "Expecting property name enclosed in double quotes: line 1 column 8 (char 7)"},
    {"{'a':1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"},
    {"{\"a\" 1}", "Expecting ':' delimiter: line 1 column 6 (char 5)"},
    {"{\"a\":1", "Expecting ',' delimiter: line 1 column 7 (char 6)"},
    {"{} x", "Extra data: line 1 column 4 (char 3)"},
    {"1.", "Extra data: line 1 column 2 (char 1)"},
    {"-", "Expecting value: line 1 column 1 (char 0)"},
    {"nul", "Expecting value: line 1 column 1 (char 0)"},
    {"\"\xC3\xA9", "Unterminated string starting at: line 1 column 1 (char 0)"},
    {"\"\\", "Unterminated string starting at: line 1 column 1 (char 0)"},
    {"[\"\xC3\xA9\n\"]", "Invalid control character at: line 1 column 4 (char 3)"},
    {"\"a\\x\"", "Invalid \\escape: line 1 column 3 (char 2)"},
    {"\"\\u12g4\"", "Invalid \\uXXXX escape: line 1 column 3 (char 2)"},
    {"{\"a\": NaN}", "Out of range float values are not JSON compliant: 'NaN'"},
    {"[-Infinity]", "Out of range float values are not JSON compliant: '-Infinity'"},
    {"\xEF\xBB\xBF{}", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"},
    {"\"abc\xFF\"", "'utf-8' codec can't decode byte 0xff in position 4: invalid start byte"},
    {"\"\xC3(\"", "'utf-8' codec can't decode byte 0xc3 in position 1: invalid continuation byte"},
    {"\"\xC3", "'utf-8' codec can't decode byte 0xc3 in position 1: unexpected end of data"},
    /* ours */
    {"{\"a\": \"a\\ud800b\"}",
     "Surrogate characters are not allowed: U+D800: line 1 column 9 (char 8)"},
    {"\"\\udc00\"", "Surrogate characters are not allowed: U+DC00: line 1 column 2 (char 1)"},
    {"\"\\ud800\\u0041\"",
     "Surrogate characters are not allowed: U+D800: line 1 column 2 (char 1)"},
    {"[1, 9223372036854775808]", "Number out of range: line 1 column 5 (char 4)"},
    {"-9223372036854775809", "Number out of range: line 1 column 1 (char 0)"},
    {"[1e400]", "Number out of range: line 1 column 2 (char 1)"},
};

static void test_bad_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_texts); i++) {
        struct arena a;
        struct str problem;
        json_t *root;
        arena_init(&a);
        assert_int_equal(json_read(&a, str_of(bad_texts[i].text), &root, &problem), ERR_PARSE);
        assert_null(root);
        assert_str(problem, bad_texts[i].problem);
        arena_fini(&a);
    }
}

/* With a zero character in a key, and with bytes that are zero. */
static void test_other_refusals(void **state)
{
    static const struct str texts[] = {
        {"{\"a\\u0000\":1}", 13},
        {"\"\0\"", 3},
        {"\0", 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct arena a;
        struct str problem;
        json_t *root;
        arena_init(&a);
        assert_int_equal(json_read(&a, texts[i], &root, &problem), ERR_PARSE);
        assert_true(problem.n > 0);
        arena_fini(&a);
    }
}

/* As read and written again. */
static const struct {
    const char *text;
    const char *dump;
} good_texts[] = {
    {" null ", "null"},
    {"true", "true"},
    {"false", "false"},
    {"\"text\"", "\"text\""},
    {"[1]", "[1]"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"9223372036854775807", "9223372036854775807"},
    {"{ \"b\" : 1 , \"a\" : [ ] , \"c\" : { } }", "{\"b\":1,\"a\":[],\"c\":{}}"},
    {"{\"a\":\"one\",\"b\":0,\"a\":\"two\"}", "{\"a\":\"two\",\"b\":0}"},
    {"\"a\\u0000b\"", "\"a\\u0000b\""},
    {"\"h\\u00e9 \\ud83d\\ude00 \\/ \\u2028\"", "\"h\xC3\xA9 \xF0\x9F\x98\x80 / \\u2028\""},
    {"[0.1,12.0,-0.0,1e2,1e16,1.5e-7,123456789.125,5e-324]",
     "[0.1,12.0,-0.0,100.0,1e+16,1.5e-07,123456789.125,5e-324]"},
    {"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"",
     "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\""},
};

static void test_good_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good_texts); i++) {
        struct arena a;
        struct str problem;
        json_t *root;
        arena_init(&a);
        assert_int_equal(json_read(&a, str_of(good_texts[i].text), &root, &problem), ERR_OK);
        assert_null(problem.p);
        assert_str(json_dump_compact(&a, root), good_texts[i].dump);
        json_decref(root);
        arena_fini(&a);
    }
}

/* `levels` lists inside each other, and without the closing half if that is not wanted. */
static enum err read_nested(struct arena *a, size_t levels, bool closed, struct str *problem)
{
    char *text = arena_alloc(a, 2 * levels);
    json_t *root;
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    enum err e = json_read(a, (struct str){text, closed ? 2 * levels : levels}, &root, problem);
    json_decref(root);
    return e;
}

static void test_depth(void **state)
{
    struct arena a;
    struct str problem;
    (void)state;
    arena_init(&a);
    assert_int_equal(read_nested(&a, JSON_DEPTH_MAX, true, &problem), ERR_OK);
    assert_int_equal(read_nested(&a, JSON_DEPTH_MAX + 1, true, &problem), ERR_PARSE);
    assert_str(problem, "Nested deeper than 32 levels: line 1 column 33 (char 32)");
    assert_int_equal(read_nested(&a, 100000, false, &problem), ERR_PARSE);
    assert_str(problem, "Nested deeper than 32 levels: line 1 column 33 (char 32)");
    arena_fini(&a);
}

static void test_depth_counts_what_is_open(void **state)
{
    struct arena a;
    struct buf b;
    struct str problem;
    json_t *root;
    (void)state;
    arena_init(&a);
    buf_init(&b, 4096);
    buf_lit(&b, "[0");
    for (int i = 0; i < 100; i++) {
        buf_lit(&b, ",[],{}");
    }
    buf_lit(&b, "]");
    assert_int_equal(json_read(&a, buf_view(&b), &root, &problem), ERR_OK);
    json_decref(root);
    buf_fini(&b);
    arena_fini(&a);
}

static void test_dump_has_a_depth_limit(void **state)
{
    struct arena a;
    json_t *root = json_array();
    (void)state;
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        json_t *outer = json_array();
        assert_int_equal(json_array_append_new(outer, root), 0);
        root = outer;
    }
    arena_init(&a);
    assert_null(json_dump_compact(&a, root).p);
    json_decref(root);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_other_refusals),
        cmocka_unit_test(test_good_texts),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_depth_counts_what_is_open),
        cmocka_unit_test(test_dump_has_a_depth_limit),
    };
    return cmocka_run_group_tests_name("json/read", tests, NULL, NULL);
}
