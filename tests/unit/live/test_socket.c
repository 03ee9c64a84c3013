/* live/ws.c, live/client.c: slow readers, what clients say, limits, and every way to the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/support/live.h"

enum { PING = 9, PONG = 10, CLOSE = 8, BINARY = 2, FRAME_SIZE = 4000, SAID_MAX = 32 };

static struct live_test t;
static struct peer peer;

static int setup(void **state)
{
    (void)state;
    live_test_init(&t);
    peer = (struct peer){.fd = -1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_fini(&peer);
    live_test_fini(&t);
    return 0;
}

static void live_at(int64_t at)
{
    live_test_start(&t, at);
    peer_open(&peer, &t, 1, at);
    live_test_join(&t, at, 1);
    peer_gets_cursor(&peer, "synced", at);
}

/* --- slow readers --- */

/* A frame that says to which position it belongs. */
static void large_frame(char *out, int64_t at)
{
    memset(out, 'x', FRAME_SIZE);
    out[FRAME_SIZE] = '\0';
    (void)snprintf(out, FRAME_SIZE, "%lld", (long long)at);
    out[strlen(out)] = ' ';
}

static void publish_large(int64_t at)
{
    char text[FRAME_SIZE + 1];
    large_frame(text, at);
    live_test_publish(&t, at - 1, at, 1, text);
}

static int64_t overflows(void)
{
    struct hub_stats stats;
    hub_stats_get(t.hub, &stats);
    assert_true(stats.queued_bytes <= t.options.buffer_max + FRAME_SIZE);
    return stats.overflows;
}

/* Nobody reads until the hub gives up pushing. Returns what was published. */
static int64_t overflow(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t at = 0;
    while (overflows() == 0) {
        assert_true(at < 20000);
        for (int i = 0; i < 10; i++) {
            publish_large(++at);
        }
        nanosleep(&pause, NULL);
    }
    return at;
}

static void test_slow_reader(void **state)
{
    char text[FRAME_SIZE + 1];
    (void)state;
    live_at(0);
    int64_t newest = overflow();
    live_test_no_pull(&t); /* not before there is room */
    int64_t got = 0;
    while (live_test_wait_input(&t, peer.fd)) {
        large_frame(text, ++got);
        peer_gets(&peer, text);
    }
    struct live_pull *pull = live_test_pull(&t);
    int64_t from = pull->from.at.at[0];
    assert_false(pull->from_ring);
    assert_true(from >= got && from < newest);
    live_test_add_frame(pull, "\"the rest\"");
    live_test_joinable(pull, newest, 1);
    hub_pulled(pull);
    while (got < from) { /* nothing is missing before the page */
        large_frame(text, ++got);
        peer_gets(&peer, text);
    }
    peer_gets(&peer, "\"the rest\"");
    peer_gets_cursor(&peer, "synced", newest);
    publish_large(++newest);
    large_frame(text, newest);
    peer_gets(&peer, text);
}

/* Whether a session lives is looked at although nothing is read. */
static void test_slow_reader_without_session(void **state)
{
    (void)state;
    live_at(0);
    int64_t at = overflow();
    live_test_no_pull(&t);
    struct live_batch *batch = live_test_batch(at, at + 1, 1);
    batch->events[0] = (struct live_event){.kind = LIVE_SESSIONS, .user_id = live_test_user(1)};
    live_test_send(&t, batch);
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->size_max, 1);
    pull->page.ended = true;
    hub_pulled(pull);
    while (peer_read(&peer) != CLOSE) {
    }
    assert_int_equal((uint8_t)peer.text[0] << 8 | (uint8_t)peer.text[1], 4401);
}

/* Batches that have piled up are no reason to think that the reader is slow. */
static void test_many_batches_at_once(void **state)
{
    enum { COUNT = 100 };
    char text[FRAME_SIZE + 1];
    (void)state;
    t.is_roomy = true;
    t.options.threads = 1;
    live_at(0);
    pthread_mutex_lock(&t.lock); /* the loop waits for it in `said` */
    peer_say(&peer, "wait");
    for (int64_t at = 1; at <= COUNT; at++) {
        publish_large(at);
    }
    pthread_mutex_unlock(&t.lock);
    for (int64_t at = 1; at <= COUNT; at++) {
        large_frame(text, at);
        peer_gets(&peer, text);
    }
    assert_int_equal(overflows(), 0);
    live_test_wait_said(&t, 1);
    hub_answered(t.said_by[0], NULL);
}

