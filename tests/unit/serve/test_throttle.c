/* serve/throttle.c: counting, scopes, bounds, many threads. No clock is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "base/arena.h"
#include "serve/throttle.h"

/* No test lasts so long that this window ends. */
static const struct rate three_a_day = {3, 24 * 60 * 60};

static int setup(void **state)
{
    *state = throttle_new(STR("a secret"));
    return 0;
}

static int teardown(void **state)
{
    throttle_free(*state);
    return 0;
}

static bool take(struct throttle *t, struct rate rate, const char *scope, const char *who)
{
    int64_t wait_s = -1;
    bool fits = throttle_take(t, rate, scope, str_of(who), &wait_s);
    assert_true(rate.requests == 0 || (wait_s >= 0 && wait_s <= rate.per_seconds));
    return fits;
}

static void test_so_many_and_no_more(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_true(take(*state, three_a_day, "user", "ann"));
    }
    assert_false(take(*state, three_a_day, "user", "ann"));
    assert_false(take(*state, three_a_day, "user", "ann"));
}

static void test_the_wait_is_told(void **state)
{
    int64_t wait_s = 0;
    const struct rate one = {1, 1000};
    assert_true(throttle_take(*state, one, "user", STR("ann"), &wait_s));
    assert_false(throttle_take(*state, one, "user", STR("ann"), &wait_s));
    assert_true(wait_s > 0 && wait_s <= 1000);
}

static void test_everybody_and_every_scope_for_itself(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_true(take(*state, three_a_day, "user", "ann"));
    }
    assert_true(take(*state, three_a_day, "user", "bob"));
    assert_true(take(*state, three_a_day, "user", "an"));
    assert_true(take(*state, three_a_day, "user", ""));
    assert_true(take(*state, three_a_day, "anon", "ann"));
    assert_false(take(*state, three_a_day, "user", "ann"));
}

static void test_peek_does_not_count(void **state)
{
    int64_t wait_s;
    const struct rate one = {1, 1000};
    for (int i = 0; i < 5; i++) {
        assert_true(throttle_peek(*state, one, "login", STR("ann"), &wait_s));
    }
    assert_true(throttle_take(*state, one, "login", STR("ann"), &wait_s));
    assert_false(throttle_peek(*state, one, "login", STR("ann"), &wait_s));
    assert_true(wait_s > 0);
}

static void test_no_rate_no_limit(void **state)
{
    const struct rate none = {0, 0};
    for (int i = 0; i < 1000; i++) {
        assert_true(take(*state, none, "user", "ann"));
    }
}

/* A window of no length has ended when the next one comes. */
static void test_an_ended_window_begins_anew(void **state)
{
    const struct rate momentary = {1, 0};
    for (int i = 0; i < 5; i++) {
        assert_true(take(*state, momentary, "user", "ann"));
    }
}

/* More callers than there are slots: the table does not grow, and nobody is refused his first. */
static void test_more_than_fit(void **state)
{
    char who[32];
    for (int i = 0; i < 200000; i++) {
        (void)snprintf(who, sizeof(who), "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);
        assert_true(take(*state, three_a_day, "anon", who));
    }
}

/* These two names have one FNV-1a hash: whoever can name such pairs would use up another's tries. */
static void test_names_that_hash_alike(void **state)
{
    static const char *const names[] = {"8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"};
    assert_true(str_hash(str_of(names[0])) == str_hash(str_of(names[1])));
    for (int i = 0; i < 3; i++) {
        assert_true(take(*state, three_a_day, "login", names[0]));
    }
    assert_true(take(*state, three_a_day, "login", names[1]));
}

/* A scope and a name are not one text. */
static void test_no_name_reaches_into_a_scope(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_true(take(*state, three_a_day, "login", "x"));
    }
    assert_true(take(*state, three_a_day, "log", "inx"));
}

/* --- two nodes --- */

static size_t pass_on(struct throttle *from, struct throttle *to)
{
    struct bus_count counts[64];
    size_t count = throttle_tell(from, counts, COUNT_OF(counts));
    for (size_t i = 0; i < count; i++) {
        assert_true(counts[i].left_ms > 0);
        throttle_hear(to, &counts[i]);
    }
    return count;
}

