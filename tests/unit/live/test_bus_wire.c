/* live/bus_wire.c and live/peers.c: what nodes tell each other, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "live/peers.h"

enum { SELF = 50 };

/* What has been told, as text: "+1" user 1 has come, "-1@7" gone at 7, "!2" two lost. */
struct fixture {
    struct peers *peers;
    struct buf told;
};

static void on_come(struct uuid user_id, void *context)
{
    buf_printf(context, "+%d", user_id.b[0]);
}

static void on_gone(struct uuid user_id, int64_t at_us, void *context)
{
    buf_printf(context, "-%d", user_id.b[0]);
    if (at_us < 1000) { /* else: when it was heard */
        buf_printf(context, "@%d", (int)at_us);
    }
}

static void on_lost(const struct uuid *user_ids, size_t count, int64_t at_us, void *context)
{
    (void)user_ids;
    assert_true(at_us > 1000);
    buf_printf(context, "!%zu", count);
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    buf_init(&f->told, 1000);
    f->peers = peers_new(&(struct peers_options){
        .self = SELF, .come = on_come, .gone = on_gone, .lost = on_lost, .context = &f->told});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    peers_free(f->peers);
    buf_fini(&f->told);
    free(f);
    return 0;
}

static struct uuid user(uint8_t n)
{
    return (struct uuid){{n}};
}

/* "s+1-2e": a letter is a record, the digit behind it its user. */
static struct str make(struct buf *out, uint64_t node, uint64_t number, const char *records)
{
    buf_reset(out);
    bus_wire_head(out, &(struct bus_head){node, number});
    for (const char *c = records; *c != '\0'; c++) {
        struct bus_record record = {.kind = (enum bus_kind) * c};
        if (*c == '+' || *c == '-') {
            record.user_id = user((uint8_t)(*++c - '0'));
            record.at_us = record.kind == BUS_GONE ? 7 : 0;
        }
        bus_wire_add(out, &record);
    }
    return buf_view(out);
}

static bool hear(struct fixture *f, uint64_t node, uint64_t number, const char *records)
{
    struct buf out;
    struct bus_head head;
    struct str rest;
    buf_init(&out, BUS_MESSAGE_MAX);
    assert_true(bus_wire_open(make(&out, node, number, records), &head, &rest));
    bool has_missed = peers_hear(f->peers, &head, rest);
    buf_fini(&out);
    return has_missed;
}

static void assert_told(struct fixture *f, const char *expected)
{
    assert_true(str_eq(buf_view(&f->told), str_of(expected)));
    buf_reset(&f->told);
}

/* --- the wire -------------------------------------------------------------------------------- */

static void test_what_is_written_is_read(void **state)
{
    const struct bus_record records[] = {
        {.kind = BUS_POKE},
        {.kind = BUS_ASK},
        {.kind = BUS_BEGIN},
        {.kind = BUS_END},
        {.kind = BUS_HERE, .user_id = user(1)},
        {.kind = BUS_GONE, .user_id = user(2), .at_us = INT64_C(1785000000000000)},
        {.kind = BUS_TYPING, .user_id = user(3), .conversation_id = user(4)},
        {.kind = BUS_COUNT, .count = {UINT64_C(0xFEDCBA9876543210), 4000000000, 86400000}},
    };
    struct buf out;
    struct bus_head head;
    struct bus_record record;
    struct str rest;
    (void)state;
    buf_init(&out, BUS_MESSAGE_MAX);
    bus_wire_head(&out, &(struct bus_head){UINT64_MAX - 1, 77});
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        size_t before = out.n;
        bus_wire_add(&out, &records[i]);
        assert_true(out.n - before <= BUS_RECORD_MAX);
    }
    assert_true(bus_wire_open(buf_view(&out), &head, &rest));
    assert_true(head.node == UINT64_MAX - 1 && head.number == 77);
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        assert_true(bus_wire_next(&rest, &record));
        assert_int_equal(record.kind, records[i].kind);
        assert_true(uuid_eq(record.user_id, records[i].user_id));
        assert_true(uuid_eq(record.conversation_id, records[i].conversation_id));
        assert_true(record.at_us == records[i].at_us);
        assert_true(record.count.key == records[i].count.key);
        assert_true(record.count.n == records[i].count.n);
        assert_true(record.count.left_ms == records[i].count.left_ms);
    }
    assert_false(bus_wire_next(&rest, &record));
    buf_fini(&out);
}

