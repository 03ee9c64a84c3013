/* base/redis_url.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/redis_url.h"

static struct redis_url read_good(struct arena *a, const char *text)
{
    struct redis_url url;
    if (!redis_url_parse(a, str_of(text), &url)) {
        fail_msg("%s", text);
    }
    return url;
}

static void test_hosts(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    struct redis_url url = read_good(&a, "redis://db.example.com");
    assert_string_equal(url.host, "db.example.com");
    assert_null(url.path);
    assert_null(url.password.p);
    assert_false(url.is_tls);
    assert_int_equal(url.port, 6379);
    assert_int_equal(url.db, 0);
    url = read_good(&a, "rediss://conf%61b:p%40s%2Fs:w@rd@[::1]:7000/3");
    assert_string_equal(url.host, "::1");
    assert_true(url.is_tls);
    assert_int_equal(url.port, 7000);
    assert_int_equal(url.db, 3);
    assert_true(str_eq(url.user, STR("confab")));
    assert_true(str_eq(url.password, STR("p@s/s:w@rd")));
    url = read_good(&a, "redis://:secret@127.0.0.1:6380/");
    assert_null(url.user.p);
    assert_true(str_eq(url.password, STR("secret")));
    assert_int_equal(url.port, 6380);
    arena_fini(&a);
}

static void test_sockets(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    struct redis_url url = read_good(&a, "redis+unix:///run/redis/redis.sock");
    assert_string_equal(url.path, "/run/redis/redis.sock");
    assert_null(url.host);
    url = read_good(&a, "unix://:secret@/run/redis.sock?db=4");
    assert_string_equal(url.path, "/run/redis.sock");
    assert_true(str_eq(url.password, STR("secret")));
    assert_int_equal(url.db, 4);
    arena_fini(&a);
}

static void test_what_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "redis",
        "redis:",
        "redis://",
        "redis:///",
        "http://host",
        "redis://host:0",
        "redis://host:65536",
        "redis://host:x",
        "redis://host/x",
        "redis://host/-1",
        "redis://[::1",
        "redis://[::1]x",
        "redis://user@host",
        "redis://:@host",
        "redis://:%zz@host",
        "redis://:%4@host",
        "unix://",
        "unix:///",
        "unix://path",
        "unix:///path?x=1",
        "unix:///path?db=x",
        "redis://:6379",
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct redis_url url;
        if (redis_url_parse(&a, str_of(bad[i]), &url)) {
            fail_msg("%s", bad[i]);
        }
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
