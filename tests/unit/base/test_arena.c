#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/arena.h"

static void gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    for (size_t size = 1; size < 300; size += 7) {
        unsigned char *p = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xFF, size);
    }
    arena_fini(&a);
}

static void zeroes_again_after_reset(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    char *first = arena_alloc(&a, 64);
    memset(first, 'x', 64);
    arena_reset(&a);
    char *again = arena_alloc(&a, 64);
    assert_ptr_equal(first, again); /* no new block */
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(again[i], 0);
    }
    arena_fini(&a);
}

static void grows_by_blocks(void **state)
{
    (void)state;
    struct arena a;
    char *pieces[100];
    arena_init(&a);
    for (int i = 0; i < 100; i++) {
        pieces[i] = arena_alloc(&a, 1000);
        memset(pieces[i], 'a' + i % 26, 1000);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(pieces[i][0], 'a' + i % 26);
        assert_int_equal(pieces[i][999], 'a' + i % 26);
    }
    char *large = arena_alloc(&a, 1000000);
    large[999999] = 'x';
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 0));
    arena_fini(&a);
    arena_fini(&a); /* an empty one too */
}

static void copies_and_formats(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct str copy = arena_copy(&a, (struct str){"abcdef", 3});
    assert_string_equal(copy.p, "abc");
    assert_int_equal(copy.n, 3);
    assert_null(arena_copy(&a, STR_NULL).p);
    assert_non_null(arena_copy(&a, STR("")).p);
    struct str text = arena_printf(&a, "%s-%05d", "x", 42);
    assert_string_equal(text.p, "x-00042");
    assert_int_equal(text.n, 7);
    assert_int_equal(arena_printf(&a, "%*s", 20000, "").n, 20000);
    arena_fini(&a);
}

static void has_typed_forms(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct str *one = ARENA_NEW(&a, struct str);
    int64_t *many = ARENA_ARRAY(&a, int64_t, 10);
    assert_null(one->p);
    assert_int_equal(many[9], 0);
    arena_fini(&a);
}

static void gives_memory_for_nothing(void **state)
{
    (void)state;
    void *p = mem_alloc(0);
    void *q = mem_alloc_zero(0);
    p = mem_realloc(p, 10);
    assert_non_null(p);
    assert_non_null(q);
    free(p);
    free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(zeroes_again_after_reset),
        cmocka_unit_test(grows_by_blocks),
        cmocka_unit_test(copies_and_formats),
        cmocka_unit_test(has_typed_forms),
        cmocka_unit_test(gives_memory_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
