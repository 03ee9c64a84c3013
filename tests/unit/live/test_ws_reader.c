/* live/ws_reader.c: what RFC 6455 asks of a server that reads, byte by byte and all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "live/ws_reader.h"

enum { MESSAGE_MAX = 70000, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* What came, as text: "said:hi;ping:x;pong;close:1000;" and at the end what the reader said. */
struct record {
    struct buf log;
    int say; /* so many messages, then `said` wants no more */
};

static bool on_said(struct str text, void *context)
{
    struct record *record = context;
    buf_lit(&record->log, "said:");
    if (text.n > 100) {
        buf_i64(&record->log, (int64_t)text.n);
    } else {
        buf_str(&record->log, text);
    }
    buf_char(&record->log, ';');
    return --record->say > 0;
}

static void on_pinged(struct str payload, void *context)
{
    struct record *record = context;
    buf_lit(&record->log, "ping:");
    buf_str(&record->log, payload);
    buf_char(&record->log, ';');
}

static void on_ponged(void *context)
{
    struct record *record = context;
    buf_lit(&record->log, "pong;");
}

static void on_closed(uint16_t code, void *context)
{
    struct record *record = context;
    buf_printf(&record->log, "close:%u;", code);
}

static const struct ws_sink sink = {on_said, on_pinged, on_ponged, on_closed};

/* A masked frame; `first` with its bits. */
static void put_frame(struct buf *b, unsigned first, struct str payload)
{
    static const uint8_t mask[4] = {0x12, 0xF4, 0x56, 0x9A};
    buf_char(b, (char)first);
    if (payload.n < 126) {
        buf_char(b, (char)(0x80 | payload.n));
    } else if (payload.n < 65536) {
        buf_char(b, (char)(0x80 | 126));
        buf_char(b, (char)(payload.n >> 8));
        buf_char(b, (char)payload.n);
    } else {
        buf_char(b, (char)(0x80 | 127));
        for (int shift = 56; shift >= 0; shift -= 8) {
            buf_char(b, (char)((uint64_t)payload.n >> shift));
        }
    }
    buf_add(b, mask, sizeof(mask));
    for (size_t i = 0; i < payload.n; i++) {
        buf_char(b, (char)(payload.p[i] ^ (char)mask[i % 4]));
    }
}

static void put_end(struct record *record, enum ws_reading result, uint16_t code)
{
    static const char *const names[] = {"idle", "part", "paused", "closed", "failed"};
    buf_printf(&record->log, "%s", names[result]);
    if (result == WS_FAILED) {
        buf_printf(&record->log, ":%u", code);
    }
}

static void read_in_pieces(struct str bytes, size_t piece, const char *expected)
{
    struct ws_reader_cache cache = {.message_max = MESSAGE_MAX};
    struct ws_reader *reader = ws_reader_get(&cache);
    struct record record = {.say = 1000};
    enum ws_reading result = WS_IDLE;
    uint16_t code = 0;
    buf_init(&record.log, 1 << 20);
    for (size_t at = 0; at < bytes.n && result < WS_CLOSED; at += piece) {
        size_t n = bytes.n - at < piece ? bytes.n - at : piece;
        result = ws_reader_read(reader, (struct str){bytes.p + at, n}, &sink, &record, &code);
    }
    put_end(&record, result, code);
    buf_char(&record.log, '\0');
    assert_string_equal(record.log.p, expected);
    buf_fini(&record.log);
    ws_reader_put(&cache, reader);
    ws_reader_cache_fini(&cache);
}

static void reads(struct buf *bytes, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 5000, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        read_in_pieces(buf_view(bytes), pieces[i], expected);
    }
    buf_reset(bytes);
}

static struct buf bytes;

static void *large(size_t n)
{
    char *text = mem_alloc(n);
    memset(text, 'x', n);
    return text;
}

static void test_messages(void **state)
{
    (void)state;
    put_frame(&bytes, 0x80 | TEXT, STR("Hello"));
    reads(&bytes, "said:Hello;idle");
    put_frame(&bytes, 0x80 | TEXT, STR(""));
    put_frame(&bytes, 0x80 | TEXT, STR("\xC3\xA9t\xC3\xA9"));
    reads(&bytes, "said:;said:\xC3\xA9t\xC3\xA9;idle");
}

static void test_lengths(void **state)
{
    static const size_t sizes[] = {125, 126, 127, 4089, 4096, 65535, 65536, MESSAGE_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char expected[64];
        char *text = large(sizes[i]);
        put_frame(&bytes, 0x80 | TEXT, (struct str){text, sizes[i]});
        (void)snprintf(expected, sizeof(expected), "said:%zu;idle", sizes[i]);
        reads(&bytes, expected);
        free(text);
    }
}

