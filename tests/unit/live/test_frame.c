/* live/frame.c, live/queue.c: headers by size, who owns what, partial writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "live/frame.h"
#include "live/queue.h"

static void has_header(size_t n, const uint8_t *header, size_t header_size)
{
    char *text = mem_alloc(n + 1);
    memset(text, 'x', n);
    struct live_frame *frame = live_frame_new((struct str){text, n});
    struct str wire = live_frame_wire(frame);
    assert_int_equal(wire.n, header_size + n);
    assert_memory_equal(wire.p, header, header_size);
    assert_int_equal(live_frame_json(frame).n, n);
    assert_memory_equal(live_frame_json(frame).p, text, n);
    live_frame_unref(frame);
    free(text);
}

static void test_headers(void **state)
{
    (void)state;
    has_header(0, (const uint8_t[]){0x81, 0}, 2);
    has_header(125, (const uint8_t[]){0x81, 125}, 2);
    has_header(126, (const uint8_t[]){0x81, 126, 0, 126}, 4);
    has_header(65535, (const uint8_t[]){0x81, 126, 0xFF, 0xFF}, 4);
    has_header(65536, (const uint8_t[]){0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10);
}

static void test_control(void **state)
{
    (void)state;
    struct live_frame *pong = live_frame_new_opcode(0xA, STR("hi"));
    assert_memory_equal(live_frame_wire(pong).p, "\x8A\x02hi", 4);
    assert_false(live_frame_is_mark(pong));
    live_frame_unref(pong);
    struct live_frame *mark = live_frame_new_mark(STR(""));
    assert_true(live_frame_is_mark(mark));
    assert_int_equal(live_frame_wire(mark).n, 0);
    live_frame_unref(mark);
}

static struct live_frame *numbered(int n)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", n);
    return live_frame_new((struct str){text, (size_t)length});
}

static void test_queue_order(void **state)
{
    struct queue queue = {0};
    int next = 0;
    (void)state;
    for (int n = 0; n < 100; n++) { /* in by three, out by two: it grows while it goes round */
        for (int i = 0; i < 3; i++) {
            queue_push(&queue, numbered(3 * n + i));
        }
        for (int i = 0; i < 2; i++) {
            struct live_frame *frame = queue_take(&queue);
            struct live_frame *expected = numbered(next++);
            assert_memory_equal(live_frame_wire(frame).p, live_frame_wire(expected).p,
                                live_frame_wire(expected).n);
            live_frame_unref(expected);
            live_frame_unref(frame);
        }
    }
    assert_int_equal(queue.count, 100);
    queue_clear(&queue);
    assert_int_equal(queue.bytes, 0);
    assert_null(queue.frames);
}

static void test_queue_shares(void **state)
{
    struct queue queue = {0};
    (void)state;
    struct live_frame *frame = numbered(7);
    queue_push(&queue, live_frame_ref(frame));
    assert_int_equal(atomic_load(&frame->refs), 2);
    queue_clear(&queue);
    assert_int_equal(atomic_load(&frame->refs), 1);
    live_frame_unref(frame);
}

static void test_queue_partial_writes(void **state)
{
    struct queue queue = {0};
    size_t left = 0;
    (void)state;
    for (int n = 0; n < 10; n++) {
        queue_push(&queue, numbered(n)); /* 3 bytes each */
    }
    left = queue.bytes;
    assert_int_equal(left, 30);
    for (size_t n = 1; left > 0; n = n % 4 + 1) {
        size_t written = n < left ? n : left;
        queue_written(&queue, written);
        left -= written;
        assert_int_equal(queue.bytes, left);
        assert_int_equal(queue.count, (left + 2) / 3);
        assert_int_equal(queue.written, (3 - left % 3) % 3);
    }
    assert_null(queue.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_queue_order),
        cmocka_unit_test(test_queue_shares),
        cmocka_unit_test(test_queue_partial_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