static void publish_large_batch(int count)
{
    char text[FRAME_SIZE + 1];
    struct live_batch *batch = live_test_batch(0, 1, (size_t)count);
    large_frame(text, 1);
    for (int i = 0; i < count; i++) {
        batch->events[i] = live_test_message(1, text);
    }
    live_test_send(&t, batch);
}

/* A batch with more than the buffer and the socket hold: the page takes over, it does not go round
 * for ever. */
static void test_large_batch(void **state)
{
    char text[FRAME_SIZE + 1];
    int got = 0;
    (void)state;
    live_at(0);
    publish_large_batch(1000);
    large_frame(text, 1);
    while (live_test_wait_input(&t, peer.fd)) {
        peer_gets(&peer, text);
        got++;
    }
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 0);
    assert_false(pull->from_ring);
    live_test_add_frame(pull, "\"page\"");
    live_test_joinable(pull, 1, 1);
    hub_pulled(pull);
    while (peer_read(&peer) == 1 && strcmp(peer.text, "\"page\"") != 0) {
        assert_string_equal(peer.text, text);
        got++;
    }
    peer_gets_cursor(&peer, "synced", 1);
    assert_in_range(got, t.options.buffer_max / (FRAME_SIZE + 4), 999);
}

/* Who reads gets all of it, however much it is. */
static void test_large_batch_and_room(void **state)
{
    enum { COUNT = 100 };
    char text[FRAME_SIZE + 1];
    (void)state;
    t.is_roomy = true;
    live_at(0);
    publish_large_batch(COUNT);
    large_frame(text, 1);
    for (int i = 0; i < COUNT; i++) {
        peer_gets(&peer, text);
    }
    assert_int_equal(overflows(), 0);
}

static void test_frame_larger_than_the_buffer(void **state)
{
    size_t n = (size_t)t.options.buffer_max * 4;
    char *text = mem_alloc_zero(n + 1);
    (void)state;
    memset(text, 'y', n);
    live_at(0);
    live_test_publish(&t, 0, 1, 1, text);
    peer_gets(&peer, text);
    live_test_publish(&t, 1, 2, 1, "2");
    peer_gets(&peer, "2");
    live_test_no_pull(&t);
    free(text);
}

static void test_droppable_goes_first(void **state)
{
    char text[FRAME_SIZE + 1];
    (void)state;
    live_at(0);
    int64_t at = 0;
    struct hub_stats stats;
    do { /* until more than half of the buffer is in use */
        publish_large(++at);
        const struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
        hub_stats_get(t.hub, &stats);
    } while (stats.queued_bytes <= t.options.buffer_max / 2 + FRAME_SIZE);
    struct live_batch *batch = live_batch_new(1);
    batch->events[0] = (struct live_event){.kind = LIVE_CONVERSATION,
                                           .droppable = true,
                                           .conversation_id = live_test_conversation(1),
                                           .frame = live_test_frame("\"typing\"")};
    hub_whisper(t.hub, batch);
    live_test_publish(&t, at, at + 1, 1, "\"last\"");
    for (int64_t i = 1; i <= at; i++) {
        large_frame(text, i);
        peer_gets(&peer, text);
    }
    peer_gets(&peer, "\"last\"");
}

/* --- what clients say --- */

static void test_said(void **state)
{
    (void)state;
    live_at(10);
    peer_say(&peer, "{\"type\":\"a\"}");
    live_test_wait_said(&t, 1);
    assert_string_equal(t.said[0], "{\"type\":\"a\"}");
    assert_true(uuid_eq(hub_client_who(t.said_by[0])->user_id, live_test_user(1)));
    assert_true(str_eq(hub_client_who(t.said_by[0])->address, STR("127.0.0.1")));
    hub_tell(t.said_by[0], live_test_frame("\"told\""));
    hub_answered(t.said_by[0], live_test_frame("\"answer\""));
    peer_gets(&peer, "\"told\"");
    peer_gets(&peer, "\"answer\"");
    peer_say(&peer, "silent");
    live_test_wait_said(&t, 2);
    hub_answered(t.said_by[1], NULL);
    live_test_publish(&t, 10, 11, 1, "11");
    peer_gets(&peer, "11");
}