static void test_fragments(void **state)
{
    (void)state;
    put_frame(&bytes, TEXT, STR("\xE2\x82")); /* a character in two frames */
    put_frame(&bytes, 0x80 | PING, STR("p"));
    put_frame(&bytes, 0, STR(""));
    put_frame(&bytes, 0, STR("\xAC"));
    put_frame(&bytes, 0x80, STR("!"));
    put_frame(&bytes, 0x80 | TEXT, STR("next"));
    reads(&bytes, "ping:p;said:\xE2\x82\xAC!;said:next;idle");
    put_frame(&bytes, TEXT, STR("begun"));
    reads(&bytes, "part");
}

static void test_incomplete(void **state)
{
    (void)state;
    put_frame(&bytes, 0x80 | TEXT, STR("Hello"));
    for (size_t n = bytes.n - 1; n > 0; n--) {
        bytes.n = n;
        read_in_pieces(buf_view(&bytes), 1, "part");
        read_in_pieces(buf_view(&bytes), 100, "part");
    }
    buf_reset(&bytes);
}

static void test_control(void **state)
{
    (void)state;
    char *text = large(126);
    put_frame(&bytes, 0x80 | PING, (struct str){text, 125});
    put_frame(&bytes, 0x80 | PONG, STR("unasked"));
    char expected[200];
    (void)snprintf(expected, sizeof(expected), "ping:%.125s;pong;idle", text);
    reads(&bytes, expected);
    put_frame(&bytes, 0x80 | PING, (struct str){text, 126}); /* too long */
    reads(&bytes, "failed:1002");
    put_frame(&bytes, PING, STR("fragment"));
    reads(&bytes, "failed:1002");
    free(text);
}

static void test_not_masked(void **state)
{
    (void)state;
    buf_lit(&bytes, "\x81\x05Hello");
    reads(&bytes, "failed:1002");
    buf_lit(&bytes, "\x89\x00");
    reads(&bytes, "failed:1002");
}

static void test_reserved(void **state)
{
    static const unsigned firsts[] = {0xC1, 0xA1, 0x91, 0x83, 0x84, 0x87, 0x8B, 0x8F, 0xC9};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
        put_frame(&bytes, 0x80 | TEXT, STR("ok"));
        put_frame(&bytes, firsts[i], STR("x"));
        reads(&bytes, "said:ok;failed:1002");
    }
}

static void test_order_of_fragments(void **state)
{
    (void)state;
    put_frame(&bytes, 0x80, STR("goes on"));
    reads(&bytes, "failed:1002");
    put_frame(&bytes, TEXT, STR("a"));
    put_frame(&bytes, 0x80 | TEXT, STR("b"));
    reads(&bytes, "failed:1002");
}

static void test_length_forms(void **state)
{
    (void)state;
    buf_lit(&bytes, "\x81\xFE\x00\x05\x00\x00\x00\x00Hello"); /* 5 in 16 bits */
    reads(&bytes, "failed:1002");
    buf_lit(&bytes, "\x81\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF\x00\x00\x00\x00x");
    reads(&bytes, "failed:1002");
    buf_lit(&bytes, "\x81\xFF\x80\x00\x00\x00\x00\x00\xFF\xFF\x00\x00\x00\x00x");
    reads(&bytes, "failed:1002");
}

static void test_binary(void **state)
{
    (void)state;
    put_frame(&bytes, 0x80 | BINARY, STR("x"));
    reads(&bytes, "failed:1003");
}

static void test_utf8(void **state)
{
    (void)state;
    put_frame(&bytes, 0x80 | TEXT, STR("\xC0\xAF"));
    reads(&bytes, "failed:1007");
    put_frame(&bytes, 0x80 | TEXT, STR("cut \xE2\x82"));
    reads(&bytes, "failed:1007");
    put_frame(&bytes, TEXT, STR("\xED"));
    put_frame(&bytes, 0x80, STR("\xA0\x80")); /* a surrogate */
    reads(&bytes, "failed:1007");
}

static void test_too_large(void **state)
{
    (void)state;
    char *text = large(MESSAGE_MAX + 1);
    put_frame(&bytes, 0x80 | TEXT, (struct str){text, MESSAGE_MAX + 1});
    reads(&bytes, "failed:1009");
    put_frame(&bytes, TEXT, (struct str){text, MESSAGE_MAX});
    put_frame(&bytes, 0x80, STR(""));
    reads(&bytes, "said:70000;idle");
    put_frame(&bytes, TEXT, (struct str){text, MESSAGE_MAX});
    put_frame(&bytes, 0x80, STR("x"));
    reads(&bytes, "failed:1009");
    /* at the first byte of one that says it is huge */
    buf_lit(&bytes, "\x81\xFF\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00\x00\x00x");
    reads(&bytes, "failed:1009");
    free(text);
}

