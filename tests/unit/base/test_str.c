#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#define assert_str(s, literal) assert_true(str_eq((s), STR(literal)))

static void compares(void **state)
{
    (void)state;
    assert_true(str_eq(STR(""), STR_NULL));
    assert_true(str_eq(STR("a"), str_of("a")));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_false(str_eq(STR("a"), STR("b")));
    assert_true(str_eq_nocase(STR("Bearer"), STR("bEARER")));
    assert_false(str_eq_nocase(STR("bearer"), STR("bearer ")));
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_null(str_of(NULL).p);
}

static void finds_prefix_and_suffix(void **state)
{
    (void)state;
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR("")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_true(str_ends(STR("abc"), STR("abc")));
    assert_false(str_ends(STR("c"), STR("bc")));
    assert_true(str_contains_byte(STR("a:b"), ':'));
    assert_false(str_contains_byte(STR_NULL, ':'));
}

static void trims(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t\r\n\v\f a b \n")), "a b");
    assert_int_equal(str_trim(STR("  ")).n, 0);
    assert_int_equal(str_trim(STR_NULL).n, 0);
}

static void cuts_into_parts(void **state)
{
    (void)state;
    struct str rest = STR("a,,b,");
    assert_str(str_cut(&rest, ','), "a");
    assert_str(str_cut(&rest, ','), "");
    assert_str(str_cut(&rest, ','), "b");
    assert_non_null(rest.p);
    assert_str(str_cut(&rest, ','), "");
    assert_null(rest.p);

    rest = STR("");
    assert_int_equal(str_cut(&rest, ',').n, 0);
    assert_null(rest.p);
}

static void finds_words_in_a_list(void **state)
{
    (void)state;
    assert_true(str_in_list(STR("b"), "a, b,c"));
    assert_true(str_in_list(STR("a"), "a"));
    assert_false(str_in_list(STR("ab"), "a,b"));
    assert_false(str_in_list(STR("a"), NULL));
}

static void reads_numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
        {"--1", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t value = -5;
        assert_int_equal(str_to_i64(str_of(cases[i].text), &value), cases[i].ok);
        assert_int_equal(value, cases[i].ok ? cases[i].value : -5);
    }
}

static void hashes(void **state)
{
    (void)state;
    assert_true(str_hash(STR("")) == UINT64_C(0xcbf29ce484222325)); /* FNV-1a's own examples */
    assert_true(str_hash(STR("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(str_hash(STR("foobar")) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),      cmocka_unit_test(finds_prefix_and_suffix),
        cmocka_unit_test(trims),         cmocka_unit_test(cuts_into_parts),
        cmocka_unit_test(reads_numbers), cmocka_unit_test(finds_words_in_a_list),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
