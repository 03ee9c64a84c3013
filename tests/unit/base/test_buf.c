#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"

#define assert_buf(b, literal) assert_true(str_eq(buf_view(b), STR(literal)))

static void builds_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10000);
    assert_buf(&b, "");
    buf_lit(&b, "a");
    buf_char(&b, 'b');
    buf_str(&b, STR("cd"));
    buf_str(&b, STR_NULL);
    buf_printf(&b, "%d", 5);
    buf_i64(&b, 0);
    buf_i64(&b, -12);
    assert_buf(&b, "abcd50-12");
    buf_reset(&b);
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MAX);
    assert_buf(&b, "-9223372036854775808 9223372036854775807");
    assert_false(b.failed);
    buf_fini(&b);
}

static void keeps_its_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) {
        buf_char(&b, 'x');
    }
    assert_false(b.failed);
    assert_int_equal(b.n, 1000);
    buf_char(&b, 'x');
    assert_true(b.failed);
    assert_int_equal(b.n, 1000);
    buf_reset(&b);
    assert_false(b.failed);
    buf_add(&b, NULL, 0);
    assert_false(b.failed);
    buf_fini(&b);
}

static void fails_for_good(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_lit(&b, "12345");
    assert_true(b.failed);
    buf_lit(&b, "1");
    assert_true(b.failed);
    buf_fini(&b);

    buf_init(&b, 4);
    buf_printf(&b, "%s", "123456");
    assert_true(b.failed);
    buf_fini(&b);
}

static void hands_over(void **state)
{
    (void)state;
    struct buf b;
    size_t n = 0;
    buf_init(&b, 100);
    buf_lit(&b, "mine");
    char *p = buf_take(&b, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(p, "mine", 4);
    assert_buf(&b, "");
    free(p);
    buf_lit(&b, "again");
    assert_buf(&b, "again");
    buf_fini(&b);
}

static void escapes_json(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_json(&b, STR("plain \"\\/\b\f\n\r\t\x01\x1f\x7f"));
    assert_buf(&b, "plain \\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f");
    buf_reset(&b);
    buf_json(&b, STR("\xE2\x80\xA8|\xE2\x80\xA9|\xE2\x82\xAC|\xF0\x9F\x98\x80"));
    assert_buf(&b, "\\u2028|\\u2029|\xE2\x82\xAC|\xF0\x9F\x98\x80");
    buf_reset(&b);
    buf_json(&b, STR("\0"));
    assert_buf(&b, "\\u0000");
    buf_fini(&b);
}

static void escapes_urls(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_url(&b, STR("aZ09-_.~ /?&=+%\xC3\xA9"));
    assert_buf(&b, "aZ09-_.~+%2F%3F%26%3D%2B%25%C3%A9");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_text),    cmocka_unit_test(keeps_its_maximum),
        cmocka_unit_test(fails_for_good), cmocka_unit_test(hands_over),
        cmocka_unit_test(escapes_json),   cmocka_unit_test(escapes_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
