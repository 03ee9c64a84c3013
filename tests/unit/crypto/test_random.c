#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/random.h"

enum { MANY = 5000 };

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

static int64_t id_ms(struct uuid id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) {
        ms = ms << 8 | id.b[i];
    }
    return ms;
}

static void test_ids_differ_and_carry_the_time(void **state)
{
    (void)state;
    static struct uuid ids[MANY];
    int64_t before = clock_now_us() / 1000;
    for (size_t i = 0; i < MANY; i++) {
        ids[i] = random_uuid_v7();
        assert_int_equal(ids[i].b[6] >> 4, 7);
        assert_int_equal(ids[i].b[8] >> 6, 2);
    }
    int64_t after = clock_now_us() / 1000;
    qsort(ids, MANY, sizeof(ids[0]), compare_ids);
    assert_true(id_ms(ids[0]) >= before);
    assert_true(id_ms(ids[MANY - 1]) <= after);
    for (size_t i = 1; i < MANY; i++) {
        assert_false(uuid_eq(ids[i - 1], ids[i]));
    }
}

/* The bytes in store for ids must not be handed out twice, once on each side of a fork. */
static void test_a_child_makes_its_own_ids(void **state)
{
    (void)state;
    int ends[2];
    struct uuid theirs;
    (void)random_uuid_v7();
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct uuid id = random_uuid_v7();
        _exit(write(ends[1], &id, sizeof(id)) == (ssize_t)sizeof(id) ? 0 : 1);
    }
    struct uuid ours = random_uuid_v7();
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    assert_memory_not_equal(ours.b + 6, theirs.b + 6, 10);
    close(ends[0]);
    close(ends[1]);
}

static void test_bytes(void **state)
{
    (void)state;
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    uint8_t untouched = 0x5A;
    random_bytes(&untouched, 0);
    assert_int_equal(untouched, 0x5A);
}

static void test_hex(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (size_t n = 0; n < 70; n++) {
        struct str text = random_hex(&a, n);
        assert_int_equal(text.n, 2 * n);
        assert_int_equal(strspn(text.p, "0123456789abcdef"), 2 * n);
    }
    assert_false(str_eq(random_hex(&a, 20), random_hex(&a, 20)));
    arena_fini(&a);
}

/* Were nibbles lost or doubled on the way from the bytes to the digits, some pair would be missing:
 * 200,000 bytes miss one of the 256 values with a chance of 1e-337. */
static void test_hex_has_every_byte(void **state)
{
    (void)state;
    static bool seen[256];
    struct arena a;
    arena_init(&a);
    struct str text = random_hex(&a, 200000);
    for (size_t i = 0; i < text.n; i += 2) {
        char pair[] = {text.p[i], text.p[i + 1], '\0'};
        seen[strtoul(pair, NULL, 16)] = true;
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        assert_true(seen[i]);
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_differ_and_carry_the_time),
        cmocka_unit_test(test_a_child_makes_its_own_ids),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_has_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