/* It may speak before its first page has come, and what comes behind the handshake counts. */
static void test_said_early(void **state)
{
    const struct live_who who = live_test_who(1);
    const struct cursor from = live_test_cursor(10);
    (void)state;
    live_test_start(&t, 10);
    peer_open_as(&peer, &t, &who, &from, STR("\x81\x85\0\0\0\0early\x81\x82\0\0"));
    peer_send_raw(&peer, STR("\0\0me"));
    live_test_wait_said(&t, 2);
    assert_string_equal(t.said[0], "early");
    assert_string_equal(t.said[1], "me");
    hub_answered(t.said_by[0], live_test_frame("1"));
    hub_answered(t.said_by[1], live_test_frame("2"));
    peer_gets(&peer, "{\"type\":\"hello\"}");
    peer_gets(&peer, "1");
    peer_gets(&peer, "2");
}

static void test_too_many_unanswered(void **state)
{
    char text[16];
    (void)state;
    live_at(10);
    for (int i = 0; i < 3 * SAID_MAX; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        peer_say(&peer, text);
    }
    for (int answered = 0; answered < 2 * SAID_MAX; answered++) {
        live_test_wait_said(&t, (size_t)(SAID_MAX + answered)); /* never more than SAID_MAX */
        hub_answered(t.said_by[answered], live_test_frame(t.said[answered]));
        peer_gets(&peer, t.said[answered]);
    }
    live_test_wait_said(&t, 3 * SAID_MAX);
    for (int i = 0; i < 3 * SAID_MAX; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        assert_string_equal(t.said[i], text);
    }
    for (int i = 2 * SAID_MAX; i < 3 * SAID_MAX; i++) {
        hub_answered(t.said_by[i], NULL);
    }
}

/* An answer may come when nobody is there any more. */
static void test_answer_after_the_end(void **state)
{
    (void)state;
    live_at(10);
    peer_say(&peer, "a");
    peer_say(&peer, "b");
    live_test_wait_said(&t, 2);
    close(peer.fd);
    peer.fd = -1;
    live_test_wait_sockets(&t, 0);
    hub_answered(t.said_by[0], live_test_frame("1"));
    hub_stop(t.hub, 100);
    hub_answered(t.said_by[1], live_test_frame("2"));
}

static void test_subscribe(void **state)
{
    struct live_batch *batch = NULL;
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    struct live_pull *pull = live_test_pull(&t);
    t.subscribe[0] = live_test_user(5);
    t.subscribe[1] = live_test_user(6);
    t.subscribe[2] = live_test_user(5);
    t.subscribe_count = 3;
    peer_say(&peer, "subscribe");
    live_test_wait_said(&t, 1);
    hub_answered(t.said_by[0], live_test_frame("\"there\""));
    peer_gets(&peer, "\"there\"");
    for (int64_t at = 10; at < 12; at++) { /* while it is pulling; pages do not have it */
        batch = live_test_batch(at, at + 1, 1);
        batch->events[0] = (struct live_event){.kind = LIVE_USER,
                                               .user_id = live_test_user(5),
                                               .frame = live_test_frame(at == 10 ? "5a" : "5b")};
        live_test_send(&t, batch);
    }
    for (uint8_t user = 5; user <= 7; user++) {
        batch = live_batch_new(1);
        batch->events[0] = (struct live_event){.kind = LIVE_USER,
                                               .droppable = true,
                                               .user_id = live_test_user(user),
                                               .frame = live_test_frame("\"presence\"")};
        hub_whisper(t.hub, batch);
    }
    live_test_joinable(pull, 12, 1);
    hub_pulled(pull);
    peer_gets(&peer, "\"presence\"");
    peer_gets(&peer, "\"presence\"");
    peer_gets(&peer, "5b");
    peer_gets_cursor(&peer, "synced", 12);
    batch = live_test_batch(12, 13, 3);
    for (uint8_t i = 0; i < 3; i++) { /* 6, 7, 1: the client's own user is not said twice */
        static const uint8_t users[] = {6, 7, 1};
        static const char *const frames[] = {"6", "7", "1"};
        batch->events[i] = (struct live_event){.kind = LIVE_USER,
                                               .user_id = live_test_user(users[i]),
                                               .frame = live_test_frame(frames[i])};
    }
    live_test_send(&t, batch);
    peer_gets(&peer, "6");
    peer_gets(&peer, "1");
    live_test_publish(&t, 13, 14, 1, "14");
    peer_gets(&peer, "14");
}

