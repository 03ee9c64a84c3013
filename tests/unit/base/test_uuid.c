#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/uuid.h"

static const char example[] = "0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b";

static void reads_what_python_reads(void **state)
{
    static const char *const same[] = {
        "0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b",
        "0198A1B2-C3D4-7E5F-8A6B-0C1D2E3F4A5B",
        "0198a1b2c3d47e5f8a6b0c1d2e3f4a5b",
        "{0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b}",
        "urn:uuid:0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        struct uuid id;
        char text[UUID_TEXT];
        assert_true(uuid_parse(str_of(same[i]), &id));
        uuid_format(id, text);
        assert_memory_equal(text, example, UUID_TEXT);
    }
}

static void refuses_other_text(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "1",
        "0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5",
        "0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b0",
        "0198a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5g",
        "0198a1b2 c3d4 7e5f 8a6b 0c1d2e3f4a5b",
        "urn:uuid:",
        "{}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct uuid id;
        assert_false(uuid_parse(str_of(bad[i]), &id));
    }
}

static void version_7_sorts_by_time(void **state)
{
    static const uint8_t zeros[10] = {0};
    static const uint8_t ones[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    (void)state;
    struct uuid early = uuid_v7(INT64_C(0x0198a1b2c3d4), ones);
    struct uuid late = uuid_v7(INT64_C(0x0198a1b2c3d5), zeros);
    assert_true(uuid_compare(early, late) < 0);
    assert_true(uuid_compare(late, early) > 0);
    assert_int_equal(early.b[6] >> 4, 7);
    assert_int_equal(late.b[6] >> 4, 7);
    assert_int_equal(early.b[8] >> 6, 2);
    assert_int_equal(late.b[8] >> 6, 2);
    char text[UUID_TEXT];
    uuid_format(early, text);
    assert_memory_equal(text, "0198a1b2-c3d4-7fff-bfff-ffffffffffff", UUID_TEXT);
}

static void digests_become_ids(void **state)
{
    uint8_t digest[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    (void)state;
    struct uuid id = uuid_from_digest(digest);
    assert_true(uuid_eq(id, uuid_from_digest(digest)));
    assert_int_equal(id.b[6] >> 4, 8);
    assert_int_equal(id.b[8] >> 6, 2);
    digest[0] = 2;
    assert_false(uuid_eq(id, uuid_from_digest(digest)));
    assert_true(uuid_is_zero((struct uuid){{0}}));
    assert_false(uuid_is_zero(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_python_reads),
        cmocka_unit_test(refuses_other_text),
        cmocka_unit_test(version_7_sorts_by_time),
        cmocka_unit_test(digests_become_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
