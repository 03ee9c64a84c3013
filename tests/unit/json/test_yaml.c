/* json/yaml.h: block style, what stands without quotes and what may not. That it means the same to
 * others is proved in tests/api/schema.test.mjs, with a parser that is not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/yaml.h"

static const struct {
    const char *json;
    const char *yaml;
} cases[] = {
    {"{}", "{}\n"},
    {"[]", "[]\n"},
    {"null", "null\n"},
    {"-12.5e3", "-12.5e3\n"},
    {"\"word\"", "word\n"},
    {"{\"a\":1,\"b\":true}", "a: 1\nb: true\n"},
    {"{\"a\":{\"b\":{\"c\":null}},\"d\":2}", "a:\n  b:\n    c: null\nd: 2\n"},
    {"{\"a\":{},\"b\":[],\"c\":[[]]}", "a: {}\nb: []\nc:\n  - []\n"},
    {"{\"list\":[1,\"two\",{\"k\":3,\"m\":4},[5,6]]}",
     "list:\n  - 1\n  - two\n  - k: 3\n    m: 4\n  - - 5\n    - 6\n"},
    {"[{\"a\":[{\"b\":1}]},{\"c\":2}]", "- a:\n    - b: 1\n- c: 2\n"},
    /* text that would be something else without quotes */
    {"[\"200\",\"\",\"yes\",\"No\",\"null\",\"y\",\"1e3\",\"~\"]",
     "- \"200\"\n- \"\"\n- \"yes\"\n- \"No\"\n- \"null\"\n- \"y\"\n- \"1e3\"\n- \"~\"\n"},
    {"{\"200\":1,\"$ref\":\"#/a\",\"on\":2}", "\"200\": 1\n\"$ref\": \"#/a\"\n\"on\": 2\n"},
    {"[\"a: b\",\"a #b\",\"- a\",\"{a}\",\"a\\\"b\\\\\",\"a\\nb\",\"a,b]\"]",
     "- \"a: b\"\n- \"a #b\"\n- \"- a\"\n- \"{a}\"\n- \"a\\\"b\\\\\"\n- \"a\\nb\"\n- \"a,b]\"\n"},
    {"[\"application/json\",\"X-Request-ID\",\"users_list\",\"date-time\"]",
     "- application/json\n- X-Request-ID\n- users_list\n- date-time\n"},
    {"[\"\xc3\xa4\xf0\x9f\x98\x80\"]", "- \"\xc3\xa4\xf0\x9f\x98\x80\"\n"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;
        buf_init(&out, 4096);
        yaml_from_json(&out, str_of(cases[i].json));
        buf_char(&out, '\0');
        assert_false(out.failed);
        assert_string_equal(out.p, cases[i].yaml);
        buf_fini(&out);
    }
}

static void test_too_small(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 8);
    yaml_from_json(&out, STR("{\"a\":{\"b\":{\"c\":null}},\"d\":2}"));
    assert_true(out.failed);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