/* --- time --- */

static void test_expiry(void **state)
{
    struct live_who who = live_test_who(1);
    const struct cursor from = live_test_cursor(10);
    (void)state;
    live_test_start(&t, 10);
    who.expires_us = clock_now_us() + US_PER_SECOND;
    peer_open_as(&peer, &t, &who, &from, STR(""));
    peer_gets(&peer, "{\"type\":\"hello\"}");
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&peer, "synced", 10);
    peer_gets_close(&peer, 4401);
    assert_true(clock_now_us() >= who.expires_us);
}

static void test_extended(void **state)
{
    struct live_who who = live_test_who(1);
    const struct cursor from = live_test_cursor(10);
    (void)state;
    t.options.heartbeat_s = 1;
    live_test_start(&t, 10);
    who.expires_us = clock_now_us() + 2 * US_PER_SECOND;
    t.extend_us = who.expires_us + 3600 * US_PER_SECOND;
    peer_open_as(&peer, &t, &who, &from, STR(""));
    peer_gets(&peer, "{\"type\":\"hello\"}");
    peer_say(&peer, "auth");
    live_test_wait_said(&t, 1);
    hub_answered(t.said_by[0], NULL);
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&peer, "synced", 10);
    while (clock_now_us() < who.expires_us + US_PER_SECOND) {
        peer_gets_cursor(&peer, "ping", 10); /* each second */
        peer_send(&peer, PONG, STR(""));
    }
}

static void test_silent_client(void **state)
{
    (void)state;
    t.options.heartbeat_s = 1;
    live_at(10);
    int pings = 0;
    while (peer_read(&peer) != CLOSE) {
        pings++;
    }
    assert_int_equal((uint8_t)peer.text[0] << 8 | (uint8_t)peer.text[1], 1001);
    assert_in_range(pings, 2, 6);
}

/* --- the end --- */

static void test_peer_closes(void **state)
{
    (void)state;
    live_at(10);
    peer_send(&peer, CLOSE, STR("\x0B\xB8good bye")); /* 3000 */
    peer_gets_close(&peer, 3000);
    live_test_wait_sockets(&t, 0);
}

static void test_peer_closes_without_a_code(void **state)
{
    (void)state;
    live_at(10);
    peer_send(&peer, CLOSE, STR(""));
    peer_gets_close(&peer, 0);
    live_test_wait_sockets(&t, 0);
}

static void test_peer_is_cut_off(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    struct peer other;
    (void)state;
    live_at(10);
    peer_open(&other, &t, 2, 10);
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&other, "synced", 10);
    assert_int_equal(setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(peer.fd);
    peer.fd = -1;
    live_test_publish(&t, 10, 11, 1, "11");
    peer_gets(&other, "11");
    live_test_wait_sockets(&t, 1);
    peer_fini(&other);
}

/* Who ends its side without a close frame is gone. */
static void test_half_closed(void **state)
{
    (void)state;
    live_at(10);
    shutdown(peer.fd, SHUT_WR);
    live_test_wait_sockets(&t, 0);
    assert_int_equal(peer_read(&peer), -1);
}

static void test_pings(void **state)
{
    (void)state;
    live_at(10);
    peer_send(&peer, PING, STR("are you there"));
    assert_int_equal(peer_read(&peer), PONG);
    assert_string_equal(peer.text, "are you there");
    peer_send(&peer, PING, STR(""));
    assert_int_equal(peer_read(&peer), PONG);
    assert_int_equal(peer.n, 0);
}

static void closes_with(struct str bytes, int code)
{
    struct peer bad;
    peer_open(&bad, &t, 1, 10);
    peer_send_raw(&bad, bytes);
    peer_gets_close(&bad, code);
    peer_fini(&bad);
    live_test_wait_sockets(&t, 0);
}