/* All of a message counts or nothing does. */
static void test_what_is_no_message(void **state)
{
    struct buf out;
    struct bus_head head;
    struct str rest;
    (void)state;
    buf_init(&out, 4 * BUS_MESSAGE_MAX);
    struct str good = make(&out, 1, 1, "p+1");
    for (size_t n = 0; n < good.n; n++) {
        bool is_whole = n == 20 || n == 21; /* the head; the head and the poke */
        assert_int_equal(bus_wire_open((struct str){good.p, n}, &head, &rest), is_whole);
    }
    make(&out, 1, 1, "p+1");
    buf_char(&out, 'x');
    assert_false(bus_wire_open(buf_view(&out), &head, &rest));
    make(&out, 1, 1, "");
    out.p[3] = '2';
    assert_false(bus_wire_open(buf_view(&out), &head, &rest));
    make(&out, 1, 1, "");
    bus_wire_add(&out, &(struct bus_record){.kind = BUS_GONE, .at_us = -1});
    assert_false(bus_wire_open(buf_view(&out), &head, &rest));
    make(&out, 1, 1, "");
    bus_wire_add(&out, &(struct bus_record){.kind = BUS_COUNT, .count = {1, 1, 86400001}});
    assert_false(bus_wire_open(buf_view(&out), &head, &rest));
    make(&out, 1, 1, "");
    while (out.n <= BUS_MESSAGE_MAX) {
        bus_wire_add(&out, &(struct bus_record){.kind = BUS_POKE});
    }
    assert_false(bus_wire_open(buf_view(&out), &head, &rest));
    buf_fini(&out);
}

/* --- the other nodes ------------------------------------------------------------------------- */

static void test_users_come_and_go(void **state)
{
    struct fixture *f = *state;
    assert_false(hear(f, 1, 1, "s+1+2e"));
    assert_told(f, "+1+2");
    assert_false(hear(f, 1, 2, "+1+3-2-2")); /* twice is once */
    assert_told(f, "+3-2@7");
    assert_false(hear(f, 2, 9, "s+1e"));
    assert_told(f, "+1"); /* at another node */
    assert_int_equal(peers_count(f->peers), 2);
}

static void test_a_list_says_who_is_not_there(void **state)
{
    struct fixture *f = *state;
    assert_false(hear(f, 1, 1, "s+1+2+3e"));
    assert_told(f, "+1+2+3");
    assert_false(hear(f, 1, 2, "s+3"));
    assert_false(hear(f, 1, 3, "+1+4"));
    assert_told(f, "+4");
    assert_false(hear(f, 1, 4, "e"));
    assert_told(f, "-2");
}

static void test_who_has_missed_something_asks(void **state)
{
    struct fixture *f = *state;
    assert_true(hear(f, 1, 5, "+1"));
    assert_told(f, "+1");
    assert_false(hear(f, 1, 6, "+2"));
    assert_true(hear(f, 1, 8, ""));
    assert_false(hear(f, 1, 12, "s+2e")); /* whatever it was: this is all */
    assert_told(f, "+2-1");
    assert_false(hear(f, 1, 13, "s"));
    assert_true(hear(f, 1, 15, "e")); /* of a list that was not heard whole nothing follows */
    assert_told(f, "");
}

static void test_what_it_said_itself(void **state)
{
    struct fixture *f = *state;
    assert_false(hear(f, SELF, 3, "+1"));
    assert_told(f, "");
    assert_int_equal(peers_count(f->peers), 0);
}

static void test_silence(void **state)
{
    struct fixture *f = *state;
    const struct timespec pause = {.tv_nsec = 60000000};
    assert_false(hear(f, 60, 1, "s+1+2e"));
    assert_told(f, "+1+2");
    assert_true(peers_is_first(f->peers));
    peers_expire(f->peers, 1000);
    nanosleep(&pause, NULL);
    assert_false(hear(f, 1, 1, "s"));
    assert_false(peers_is_first(f->peers));
    peers_excuse(f->peers);
    peers_expire(f->peers, 50);
    assert_told(f, "");
    nanosleep(&pause, NULL);
    assert_false(hear(f, 1, 2, "")); /* a sign of life */
    peers_expire(f->peers, 50);
    assert_told(f, "!2");
    assert_int_equal(peers_count(f->peers), 1);
    assert_false(hear(f, 60, 2, "s+1e")); /* it was only slow */
    assert_told(f, "+1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_read),
        TEST(test_what_is_no_message),
        TEST(test_users_come_and_go),
        TEST(test_a_list_says_who_is_not_there),
        TEST(test_who_has_missed_something_asks),
        TEST(test_what_it_said_itself),
        TEST(test_silence),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
