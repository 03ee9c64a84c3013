/* live/cursor.c: what the server made is read back, anything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "live/cursor.h"

static const struct uuid incarnation = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct cursor plain(void)
{
    return (struct cursor){.incarnation = incarnation,
                           .at = {{INT64_C(0x0102030405060708), 9, INT64_MAX}}};
}

static struct cursor paging(void)
{
    struct cursor cursor = plain();
    cursor.paging = true;
    cursor.place = (struct cursor_place){
        .goal = {{INT64_MAX, 10, INT64_MAX}},
        .conversation_id = {{0xC0, 0xFF}},
        .kind = 200,
        .after = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}},
    };
    return cursor;
}

static void same_position(const struct position *a, const struct position *b, int shards)
{
    for (int i = 0; i < SHARDS_MAX; i++) {
        assert_int_equal(a->at[i], i < shards ? b->at[i] : 0);
    }
}

static void comes_back(struct cursor cursor, int shards)
{
    struct arena a;
    struct cursor out;
    arena_init(&a);
    struct str text = cursor_format(&a, &cursor, shards);
    assert_true(cursor_parse(text, &out));
    assert_memory_equal(&out.incarnation, &cursor.incarnation, sizeof(out.incarnation));
    same_position(&out.at, &cursor.at, shards);
    assert_int_equal(out.paging, cursor.paging);
    same_position(&out.place.goal, &cursor.place.goal, shards);
    assert_memory_equal(&out.place.conversation_id, &cursor.place.conversation_id, 16);
    assert_int_equal(out.place.kind, cursor.place.kind);
    assert_memory_equal(&out.place.after, &cursor.place.after, 16);
    arena_fini(&a);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int shards = 1; shards <= SHARDS_MAX; shards++) {
        comes_back(plain(), shards);
        comes_back(paging(), shards);
    }
}

static void test_form(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    struct cursor cursor = plain();
    struct str text = cursor_format(&a, &cursor, 1);
    struct str bytes;
    assert_true(base64url_decode(&a, text, &bytes));
    assert_int_equal(bytes.n, 1 + 16 + 1 + 8);
    assert_int_equal(bytes.p[0], 1);
    assert_int_equal(bytes.p[17], 1);
    const uint8_t stamp[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_memory_equal(bytes.p + 18, stamp, sizeof(stamp));
    arena_fini(&a);
}

static void test_empty(void **state)
{
    struct arena a;
    struct cursor out = plain();
    const struct cursor nothing = {.at = {{5}}};
    (void)state;
    arena_init(&a);
    assert_true(cursor_parse(STR(""), &out));
    assert_true(uuid_is_zero(out.incarnation));
    assert_int_equal(out.at.at[0], 0);
    assert_int_equal(cursor_format(&a, &nothing, 1).n, 0);
    arena_fini(&a);
}

static void refused(struct str text)
{
    struct cursor out = plain();
    assert_false(cursor_parse(text, &out));
    assert_true(uuid_is_zero(out.incarnation));
}

static void refused_bytes(struct arena *a, const uint8_t *bytes, size_t n)
{
    refused(base64url_encode(a, str_of_bytes(bytes, n)));
}

static void test_cut(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    struct cursor cursor = paging();
    struct str text = cursor_format(&a, &cursor, 2);
    struct str bytes;
    struct cursor out;
    assert_true(base64url_decode(&a, text, &bytes));
    for (size_t n = 1; n < bytes.n; n++) {
        bool is_whole = n == 18 + 2 * 8; /* that is the cursor without its place */
        assert_int_equal(cursor_parse(base64url_encode(&a, (struct str){bytes.p, n}), &out),
                         is_whole);
    }
    arena_fini(&a);
}

static void test_hostile(void **state)
{
    struct arena a;
    uint8_t bytes[18 + 8 * 8 * 2 + 33 + 1] = {1, 9};
    (void)state;
    arena_init(&a);
    refused(STR("x"));
    refused(STR("not base64url!"));
    refused(STR("===="));
    bytes[17] = 1;
    struct cursor out;
    assert_true(cursor_parse(base64url_encode(&a, str_of_bytes(bytes, 26)), &out));
    bytes[18] = 0x80; /* a negative stamp */
    refused_bytes(&a, bytes, 26);
    bytes[18] = 0;
    bytes[0] = 2; /* another format */
    refused_bytes(&a, bytes, 26);
    bytes[0] = 1;
    bytes[1] = 0; /* nobody's incarnation */
    refused_bytes(&a, bytes, 26);
    bytes[1] = 9;
    bytes[17] = 0; /* no shard, too many of them */
    refused_bytes(&a, bytes, 18);
    bytes[17] = 9;
    refused_bytes(&a, bytes, 18 + 9 * 8);
    bytes[17] = 8;
    refused_bytes(&a, bytes, sizeof(bytes)); /* one more than the longest */
    char large[5000];
    memset(large, 'A', sizeof(large));
    refused((struct str){large, sizeof(large)});
    arena_fini(&a);
}

static void test_goal_with_negative_stamp(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    struct cursor cursor = paging();
    cursor.place.goal.at[0] = -1;
    refused(cursor_format(&a, &cursor, 1));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_form),
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_cut),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_goal_with_negative_stamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
