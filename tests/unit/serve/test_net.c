/* serve/net.c: addresses in networks, hosts by Django's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/net.h"

static void assert_in(const char *address, const char *list, bool wanted)
{
    if (net_address_in(str_of(address), list) != wanted) {
        fail_msg("%s in \"%s\" should be %d", address, list, wanted);
    }
}

static void test_single_addresses(void **state)
{
    (void)state;
    assert_in("10.0.0.1", "10.0.0.1", true);
    assert_in("10.0.0.1", "10.0.0.2", false);
    assert_in("10.0.0.1", "10.0.0.2, 10.0.0.1", true);
    assert_in("::1", "::1", true);
    assert_in("0:0:0:0:0:0:0:1", "::1", true);
    assert_in("2001:DB8::a", "2001:db8::A", true);
    assert_in("10.0.0.1", "", false);
    assert_in("", "10.0.0.1", false);
}

static void test_networks(void **state)
{
    (void)state;
    assert_in("10.1.2.3", "10.0.0.0/8", true);
    assert_in("11.0.0.0", "10.0.0.0/8", false);
    assert_in("192.168.7.255", "192.168.7.128/25", true);
    assert_in("192.168.7.127", "192.168.7.128/25", false);
    assert_in("1.2.3.4", "0.0.0.0/0", true);
    assert_in("1.2.3.4", "1.2.3.4/32", true);
    assert_in("1.2.3.5", "1.2.3.4/31", true);
    assert_in("1.2.3.6", "1.2.3.4/31", false);
    assert_in("2001:db8:ffff::1", "2001:db8::/32", true);
    assert_in("2001:db9::1", "2001:db8::/32", false);
    assert_in("fe80::1", "fe80::/10", true);
}

/* A dual-stack socket tells IPv4 peers as ::ffff:a.b.c.d. */
static void test_mapped_addresses(void **state)
{
    (void)state;
    assert_in("::ffff:10.1.2.3", "10.0.0.0/8", true);
    assert_in("10.1.2.3", "::ffff:10.1.2.3", true);
    assert_in("::1", "0.0.0.0/0", false);
    assert_in("10.1.2.3", "::/0", true);
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "10.0.0",    "10.0.0.256",  "10.0.0.1:80",
        "localhost", "10.0.0.1/32", "unknown",
        "[::1]",     " 10.0.0.1",   "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_in(bad[i], "0.0.0.0/0,::/0", false);
        assert_false(net_is_address(str_of(bad[i])));
    }
    assert_in("10.0.0.1", "10.0.0.0/33,10.0.0.0/-1,10.0.0.0/,10.0.0.0/x", false);
    assert_true(net_is_address(STR("::1")));
    assert_true(net_is_address(STR("255.255.255.255")));
}

static void assert_host(const char *host, const char *list, bool wanted)
{
    if (net_host_allowed(str_of(host), list) != wanted) {
        fail_msg("host %s with \"%s\" should be %d", host, list, wanted);
    }
}

static void test_exact_hosts(void **state)
{
    (void)state;
    assert_host("example.com", "example.com", true);
    assert_host("EXAMPLE.com", "example.com", true);
    assert_host("example.com:8000", "example.com", true);
    assert_host("example.com.", "example.com", true);
    assert_host("example.com.:8000", "example.com", true);
    assert_host("www.example.com", "example.com", false);
    assert_host("example.com.evil.org", "example.com", false);
    assert_host("notexample.com", "example.com", false);
    assert_host("b.org", "example.com, b.org", true);
    assert_host("example.com", "", false);
}

static void test_subdomains(void **state)
{
    (void)state;
    assert_host("example.com", ".example.com", true);
    assert_host("a.b.example.com:1", ".example.com", true);
    assert_host("A.Example.Com", ".example.com", true);
    assert_host("notexample.com", ".example.com", false);
    assert_host(".example.com", ".example.com", true);
    assert_host("com", ".", false);
}

static void test_addresses_as_hosts(void **state)
{
    (void)state;
    assert_host("127.0.0.1:8000", "127.0.0.1", true);
    assert_host("[::1]", "[::1]", true);
    assert_host("[::1]:8000", "[::1]", true);
    assert_host("::1", "[::1]", false);
}

/* Not even where every host is allowed. */
static void test_malformed_hosts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    ":80",  "a b",          "a/b", "a@b",     "a:80x",   "a:80:90", "[::1",      "a?b",
        "a#b", "a\\b", "\xC3\xA9.com", "a,b", "a\r\nX:", "[::1]80", ".",       "user:pw@a", "a%2eb",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_host(bad[i], "*", false);
    }
    assert_false(net_host_allowed((struct str){"a\0b", 3}, "*"));
    assert_false(net_host_allowed(STR_NULL, "*"));
    assert_host("anything.at.all:1", "*", true);
}

/* An IPv6 client has 64 bits to choose addresses from, and still but one turn. */
static void test_turns(void **state)
{
    (void)state;
    assert_true(net_turn(STR("10.0.0.1"), 7) == net_turn(STR("10.0.0.1"), 7));
    assert_true(net_turn(STR("10.0.0.1"), 7) != net_turn(STR("10.0.0.2"), 7));
    assert_true(net_turn(STR("10.0.0.1"), 7) != net_turn(STR("10.0.0.1"), 8));
    assert_true(net_turn(STR("2001:db8:1:2::5"), 7) == net_turn(STR("2001:db8:1:2:9::6"), 7));
    assert_true(net_turn(STR("2001:db8:1:2::5"), 7) != net_turn(STR("2001:db8:1:3::5"), 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_addresses),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_mapped_addresses),
        cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_exact_hosts),
        cmocka_unit_test(test_subdomains),
        cmocka_unit_test(test_addresses_as_hosts),
        cmocka_unit_test(test_malformed_hosts),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
