/* base/web_origin.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/web_origin.h"

static void test_normal_form(void **state)
{
    static const struct {
        const char *url;
        const char *normal;
        const char *rest;
    } good[] = {
        {"https://chat.example", "https://chat.example", ""},
        {"HTTPS://Chat.EXAMPLE:443/a?b#c", "https://chat.example", "/a?b#c"},
        {"http://h:80", "http://h", ""},
        {"http://h:443/", "http://h:443", "/"},
        {"http://h:?x", "http://h", "?x"},
        {"http://h:08080#", "http://h:8080", "#"},
        {"http://127.0.0.1:8000", "http://127.0.0.1:8000", ""},
        {"http://[::1]", "http://[::1]", ""},
        {"http://[0:0:0:0:0:0:0:1]:81/", "http://[::1]:81", "/"},
        {"http://[2001:DB8::A]", "http://[2001:db8::a]", ""},
        {"http://my_host-1.", "http://my_host-1.", ""},
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct web_origin origin;
        struct str rest;
        if (!web_origin_parse(str_of(good[i].url), &origin, &rest)) {
            fail_msg("%s", good[i].url);
        }
        assert_string_equal(web_origin_format(&a, &origin).p, good[i].normal);
        assert_true(str_eq(rest, str_of(good[i].rest)));
    }
    arena_fini(&a);
}

static void test_what_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "https",
        "https://",
        "https:///x",
        "https:/h",
        "ftp://h",
        "//h",
        "http://h h",
        "http://h:x",
        "http://h:-1",
        "http://h:0",
        "http://h:65536",
        "http://h:1:2",
        "http://me@h",
        "http://.h",
        "http://a..b",
        "http://h%41",
        "http://h\\x",
        "http://\xC3\xA9.example",
        "http://[::1",
        "http://[::1]x",
        "http://[1]",
        "http://[fe80::1%25eth0]",
        "http://::1",
    };
    struct web_origin origin;
    struct str rest;
    char name[WEB_HOST_MAX + 16] = "http://";
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (web_origin_parse(str_of(bad[i]), &origin, &rest)) {
            fail_msg("%s", bad[i]);
        }
    }
    memset(name + 7, 'a', WEB_HOST_MAX);
    assert_true(web_origin_parse(str_of(name), &origin, &rest));
    name[7 + WEB_HOST_MAX] = 'a';
    assert_false(web_origin_parse(str_of(name), &origin, &rest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