static void test_protocol_errors(void **state)
{
    (void)state;
    t.options.message_max = 1000;
    live_test_start(&t, 10);
    closes_with(STR("\x81\x02hi"), 1002);
    closes_with(STR("\x82\x81\0\0\0\0x"), 1003);
    closes_with(STR("\x81\x81\0\0\0\0\xFF"), 1007);
    closes_with(STR("\x81\xFE\x03\xE9\0\0\0\0xxx"), 1009);
    assert_int_equal(t.said_count, 0);
}

/* What was said before the error counts, what comes after it does not. */
static void test_error_behind_a_message(void **state)
{
    (void)state;
    live_at(10);
    peer_send_raw(&peer, STR("\x81\x82\0\0\0\0hi\x83\x80\0\0\0\0\x81\x82\0\0\0\0no"));
    peer_gets_close(&peer, 1002);
    assert_int_equal(t.said_count, 1);
    hub_answered(t.said_by[0], live_test_frame("1"));
}

/* Who does not answer the close frame is not waited for long. */
static void test_close_is_not_answered(void **state)
{
    (void)state;
    live_at(10);
    peer_send_raw(&peer, STR("\x81\x02hi"));
    assert_int_equal(peer_read(&peer), CLOSE);
    assert_int_equal(peer_read(&peer), -1);
    live_test_wait_sockets(&t, 0);
}

/* --- shutdown --- */

static void *stop_hub(void *context)
{
    (void)context;
    hub_stop(t.hub, 5000);
    return NULL;
}

static void test_drain(void **state)
{
    pthread_t stopper;
    int retry_ms = -1;
    (void)state;
    live_at(10);
    live_test_publish(&t, 10, 11, 1, "11");
    assert_int_equal(pthread_create(&stopper, NULL, stop_hub, NULL), 0);
    peer_gets(&peer, "11"); /* what is queued comes first */
    assert_int_equal(peer_read(&peer), 1);
    assert_int_equal(sscanf(peer.text, "{\"type\":\"drain\",\"retry_ms\":%d}", &retry_ms), 1);
    assert_in_range(retry_ms, 0, 5000);
    peer_gets_close(&peer, 1012);
    close(peer.fd);
    peer.fd = -1;
    pthread_join(stopper, NULL);
    struct peer late;
    const struct live_who who = live_test_who(1);
    const struct cursor from = live_test_cursor(11);
    peer_open_as(&late, &t, &who, &from, STR(""));
    assert_int_equal(peer_read(&late), -1);
    peer_fini(&late);
}

static void test_drain_does_not_wait_for_ever(void **state)
{
    (void)state;
    live_at(0);
    overflow();
    hub_stop(t.hub, 50); /* nobody reads */
}

static void test_quiesce(void **state)
{
    (void)state;
    live_at(10);
    peer_say(&peer, "before");
    live_test_wait_said(&t, 1);
    hub_quiesce(t.hub);
    peer_say(&peer, "after");
    live_test_publish(&t, 10, 11, 1, "11");
    peer_gets(&peer, "11");
    hub_answered(t.said_by[0], live_test_frame("\"answer\""));
    peer_gets(&peer, "\"answer\"");
    hub_stop(t.hub, 500);
    assert_int_equal(t.said_count, 1);
}

/* --- who is there --- */

static enum err room(uint8_t user, const char *address)
{
    struct live_who who = live_test_who(user);
    who.address = str_of(address);
    return hub_check_room(t.hub, &who);
}

static void test_room(void **state)
{
    struct peer others[3];
    (void)state;
    t.options.clients_max = 3;
    t.options.clients_per_user_max = 1;
    t.options.clients_per_address_max = 2;
    live_test_start(&t, 10);
    assert_int_equal(room(1, "127.0.0.1"), ERR_OK);
    peer_open(&others[0], &t, 1, 10);
    assert_int_equal(room(1, "10.0.0.1"), ERR_TOO_MANY_SOCKETS);
    assert_int_equal(room(2, "127.0.0.1"), ERR_OK);
    peer_open(&others[1], &t, 2, 10);
    assert_int_equal(room(3, "127.0.0.1"), ERR_TOO_MANY_SOCKETS);
    assert_int_equal(room(3, "10.0.0.1"), ERR_OK);
    peer_open(&others[2], &t, 3, 10);
    assert_int_equal(room(4, "10.0.0.1"), ERR_BUSY);
    live_test_join(&t, 10, 1); /* a client is held by its pull */
    live_test_join(&t, 10, 1);
    live_test_join(&t, 10, 1);
    for (size_t i = 0; i < 3; i++) {
        peer_gets_cursor(&others[i], "synced", 10);
        peer_fini(&others[i]);
    }
    live_test_wait_sockets(&t, 0);
    const struct timespec pause = {.tv_nsec = 1000000};
    while (room(1, "127.0.0.1") != ERR_OK) { /* they leave the registry a moment later */
        nanosleep(&pause, NULL);
    }
}