static void test_nodes_count_together(void **state)
{
    struct throttle *other = throttle_new(STR("a secret"));
    assert_true(take(*state, three_a_day, "login", "ann"));
    assert_true(take(*state, three_a_day, "login", "ann"));
    assert_true(take(*state, three_a_day, "login", "bob"));
    assert_int_equal(pass_on(*state, other), 2);
    assert_int_equal(pass_on(*state, other), 0); /* told once */
    assert_true(take(other, three_a_day, "login", "ann"));
    assert_false(take(other, three_a_day, "login", "ann"));
    assert_true(take(other, three_a_day, "user", "ann"));
    assert_int_equal(pass_on(other, *state), 2); /* what it has heard it does not tell */
    assert_false(take(*state, three_a_day, "login", "ann"));
    assert_true(take(*state, three_a_day, "login", "bob"));
    throttle_free(other);
}

static void test_little_is_not_told(void **state)
{
    struct throttle *other = throttle_new(STR("a secret"));
    const struct rate many = {1600, 24 * 60 * 60};
    for (int i = 0; i < 99; i++) {
        assert_true(take(*state, many, "user", "ann"));
    }
    assert_int_equal(pass_on(*state, other), 0);
    assert_true(take(*state, many, "user", "ann"));
    assert_int_equal(pass_on(*state, other), 1);
    for (int i = 0; i < 1500; i++) {
        assert_true(take(other, many, "user", "ann"));
    }
    assert_false(take(other, many, "user", "ann"));
    throttle_free(other);
}

/* With another secret a key is nobody's. */
static void test_a_key_is_secret(void **state)
{
    struct throttle *stranger = throttle_new(STR("another secret"));
    for (int i = 0; i < 3; i++) {
        assert_true(take(*state, three_a_day, "login", "ann"));
    }
    assert_int_equal(pass_on(*state, stranger), 1);
    assert_true(take(stranger, three_a_day, "login", "ann"));
    throttle_free(stranger);
}

/* More than may wait: none is told twice, none of those that are listed is lost. */
static void test_more_than_can_be_told(void **state)
{
    struct bus_count counts[4096];
    char who[32];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(who, sizeof(who), "user %d", i);
        assert_true(take(*state, three_a_day, "anon", who));
    }
    size_t count = throttle_tell(*state, counts, COUNT_OF(counts));
    assert_true(count > 900 && count <= 1024);
    assert_int_equal(throttle_tell(*state, counts, COUNT_OF(counts)), 0);
    assert_true(take(*state, three_a_day, "anon", "user 2999")); /* both are told now */
    assert_int_equal(throttle_tell(*state, counts, COUNT_OF(counts)), 1);
    assert_int_equal(counts[0].n, 2);
}

enum { THREADS = 4, TRIES = 500, ALLOWED = 700 };

struct taker {
    pthread_t thread;
    struct throttle *throttle;
    int taken;
};

static void *take_many(void *arg)
{
    struct taker *taker = arg;
    for (int i = 0; i < TRIES; i++) {
        int64_t wait_s;
        const struct rate rate = {ALLOWED, 24 * 60 * 60};
        taker->taken += throttle_take(taker->throttle, rate, "user", STR("ann"), &wait_s) ? 1 : 0;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct taker takers[THREADS];
    int taken = 0;
    for (int i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.throttle = *state};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_many, &takers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(takers[i].thread, NULL);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, ALLOWED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_so_many_and_no_more),
        TEST(test_the_wait_is_told),
        TEST(test_everybody_and_every_scope_for_itself),
        TEST(test_peek_does_not_count),
        TEST(test_no_rate_no_limit),
        TEST(test_an_ended_window_begins_anew),
        TEST(test_more_than_fit),
        TEST(test_names_that_hash_alike),
        TEST(test_no_name_reaches_into_a_scope),
        TEST(test_many_threads),
        TEST(test_nodes_count_together),
        TEST(test_little_is_not_told),
        TEST(test_a_key_is_secret),
        TEST(test_more_than_can_be_told),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
