/* json/write.h: commas, nesting and its faults, values, indentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/write.h"

static void assert_text(const struct buf *b, const char *wanted)
{
    struct str got = buf_view(b);
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.n);
}

static const struct uuid some_id = {
    {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7c, 0xde, 0x8f, 0, 0, 0, 0, 0, 0, 1}};
#define SOME_ID_TEXT "\"01234567-89ab-7cde-8f00-000000000001\""

static void write_all_kinds(struct json_out *o)
{
    json_open_object(o);
    json_field_uuid(o, "id", some_id);
    json_field_uuid_or_null(o, "none", (struct uuid){{0}});
    json_field_str(o, "text", STR("a\"b\\c\n\x01"));
    json_field_str(o, "absent", STR_NULL);
    json_field_str_or_null(o, "null", STR_NULL);
    json_field_str_or_null(o, "empty", STR(""));
    json_field_i64(o, "n", INT64_MIN);
    json_field_bool(o, "yes", true);
    json_field_null(o, "nil");
    json_field_double(o, "d", 0.1);
    json_field_time(o, "at", INT64_C(1753639301482677));
    json_field_time_or_null(o, "never", 0);
    json_field_raw(o, "raw", STR("{\"k\":[1,2]}"));
    json_field_open_array(o, "list");
    json_i64(o, 1);
    json_open_array(o);
    json_close_array(o);
    json_open_object(o);
    json_key_str(o, STR("any \"key\""));
    json_bool(o, false);
    json_close_object(o);
    json_str(o, STR("end"));
    json_close_array(o);
    json_field_open_object(o, "last");
    json_close_object(o);
    json_close_object(o);
}

static void test_all_kinds(void **state)
{
    struct buf b;
    struct json_out o;
    (void)state;
    buf_init(&b, 4096);
    json_out_init(&o, &b);
    write_all_kinds(&o);
    assert_true(json_out_done(&o));
    assert_text(&b, "{\"id\":" SOME_ID_TEXT ",\"none\":null,"
                    "\"text\":\"a\\\"b\\\\c\\n\\u0001\",\"absent\":\"\","
                    "\"null\":null,\"empty\":\"\","
                    "\"n\":-9223372036854775808,\"yes\":true,\"nil\":null,\"d\":0.1,"
                    "\"at\":\"2025-07-27T18:01:41.482677Z\",\"never\":null,"
                    "\"raw\":{\"k\":[1,2]},\"list\":[1,[],{\"any \\\"key\\\"\":false},\"end\"],"
                    "\"last\":{}}");
    buf_fini(&b);
}

static void test_depth_limit(void **state)
{
    struct buf b;
    struct json_out o;
    (void)state;
    buf_init(&b, 4096);
    json_out_init(&o, &b);
    for (int i = 0; i < JSON_OUT_DEPTH_MAX; i++) {
        json_open_array(&o);
    }
    assert_false(json_out_done(&o));
    for (int i = 0; i < JSON_OUT_DEPTH_MAX; i++) {
        json_close_array(&o);
    }
    assert_true(json_out_done(&o));
    buf_reset(&b);
    json_out_init(&o, &b);
    for (int i = 0; i < JSON_OUT_DEPTH_MAX + 1; i++) {
        json_open_array(&o);
    }
    assert_true(b.failed);
    buf_fini(&b);
}

static void test_wrong_nesting(void **state)
{
    struct buf b;
    struct json_out o;
    (void)state;
    buf_init(&b, 4096);
    json_out_init(&o, &b);
    json_close_object(&o);
    assert_true(b.failed);
    buf_reset(&b);
    json_out_init(&o, &b);
    json_open_object(&o);
    json_key(&o, "no value");
    json_close_object(&o);
    assert_true(b.failed);
    buf_fini(&b);
}

static void test_maximum(void **state)
{
    struct buf b;
    struct json_out o;
    (void)state;
    buf_init(&b, 100);
    json_out_init(&o, &b);
    write_all_kinds(&o);
    assert_true(b.failed);
    assert_false(json_out_done(&o));
    assert_true(b.n <= 100);
    buf_fini(&b);
}

/* Python's repr. */
static const struct {
    double d;
    const char *text;
} doubles[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {12.5, "12.5"},
    {1e15, "1000000000000000.0"},
    {1e16, "1e+16"},
    {1.2345678901234567e20, "1.2345678901234567e+20"},
    {0.0001, "0.0001"},
    {0.00001, "1e-05"},
    {1.0 / 3, "0.3333333333333333"},
    {-123456.789, "-123456.789"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {5e-324, "5e-324"},
    {9007199254740993.0, "9007199254740992.0"},
};

static void test_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(doubles); i++) {
        struct buf b;
        struct json_out o;
        buf_init(&b, 100);
        json_out_init(&o, &b);
        json_double(&o, doubles[i].d);
        assert_text(&b, doubles[i].text);
        buf_fini(&b);
    }
}

static void test_doubles_that_are_no_numbers(void **state)
{
    struct buf b;
    struct json_out o;
    (void)state;
    buf_init(&b, 100);
    json_out_init(&o, &b);
    json_open_array(&o);
    json_double(&o, __builtin_inf());
    json_double(&o, __builtin_nan(""));
    json_close_array(&o);
    assert_text(&b, "[null,null]");
    buf_fini(&b);
}

/* As json.dumps(..., indent=...) prints them. */
static const struct {
    const char *compact;
    int spaces;
    const char *wanted;
} layouts[] = {
    {"{}", 2, "{}"},
    {"[]", 2, "[]"},
    {"1", 2, "1"},
    {"\"a,b:{[\"", 2, "\"a,b:{[\""},
    {"{\"a\":1}", 2, "{\n  \"a\": 1\n}"},
    {"[[],{},[1]]", 1, "[\n [],\n {},\n [\n  1\n ]\n]"},
    {"{\"a\":{\"b\":[true,null]},\"c\\\"}\":\"x\\\\\"}", 4,
     "{\n    \"a\": {\n        \"b\": [\n            true,\n            null\n        ]\n    },\n"
     "    \"c\\\"}\": \"x\\\\\"\n}"},
    {"[1,2]", 0, "[\n1,\n2\n]"},
    {"", 2, ""},
};

static void test_indent(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        struct buf b;
        buf_init(&b, 4096);
        json_indent(&b, str_of(layouts[i].compact), layouts[i].spaces);
        assert_text(&b, layouts[i].wanted);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),     cmocka_unit_test(test_depth_limit),
        cmocka_unit_test(test_wrong_nesting), cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_doubles),       cmocka_unit_test(test_doubles_that_are_no_numbers),
        cmocka_unit_test(test_indent),
    };
    return cmocka_run_group_tests_name("json/write", tests, NULL, NULL);
}