static void test_close(void **state)
{
    (void)state;
    put_frame(&bytes, 0x80 | CLOSE, STR(""));
    put_frame(&bytes, 0x80 | TEXT, STR("too late"));
    reads(&bytes, "close:0;closed");
    put_frame(&bytes, 0x80 | CLOSE, STR("\x03\xE8"));
    reads(&bytes, "close:1000;closed");
    put_frame(&bytes, 0x80 | CLOSE, STR("\x03\xE9going \xE2\x82\xAC \xF0\x9F\x98\x80"));
    reads(&bytes, "close:1001;closed");
    put_frame(&bytes, 0x80 | CLOSE, STR("\x13\x87"));
    reads(&bytes, "close:4999;closed");
    put_frame(&bytes, 0x80 | CLOSE, STR("\x03"));
    reads(&bytes, "failed:1002");
    put_frame(&bytes, 0x80 | CLOSE, STR("\x03\xE8\xFF"));
    reads(&bytes, "failed:1007");
}

static void test_close_codes(void **state)
{
    static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char payload[2] = {(char)(bad[i] >> 8), (char)bad[i]};
        put_frame(&bytes, 0x80 | CLOSE, (struct str){payload, 2});
        reads(&bytes, "failed:1002");
    }
}

/* `said` decides how far it goes; nothing is lost between. */
static void test_pauses(void **state)
{
    struct ws_reader_cache cache = {.message_max = MESSAGE_MAX};
    struct ws_reader *reader = ws_reader_get(&cache);
    struct record record = {.say = 2};
    uint16_t code = 0;
    (void)state;
    buf_init(&record.log, 1 << 20);
    char *text = large(5000);
    for (char c = 'a'; c <= 'e'; c++) {
        put_frame(&bytes, 0x80 | TEXT, (struct str){&c, 1});
    }
    put_frame(&bytes, 0x80 | TEXT, (struct str){text, 5000});
    put_frame(&bytes, TEXT, STR("part"));
    assert_int_equal(ws_reader_read(reader, buf_view(&bytes), &sink, &record, &code), WS_PAUSED);
    assert_memory_equal(record.log.p, "said:a;said:b;", record.log.n);
    record.say = 1;
    assert_int_equal(ws_reader_read(reader, STR(""), &sink, &record, &code), WS_PAUSED);
    record.say = 2;
    assert_int_equal(ws_reader_read(reader, STR(""), &sink, &record, &code), WS_PAUSED);
    record.say = 100;
    assert_int_equal(ws_reader_read(reader, STR(""), &sink, &record, &code), WS_PART);
    buf_char(&record.log, '\0');
    assert_string_equal(record.log.p, "said:a;said:b;said:c;said:d;said:e;said:5000;");
    buf_fini(&record.log);
    free(text);
    ws_reader_put(&cache, reader);
    assert_int_equal(cache.count, 0); /* it is not idle: it must not go to somebody else */
    ws_reader_cache_fini(&cache);
    buf_reset(&bytes);
}

static void test_idle_ones_are_kept(void **state)
{
    struct ws_reader_cache cache = {.message_max = MESSAGE_MAX};
    struct ws_reader *reader = ws_reader_get(&cache);
    struct record record = {.say = 100};
    uint16_t code = 0;
    (void)state;
    buf_init(&record.log, 1 << 20);
    put_frame(&bytes, 0x80 | TEXT, STR("one"));
    assert_int_equal(ws_reader_read(reader, buf_view(&bytes), &sink, &record, &code), WS_IDLE);
    ws_reader_put(&cache, reader);
    assert_int_equal(cache.count, 1);
    assert_ptr_equal(ws_reader_get(&cache), reader);
    assert_int_equal(ws_reader_read(reader, buf_view(&bytes), &sink, &record, &code), WS_IDLE);
    ws_reader_put(&cache, reader);
    ws_reader_cache_fini(&cache);
    buf_fini(&record.log);
    buf_reset(&bytes);
}

/* Nothing of one connection's end is left for the next one. */
static void test_close_after_close(void **state)
{
    struct ws_reader_cache cache = {.message_max = MESSAGE_MAX};
    uint16_t code = 0;
    (void)state;
    put_frame(&bytes, 0x80 | CLOSE, STR("\x03\xE8"));
    for (int i = 0; i < 2; i++) {
        struct record record = {.say = 100};
        struct ws_reader *reader = ws_reader_get(&cache);
        buf_init(&record.log, 1 << 20);
        enum ws_reading result = ws_reader_read(reader, buf_view(&bytes), &sink, &record, &code);
        put_end(&record, result, code);
        buf_char(&record.log, '\0');
        assert_string_equal(record.log.p, "close:1000;closed");
        buf_fini(&record.log);
        ws_reader_put(&cache, reader);
    }
    ws_reader_cache_fini(&cache);
    buf_reset(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_control),
        cmocka_unit_test(test_not_masked),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_order_of_fragments),
        cmocka_unit_test(test_length_forms),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_idle_ones_are_kept),
        cmocka_unit_test(test_close_after_close),
    };
    buf_init(&bytes, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&bytes);
    return failed;
}
