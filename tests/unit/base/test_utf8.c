#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

#define assert_str(s, literal) assert_true(str_eq((s), STR(literal)))

static void accepts_what_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid(STR_NULL, NULL));
    assert_true(utf8_valid(STR(""), NULL));
    assert_true(utf8_valid(STR("plain text of more than sixteen bytes"), NULL));
    assert_true(utf8_valid(STR("\0\x7F"), NULL));
    assert_true(utf8_valid(STR("\xC2\x80 \xDF\xBF"), NULL));
    assert_true(utf8_valid(STR("\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF"), NULL));
    assert_true(utf8_valid(STR("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF"), NULL));
}

static void refuses_what_is_not(void **state)
{
    const struct {
        struct str text;
        size_t bad_at;
    } cases[] = {
        {STR("\x80"), 0},
        {STR("a\xBFz"), 1},
        {STR("ab\xC0\x80"), 2},       /* overlong */
        {STR("\xC1\xBF"), 0},         /* overlong */
        {STR("\xE0\x9F\xBF"), 0},     /* overlong */
        {STR("\xF0\x8F\xBF\xBF"), 0}, /* overlong */
        {STR("\xED\xA0\x80"), 0},     /* surrogate */
        {STR("\xED\xBF\xBF"), 0},     /* surrogate */
        {STR("\xF4\x90\x80\x80"), 0}, /* beyond U+10FFFF */
        {STR("\xF5\x80\x80\x80"), 0},
        {STR("\xFE"), 0},
        {STR("\xFF"), 0},
        {STR("12345678\xC3"), 8},            /* cut */
        {STR("12345678\xE2\x82"), 8},        /* cut */
        {STR("1234567890\xF0\x9F\x98"), 10}, /* cut */
        {STR("\xC3\xA9\xC3("), 2},
        {STR("\xE2(\xA1"), 0},
        {STR("\xF0\x9F\x98("), 0},
        {STR("abcdefgh\xE9t\xE9"), 8}, /* Latin-1 */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t bad_at = 99;
        assert_false(utf8_valid(cases[i].text, &bad_at));
        assert_int_equal(bad_at, cases[i].bad_at);
    }
}

static void counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(utf8_length(STR("")), 0);
    assert_int_equal(utf8_length(STR("abc")), 3);
    assert_int_equal(utf8_length(STR("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")), 3);
}

static void trims_what_python_trims(void **state)
{
    const struct str spaces[] = {
        STR("\t"),           STR("\n"),
        STR("\v"),           STR("\f"),
        STR("\r"),           STR("\x1C"),
        STR("\x1D"),         STR("\x1E"),
        STR("\x1F"),         STR(" "),
        STR("\xC2\x85"),     STR("\xC2\xA0"),
        STR("\xE1\x9A\x80"), STR("\xE2\x80\x80"),
        STR("\xE2\x80\x8A"), STR("\xE2\x80\xA8"),
        STR("\xE2\x80\xA9"), STR("\xE2\x80\xAF"),
        STR("\xE2\x81\x9F"), STR("\xE3\x80\x80"),
    };
    const struct str others[] = {
        STR("\x1B"),
        STR("\x7F"),
        STR("\0"),
        STR("\xE2\x80\x8B"),
        STR("\xEF\xBB\xBF"),
        STR("\xE1\xA0\x8E"),
        STR("\xF0\x9F\x98\x80"),
        STR("\xC3\xA0"),
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        struct str s = spaces[i];
        struct str text =
            arena_printf(&a, "%.*s%.*sx y%.*s%.*s", STR_ARG(s), STR_ARG(s), STR_ARG(s), STR_ARG(s));
        assert_str(utf8_trim(text), "x y");
        assert_int_equal(utf8_trim(s).n, 0);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_true(str_eq(utf8_trim(others[i]), others[i]));
    }
    assert_int_equal(utf8_trim(STR_NULL).n, 0);
    assert_int_equal(utf8_trim(STR("\xE3\x80")).n, 2); /* half a character stays */
    arena_fini(&a);
}

static void folds(void **state)
{
    static const struct {
        const char *text;
        const char *folded;
    } cases[] = {
        {"", ""},
        {"Hello, World_9", "hello, world_9"},
        {"\xC3\x84RGER", "\xC3\xA4rger"},   /* A with diaeresis */
        {"A\xCC\x88", "\xC3\xA4"},          /* the same in two code points */
        {"Gro\xC3\x9Ft", "grosst"},         /* sharp s */
        {"\xEF\xBC\xA1\xEF\xBC\xA2", "ab"}, /* full width */
        {"\xEF\xAC\x81", "fi"},             /* ligature */
        {"\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x82",
         "\xCF\x83\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x83"}, /* both small sigmas */
        {"\xD0\x9F\xD0\xA0", "\xD0\xBF\xD1\x80"},                     /* Cyrillic */
        {"\xE6\xBC\xA2", "\xE6\xBC\xA2"},                             /* no case */
        {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str folded = utf8_fold(&a, str_of(cases[i].text));
        assert_true(str_eq(folded, str_of(cases[i].folded)));
        assert_true(utf8_valid(folded, NULL));
    }
    assert_null(utf8_fold(&a, STR_NULL).p);
    assert_str(utf8_fold(&a, STR("A\xFF")), "A\xFF"); /* not valid: as it was */
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_valid),   cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(counts_code_points),      cmocka_unit_test(folds),
        cmocka_unit_test(trims_what_python_trims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