static void test_presence(void **state)
{
    struct peer other;
    (void)state;
    live_test_start(&t, 10);
    assert_false(hub_is_online(t.hub, live_test_user(1)));
    peer_open(&peer, &t, 1, 10);
    assert_true(hub_is_online(t.hub, live_test_user(1)));
    live_test_wait_presence(&t, "+1");
    live_test_join(&t, 10, 1);
    peer_open(&other, &t, 1, 10); /* a second device is no news */
    live_test_join(&t, 10, 1);
    peer_fini(&other);
    peer_fini(&peer);
    peer_open(&peer, &t, 1, 10); /* nor is one that comes back at once */
    live_test_join(&t, 10, 1);
    peer_open(&other, &t, 2, 10);
    live_test_join(&t, 10, 1);
    live_test_wait_presence(&t, "+1+2");
    peer_fini(&other);
    live_test_wait_presence(&t, "+1+2-2");
    assert_false(hub_is_online(t.hub, live_test_user(2)));
    assert_true(hub_is_online(t.hub, live_test_user(1)));
    assert_string_equal(t.here, t.presence);
}

/* Who is at two nodes is gone when he has left both, whichever comes first. */
static void test_presence_elsewhere(void **state)
{
    const struct uuid one = live_test_user(1);
    struct uuid *ids = NULL;
    struct peer mine;
    (void)state;
    live_test_start(&t, 10);
    hub_note_elsewhere(t.hub, one, true, 0);
    live_test_wait_presence(&t, "+1");
    assert_true(hub_is_online(t.hub, one));
    assert_false(hub_is_here(t.hub, one));
    assert_int_equal(hub_list_here(t.hub, &ids), 0);
    free(ids);
    peer_open(&mine, &t, 1, 10);
    live_test_join(&t, 10, 1);
    assert_true(hub_is_here(t.hub, one));
    hub_note_elsewhere(t.hub, one, true, 0); /* a third node */
    hub_note_elsewhere(t.hub, one, false, 1);
    peer_fini(&mine);
    hub_note_elsewhere(t.hub, live_test_user(2), true, 0);
    live_test_wait_presence(&t, "+1+2");
    hub_note_elsewhere(t.hub, live_test_user(2), false, 1);
    live_test_wait_presence(&t, "+1+2-2");
    live_test_wait_here(&t, "+1-1");
    assert_true(hub_is_online(t.hub, one));
    hub_note_elsewhere(t.hub, one, false, 1);
    live_test_wait_presence(&t, "+1+2-2-1");
    assert_false(hub_is_online(t.hub, one));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_slow_reader),
        TEST(test_slow_reader_without_session),
        TEST(test_many_batches_at_once),
        TEST(test_large_batch),
        TEST(test_large_batch_and_room),
        TEST(test_frame_larger_than_the_buffer),
        TEST(test_droppable_goes_first),
        TEST(test_said),
        TEST(test_said_early),
        TEST(test_too_many_unanswered),
        TEST(test_answer_after_the_end),
        TEST(test_subscribe),
        TEST(test_expiry),
        TEST(test_extended),
        TEST(test_silent_client),
        TEST(test_peer_closes),
        TEST(test_peer_closes_without_a_code),
        TEST(test_peer_is_cut_off),
        TEST(test_half_closed),
        TEST(test_pings),
        TEST(test_protocol_errors),
        TEST(test_error_behind_a_message),
        TEST(test_close_is_not_answered),
        TEST(test_drain),
        TEST(test_drain_does_not_wait_for_ever),
        TEST(test_quiesce),
        TEST(test_room),
        TEST(test_presence),
        TEST(test_presence_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
