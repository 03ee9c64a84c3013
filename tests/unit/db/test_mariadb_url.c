/* db/mariadb_url.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/mariadb_url.h"

static struct arena a;

static struct mariadb_url parse(const char *url)
{
    struct mariadb_url out;
    struct str problem = STR("");
    assert_true(mariadb_url_parse(&a, str_of(url), &out, &problem));
    return out;
}

static void assert_refused(const char *url, const char *why)
{
    struct mariadb_url out;
    struct str problem = STR("");
    assert_false(mariadb_url_parse(&a, str_of(url), &out, &problem));
    assert_non_null(memmem(problem.p, problem.n, why, strlen(why)));
    assert_null(memmem(problem.p, problem.n, "hush", 4));
}

static void test_whole(void **state)
{
    (void)state;
    const struct mariadb_url url = parse("mysql://me:hush@db.example.com:3307/chat");
    assert_string_equal(url.user, "me");
    assert_string_equal(url.password, "hush");
    assert_string_equal(url.host, "db.example.com");
    assert_int_equal(url.port, 3307);
    assert_string_equal(url.database, "chat");
    assert_null(url.socket);
    assert_int_equal(url.tls, MARIADB_TLS_NONE);
}

static void test_parts_may_be_missing(void **state)
{
    (void)state;
    const struct mariadb_url url = parse("mariadb:///chat");
    assert_null(url.user);
    assert_null(url.password);
    assert_null(url.host);
    assert_int_equal(url.port, 0);
    assert_string_equal(url.database, "chat");
}

static void test_reserved_bytes(void **state)
{
    (void)state;
    const struct mariadb_url url = parse("mysql://a%40b:p%2Fq:r@s%3F%@[::1]:1/x%20y");
    assert_string_equal(url.user, "a@b");
    assert_string_equal(url.password, "p/q:r@s?%");
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 1);
    assert_string_equal(url.database, "x y");
}

static void test_options(void **state)
{
    (void)state;
    struct mariadb_url url = parse("mysql://u@/chat?socket=/run/my%20sql.sock&");
    assert_string_equal(url.socket, "/run/my sql.sock");
    url = parse("mysql://h/chat?ssl-mode=required");
    assert_int_equal(url.tls, MARIADB_TLS_REQUIRED);
    url = parse("mysql://h/chat?ssl-ca=/ca.pem&ssl-cert=/c.pem&ssl-key=/k.pem");
    assert_int_equal(url.tls, MARIADB_TLS_VERIFY);
    assert_string_equal(url.ca, "/ca.pem");
    assert_string_equal(url.certificate, "/c.pem");
    assert_string_equal(url.key, "/k.pem");
    url = parse("mysql://h/chat?ssl-mode=required&ssl-ca=/ca.pem");
    assert_int_equal(url.tls, MARIADB_TLS_REQUIRED);
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("mysql:", "is not mysql://");
    assert_refused("mysql://me:hush@h", "names no database");
    assert_refused("mysql://me:hush@h/", "names no database");
    assert_refused("mysql://me:hush@h:0/x", "port");
    assert_refused("mysql://me:hush@h:70000/x", "port");
    assert_refused("mysql://me:hush@[::1]:a/x", "port");
    assert_refused("mysql://me:hush@h/x?charset=latin1", "option charset");
    assert_refused("mysql://me:hush@h/x?ssl-mode=maybe", "ssl-mode");
    assert_refused("mysql://me:hush@h/x?ssl-mode", "ssl-mode");
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&a);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_may_be_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reserved_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("mariadb_url", tests, NULL, NULL);
}
