#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "chat/name.h"

static struct str repeat(struct arena *a, char c, size_t count)
{
    char *p = arena_alloc(a, count + 1);
    memset(p, c, count);
    return (struct str){p, count};
}

static void judges_usernames(void **state)
{
    const struct {
        struct str name;
        bool valid;
    } cases[] = {
        {STR("ann"), true},
        {STR("Ann.B+c-d_9"), true},
        {STR("\xC5\xBDofie"), true},
        {STR("\xE6\x9D\x8E\xE5\xB0\x8F"), true},
        {STR("\xD9\xA3\xD9\xA4"), true}, /* Arabic digits */
        {STR("a"), true},
        {STR(""), false},
        {STR_NULL, false},
        {STR("ann@home"), false},
        {STR("ann\xEF\xBC\xA0home"), false}, /* full-width '@', which would fold to '@' */
        {STR("with blank"), false},
        {STR("me/you"), false},
        {STR("a\0b"), false},
        {STR("a\n"), false},
        {STR("\xF0\x9F\x98\x80"), false},
        {STR("a\xC2\xA0"
             "b"),
         false},
        {STR("a\xFF"), false},
        {STR("0190f9a0-0000-7000-8000-000000000002"), false},
        {STR("0190F9A0-0000-7000-8000-000000000002"), false},
        {STR("0190f9a0000070008000000000000002"), false},
        {STR("0190f9a0-0000-7000-8000-00000000000"), true},
    };
    struct arena a;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (username_valid(cases[i].name) != cases[i].valid) {
            fail_msg("case %zu: %.*s", i, STR_ARG(cases[i].name));
        }
    }
    arena_init(&a);
    assert_true(username_valid(repeat(&a, 'x', USERNAME_LENGTH_MAX)));
    assert_false(username_valid(repeat(&a, 'x', USERNAME_LENGTH_MAX + 1)));
    arena_fini(&a);
}

static void makes_usernames_of_addresses(void **state)
{
    const struct {
        struct str email;
        struct str name;
    } cases[] = {
        {STR("ann@example.com"), STR("ann")},
        {STR("Ann.B+tag@example.com"), STR("Ann.B+tag")},
        {STR("o'neil@example.com"), STR("oneil")},
        {STR("\"a@b\"@example.com"), STR("ab")},
        {STR("!#$%@example.com"), STR("user")},
        {STR("0190f9a0-0000-7000-8000-000000000001@example.com"), STR("user")},
        {STR(""), STR("user")},
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str name = username_from_email(&a, cases[i].email);
        assert_true(str_eq(name, cases[i].name));
        assert_true(username_valid(name));
    }
    struct str long_name = username_from_email(&a, repeat(&a, 'y', 200));
    assert_true(long_name.n > 100 && long_name.n < USERNAME_LENGTH_MAX - 6);
    arena_fini(&a);
}

static void splits_into_folded_words(void **state)
{
    const struct {
        struct str text;
        const char *words; /* joined by commas */
    } cases[] = {
        {STR("Zoe.Quill"), "zoe,quill"},
        {STR("  Ann-Marie  O'Neil "), "ann,marie,o,neil"},
        {STR("first_last"), "first,last"},
        {STR("yan@other.example"), "yan,other,example"},
        {STR("\xC5\xBDOFIE"), "\xC5\xBEofie"},
        {STR("\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8"), "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8"},
        {STR("%_*\"'"), ""},
        {STR(""), ""},
        {STR_NULL, ""},
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str words[8];
        size_t n = name_words(&a, cases[i].text, words, COUNT_OF(words));
        struct str joined = STR("");
        for (size_t k = 0; k < n; k++) {
            joined = arena_printf(&a, "%.*s%s%.*s", STR_ARG(joined), k > 0 ? "," : "",
                                  STR_ARG(words[k]));
        }
        assert_true(str_eq(joined, str_of(cases[i].words)));
    }
    arena_fini(&a);
}

static void bounds_words(void **state)
{
    struct arena a;
    struct str words[3];
    (void)state;
    arena_init(&a);
    assert_int_equal(name_words(&a, STR("a b c d e"), words, COUNT_OF(words)), 3);
    assert_int_equal(name_words(&a, STR("a b"), words, 0), 0);
    assert_int_equal(name_words(&a, repeat(&a, 'w', 500), words, 1), 1);
    assert_int_equal(words[0].n, WORD_BYTES_MAX);
    struct str wide = STR_NULL; /* one byte, then characters of three: none may be cut in two */
    for (int i = 0; i < 40; i++) {
        wide = i == 0 ? STR("a") : arena_printf(&a, "%.*s\xE6\x9D\x8E", STR_ARG(wide));
    }
    assert_int_equal(name_words(&a, wide, words, 1), 1);
    assert_true(utf8_valid(words[0], NULL));
    assert_true(words[0].n <= WORD_BYTES_MAX && words[0].n > WORD_BYTES_MAX - 3);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_usernames),
        cmocka_unit_test(makes_usernames_of_addresses),
        cmocka_unit_test(splits_into_folded_words),
        cmocka_unit_test(bounds_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
