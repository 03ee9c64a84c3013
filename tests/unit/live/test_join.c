/* live/join.c, live/fanout.c, live/ring.c on a real hub: what a client gets on its way from a cursor
 * to being live, whatever the order of pages and batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "unit/support/live.h"

static struct live_test t;
static struct peer peer;

static int setup(void **state)
{
    (void)state;
    live_test_init(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_fini(&peer);
    live_test_fini(&t);
    return 0;
}

static void publish_user(enum live_event_kind kind, int64_t from, int64_t to, uint8_t user,
                         uint8_t conversation, const char *json)
{
    struct live_batch *batch = live_test_batch(from, to, 1);
    batch->events[0] = (struct live_event){
        .kind = kind,
        .user_id = live_test_user(user),
        .conversation_id = live_test_conversation(conversation),
        .frame = live_test_frame(json),
    };
    live_test_send(&t, batch);
}

/* User 1 is live at `at` in conversations 1 to 3. */
static void live_at(int64_t at)
{
    live_test_start(&t, at);
    peer_open(&peer, &t, 1, at);
    live_test_join(&t, at, 3);
    peer_gets_cursor(&peer, "synced", at);
}

static void test_page_and_live(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    assert_true(uuid_eq(pull->user_id, live_test_user(1)));
    assert_true(uuid_eq(pull->session_id, live_test_session(1)));
    assert_int_equal(pull->from.at.at[0], 4);
    assert_int_equal(pull->size_max, 65536);
    assert_false(pull->from_ring); /* it begins at 10 */
    live_test_add_frame(pull, "\"a\"");
    live_test_add_frame(pull, "\"b\"");
    live_test_joinable(pull, 10, 2);
    hub_pulled(pull);
    peer_gets(&peer, "\"a\"");
    peer_gets(&peer, "\"b\"");
    peer_gets_cursor(&peer, "synced", 10);
    live_test_publish(&t, 10, 11, 2, "\"c\"");
    live_test_publish(&t, 11, 12, 3, "\"of others\"");
    live_test_publish(&t, 12, 13, 1, "\"d\"");
    peer_gets(&peer, "\"c\"");
    peer_gets(&peer, "\"d\"");
    live_test_no_pull(&t);
}

static void test_no_cursor(void **state)
{
    const struct live_who who = live_test_who(1);
    const struct cursor nothing = {.at = {{0}}};
    (void)state;
    live_test_start(&t, 0);
    peer_open_as(&peer, &t, &who, &nothing, STR(""));
    peer_gets(&peer, "{\"type\":\"hello\"}");
    struct live_pull *pull = live_test_pull(&t);
    assert_true(uuid_is_zero(pull->from.incarnation));
    assert_false(pull->from_ring); /* the ring has everything, but who knows the user's rows */
    live_test_joinable(pull, 0, 0);
    hub_pulled(pull);
    peer_gets_cursor(&peer, "synced", 0);
}

static void test_pages(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    live_test_add_frame(pull, "1");
    pull->page.more = true;
    pull->page.next = live_test_cursor(5);
    hub_pulled(pull);
    peer_gets(&peer, "1");
    peer_gets_cursor(&peer, "ping", 5);
    pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 5);
    live_test_add_frame(pull, "2"); /* the round is over, but it was read in several snapshots */
    pull->page.next = live_test_cursor(9);
    hub_pulled(pull);
    peer_gets(&peer, "2");
    peer_gets_cursor(&peer, "ping", 9);
    pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 9);
    live_test_joinable(pull, 11, 1);
    hub_pulled(pull);
    peer_gets_cursor(&peer, "synced", 11);
}

/* What was published while the page was read. */
static void test_replay(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    live_test_publish(&t, 10, 11, 1, "\"in the page\"");
    live_test_publish(&t, 11, 12, 1, "12");
    live_test_publish(&t, 12, 13, 9, "\"of others\"");
    publish_user(LIVE_OWN, 13, 14, 1, 1, "14");
    publish_user(LIVE_OWN, 14, 15, 2, 1, "\"of others\"");
    live_test_joinable(pull, 11, 3);
    hub_pulled(pull);
    peer_gets(&peer, "12");
    peer_gets(&peer, "14");
    peer_gets_cursor(&peer, "synced", 15);
    live_test_publish(&t, 15, 16, 1, "16");
    peer_gets(&peer, "16");
}

/* The tailer is behind the database: the page has what it is still going to pass on. */
static void test_ahead(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    live_test_join(&t, 12, 3);
    peer_gets_cursor(&peer, "synced", 12);
    publish_user(LIVE_LEFT, 10, 11, 1, 2, "\"and came back before 12\"");
    live_test_publish(&t, 11, 12, 1, "\"in the page\"");
    live_test_publish(&t, 12, 13, 2, "13");
    peer_gets(&peer, "13");
    live_test_publish(&t, 13, 15, 1, "15");
    peer_gets(&peer, "15");
}

/* 11 to 13. */
static void publish_three(void)
{
    struct live_batch *batch = live_test_batch(10, 13, 3);
    const char *texts[] = {"11", "12", "13"};
    for (int i = 0; i < 3; i++) {
        batch->events[i] = live_test_message(1, texts[i]);
        batch->events[i].stamp = 11 + i;
    }
    live_test_send(&t, batch);
}

/* Of a batch that lies around the page's position what the page does not have is passed on, */
static void test_straddling(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    live_test_join(&t, 12, 3);
    peer_gets_cursor(&peer, "synced", 12);
    publish_three();
    peer_gets(&peer, "13");
    live_test_publish(&t, 13, 14, 1, "14");
    peer_gets(&peer, "14");
}

/* also from the ring. */
static void test_straddling_in_the_ring(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    publish_three();
    live_test_joinable(pull, 11, 3);
    hub_pulled(pull);
    peer_gets(&peer, "12");
    peer_gets(&peer, "13");
    peer_gets_cursor(&peer, "synced", 13);
}

/* Oneself is in the pages as what one's conversations are; other users are not (test_subscribe). */
static void test_oneself(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    publish_user(LIVE_USER, 10, 11, 1, 0, "\"in the page\"");
    publish_user(LIVE_USER, 11, 12, 1, 0, "12");
    live_test_joinable(pull, 11, 1);
    hub_pulled(pull);
    peer_gets(&peer, "12");
    peer_gets_cursor(&peer, "synced", 12);
}

static void test_oneself_ahead(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    live_test_join(&t, 12, 1);
    peer_gets_cursor(&peer, "synced", 12);
    publish_user(LIVE_USER, 10, 12, 1, 0, "\"in the page\"");
    publish_user(LIVE_USER, 12, 13, 1, 0, "13");
    peer_gets(&peer, "13");
}

static void test_event_without_frame_in_the_ring(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    struct live_pull *pull = live_test_pull(&t);
    assert_true(pull->from_ring);
    assert_false(hub_listens(t.hub, live_test_conversation(3)));
    live_test_publish(&t, 10, 11, 1, "11");
    live_test_publish(&t, 11, 12, 9, NULL); /* not its business */
    live_test_publish(&t, 12, 13, 3, NULL);
    live_test_publish(&t, 13, 14, 1, "\"comes with the page\"");
    live_test_joinable(pull, 10, 3);
    hub_pulled(pull);
    peer_gets(&peer, "11");
    pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 12);
    assert_false(pull->from_ring); /* else it would go round for ever */
    assert_true(hub_listens(t.hub, live_test_conversation(3)));
    live_test_add_frame(pull, "\"page\"");
    live_test_joinable(pull, 14, 3);
    hub_pulled(pull);
    peer_gets(&peer, "\"page\"");
    peer_gets_cursor(&peer, "synced", 14);
}

static void test_event_without_frame_live(void **state)
{
    (void)state;
    live_at(10);
    live_test_publish(&t, 10, 11, 9, NULL);
    live_test_publish(&t, 11, 12, 1, NULL);
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 11);
    live_test_joinable(pull, 12, 3);
    hub_pulled(pull);
    peer_gets_cursor(&peer, "synced", 12);
}

static void test_ring_is_too_short(void **state)
{
    (void)state;
    t.options.ring_max = 2000;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    for (int64_t at = 10; at < 40; at++) {
        live_test_publish(&t, at, at + 1, 1, "\"long gone\"");
    }
    live_test_joinable(pull, 11, 1);
    hub_pulled(pull);
    pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 11);
    live_test_joinable(pull, 40, 1);
    hub_pulled(pull);
    peer_gets_cursor(&peer, "synced", 40);
}

static void test_from_ring(void **state)
{
    struct hub_stats stats;
    struct peer other;
    (void)state;
    live_test_start(&t, 10);
    peer_open(&other, &t, 2, 10); /* so that the hub has got what follows */
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&other, "synced", 10);
    live_test_publish(&t, 10, 11, 1, "11");
    live_test_publish(&t, 11, 12, 1, "12");
    peer_gets(&other, "11");
    peer_gets(&other, "12");
    peer_open(&peer, &t, 1, 11);
    struct live_pull *pull = live_test_pull(&t);
    assert_true(pull->from_ring);
    live_test_joinable(pull, 11, 1);
    hub_pulled(pull);
    peer_gets(&peer, "12");
    peer_gets_cursor(&peer, "synced", 12);
    hub_stats_get(t.hub, &stats);
    assert_int_equal(stats.ring_joins, 2);
    assert_int_equal(stats.sockets, 2);
    assert_int_equal(stats.users, 2);
    peer_fini(&other);
}

static void test_other_incarnation(void **state)
{
    const struct live_who who = live_test_who(1);
    struct cursor from = live_test_cursor(10);
    (void)state;
    from.incarnation.b[1]++;
    live_test_start(&t, 10);
    peer_open_as(&peer, &t, &who, &from, STR(""));
    peer_gets(&peer, "{\"type\":\"hello\"}");
    struct live_pull *pull = live_test_pull(&t);
    assert_false(pull->from_ring);
    assert_int_equal(pull->from.incarnation.b[1], 2);
    live_test_add_frame(pull, "\"reset\"");
    pull->page.reset = true;
    hub_pulled(pull);
    peer_gets(&peer, "\"reset\"");
    peer_gets_close(&peer, 4410);
}

/* --- memberships --- */

static void test_left(void **state)
{
    (void)state;
    live_at(10);
    struct live_batch *batch = live_test_batch(10, 12, 3);
    /* The message may have been edited after he left: it must not reach him. */
    batch->events[0] = live_test_message(2, "\"secret\"");
    batch->events[1] = (struct live_event){.kind = LIVE_LEFT,
                                           .conversation_id = live_test_conversation(2),
                                           .user_id = live_test_user(1),
                                           .frame = live_test_frame("\"gone\"")};
    batch->events[2] = live_test_message(1, "12");
    live_test_send(&t, batch);
    live_test_publish(&t, 12, 13, 2, "\"secret\"");
    live_test_publish(&t, 13, 14, 1, "14");
    peer_gets(&peer, "\"gone\"");
    peer_gets(&peer, "12");
    peer_gets(&peer, "14");
    assert_false(hub_listens(t.hub, live_test_conversation(2)));
    assert_true(hub_listens(t.hub, live_test_conversation(1)));
}

static void test_left_in_the_ring(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    struct live_pull *pull = live_test_pull(&t);
    live_test_publish(&t, 10, 11, 2, "11");
    publish_user(LIVE_LEFT, 11, 12, 1, 2, "\"gone\"");
    live_test_publish(&t, 12, 13, 2, "\"secret\"");
    live_test_publish(&t, 13, 14, 3, "14");
    live_test_joinable(pull, 10, 3);
    hub_pulled(pull);
    peer_gets(&peer, "11");
    peer_gets(&peer, "\"gone\"");
    peer_gets(&peer, "14");
    peer_gets_cursor(&peer, "synced", 14);
    assert_false(hub_listens(t.hub, live_test_conversation(2)));
}

static void test_joined(void **state)
{
    (void)state;
    live_at(10);
    live_test_publish(&t, 10, 11, 1, "11");
    publish_user(LIVE_JOINED, 11, 12, 1, 4, NULL);
    peer_gets(&peer, "11");
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 11);
    assert_false(pull->from_ring);
    publish_user(LIVE_JOINED, 12, 13, 2, 4, NULL); /* somebody else */
    live_test_publish(&t, 13, 14, 4, "14");
    live_test_add_frame(pull, "\"conversation\"");
    live_test_joinable(pull, 12, 4);
    hub_pulled(pull);
    peer_gets(&peer, "\"conversation\"");
    peer_gets(&peer, "14");
    peer_gets_cursor(&peer, "synced", 14);
}

static void test_joined_in_the_ring(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    struct live_pull *pull = live_test_pull(&t);
    publish_user(LIVE_JOINED, 10, 11, 1, 4, NULL);
    live_test_joinable(pull, 10, 3);
    hub_pulled(pull);
    pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 10);
    assert_false(pull->from_ring);
    live_test_joinable(pull, 11, 4);
    hub_pulled(pull);
    peer_gets_cursor(&peer, "synced", 11);
}

static void publish_sessions(int64_t from, int64_t to, uint8_t user, uint8_t session)
{
    struct live_batch *batch = live_test_batch(from, to, 1);
    batch->events[0] = (struct live_event){.kind = LIVE_SESSIONS, .user_id = live_test_user(user)};
    if (session != 0) {
        batch->events[0].sessions = mem_alloc(sizeof(struct uuid));
        batch->events[0].sessions[0] = live_test_session(session);
        batch->events[0].session_count = 1;
    }
    live_test_send(&t, batch);
}

static void page_without_session(void)
{
    struct live_pull *pull = live_test_pull(&t);
    pull->page.ended = true;
    hub_pulled(pull);
}

static void test_sessions(void **state)
{
    struct live_who who = live_test_who(1);
    const struct cursor from = live_test_cursor(10);
    struct peer other;
    (void)state;
    live_at(10);
    who.session_id = live_test_session(7);
    peer_open_as(&other, &t, &who, &from, STR(""));
    peer_gets(&other, "{\"type\":\"hello\"}");
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&other, "synced", 10);
    publish_sessions(10, 11, 2, 0); /* somebody else's */
    publish_sessions(11, 12, 1, 7);
    live_test_publish(&t, 12, 13, 1, "13");
    peer_gets(&other, "13");
    page_without_session();
    peer_gets_close(&peer, 4401); /* without 13 */
    publish_sessions(13, 14, 1, 0);
    page_without_session();
    peer_gets_close(&other, 4401);
    peer_fini(&other);
}

/* One that began after the batch was made. */
static void test_session_that_lives(void **state)
{
    (void)state;
    live_at(10);
    publish_sessions(10, 11, 1, 7);
    live_test_publish(&t, 11, 12, 1, "12");
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 10);
    live_test_joinable(pull, 11, 3);
    hub_pulled(pull);
    peer_gets(&peer, "12");
    peer_gets_cursor(&peer, "synced", 12);
}

/* The page that is being read may be from before. */
static void test_session_ends_while_pulling(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    publish_sessions(10, 11, 1, 7);
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
    page_without_session();
    peer_gets_close(&peer, 4401);
}

static void test_sessions_in_the_ring(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    struct live_pull *pull = live_test_pull(&t);
    publish_sessions(10, 11, 1, 1);
    live_test_publish(&t, 11, 12, 1, "12");
    live_test_joinable(pull, 10, 3);
    hub_pulled(pull);
    peer_gets(&peer, "12");
    peer_gets_cursor(&peer, "synced", 12);
}

static void test_page_without_session(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    page_without_session();
    peer_gets_close(&peer, 4401);
}

/* --- what is told --- */

/* Read positions that wait hold the cursor back. */
static void test_told(void **state)
{
    struct peer other;
    (void)state;
    t.options.heartbeat_s = 1;
    live_at(10);
    struct live_batch *batch = live_test_batch(10, 12, 0);
    batch->told.at[0] = 11;
    live_test_send(&t, batch);
    peer_gets_cursor(&peer, "ping", 11);
    /* Whoever was told 11 has to get what was held back. */
    batch = live_test_batch(12, 12, 1);
    batch->events[0] = live_test_message(1, "\"read\"");
    live_test_send(&t, batch);
    peer_gets(&peer, "\"read\"");
    peer_open(&other, &t, 2, 11);
    live_test_join(&t, 11, 1);
    peer_gets(&other, "\"read\"");
    peer_gets_cursor(&other, "synced", 12);
    peer_fini(&other);
}

/* What waits is told at once to who joins from the ring: another node may have told him. */
static void test_waiting(void **state)
{
    struct peer other;
    struct peer late;
    (void)state;
    live_at(10);
    struct live_batch *batch = live_test_batch(10, 12, 2);
    batch->told.at[0] = 11;
    batch->events[0] = live_test_message(1, "11");
    batch->events[0].stamp = 11;
    batch->events[1] = live_test_message(1, "\"read 12\"");
    batch->events[1].waits = true;
    live_test_send(&t, batch);
    peer_gets(&peer, "11");
    peer_open(&other, &t, 2, 10);
    live_test_join(&t, 10, 1);
    peer_gets(&other, "11");
    peer_gets(&other, "\"read 12\"");
    peer_gets_cursor(&other, "synced", 11);
    batch = live_test_batch(12, 13, 1);
    batch->events[0] = live_test_message(1, "\"read 13\"");
    live_test_send(&t, batch);
    peer_gets(&peer, "\"read 13\"");
    peer_gets(&other, "\"read 13\"");
    /* It does not wait any more: it is told once. */
    peer_open(&late, &t, 3, 11);
    live_test_join(&t, 11, 1);
    peer_gets(&late, "\"read 13\"");
    peer_gets_cursor(&late, "synced", 13);
    peer_fini(&other);
    peer_fini(&late);
}

static void test_whisper(void **state)
{
    struct peer other;
    (void)state;
    live_at(10);
    peer_open(&other, &t, 2, 10);
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&other, "synced", 10);
    struct live_batch *batch = live_batch_new(1);
    batch->events[0] = (struct live_event){.kind = LIVE_CONVERSATION,
                                           .droppable = true,
                                           .conversation_id = live_test_conversation(1),
                                           .not_to = live_test_user(1),
                                           .frame = live_test_frame("\"typing\"")};
    hub_whisper(t.hub, batch);
    live_test_publish(&t, 10, 11, 1, "11");
    peer_gets(&other, "\"typing\"");
    peer_gets(&other, "11");
    peer_gets(&peer, "11");
    peer_fini(&other);
}

static void test_refused_pull_comes_again(void **state)
{
    (void)state;
    t.refuse = 1;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 10);
    struct live_pull *pull = live_test_pull(&t);
    pull->page.failure = ERR_BUSY;
    hub_pulled(pull);
    live_test_join(&t, 10, 1);
    peer_gets_cursor(&peer, "synced", 10);
}

/* --- lives of the database, shards --- */

static const struct uuid next_life = {{0x1C, 2}};

/* The database went back: what was told since may not be true, and cursors tell. */
static void test_restart(void **state)
{
    (void)state;
    live_at(10);
    live_test_publish(&t, 10, 12, 1, "12");
    struct live_batch *batch = live_test_batch(0, 5, 0);
    batch->incarnation = next_life;
    batch->restarts = true;
    live_test_send(&t, batch);
    peer_gets(&peer, "12");
    struct live_pull *pull = live_test_pull(&t);
    assert_true(uuid_eq(pull->from.incarnation, live_test_incarnation));
    assert_int_equal(pull->from.at.at[0], 12);
    assert_false(pull->from_ring);
    live_test_add_frame(pull, "\"reset\"");
    pull->page.reset = true;
    hub_pulled(pull);
    peer_gets(&peer, "\"reset\"");
    peer_gets_close(&peer, 4410);
}

/* A page that was read before the database went back, and comes after: its numbers mean others now. */
static void test_page_of_the_life_before(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 8);
    struct live_pull *pull = live_test_pull(&t);
    struct live_batch *batch = live_test_batch(0, 5, 0);
    batch->incarnation = next_life;
    batch->restarts = true;
    live_test_send(&t, batch);
    live_test_add_frame(pull, "\"lost\"");
    live_test_joinable(pull, 12, 1);
    hub_pulled(pull);
    peer_gets(&peer, "\"lost\"");
    peer_gets_cursor(&peer, "ping", 12);
    pull = live_test_pull(&t);
    assert_true(uuid_eq(pull->from.incarnation, live_test_incarnation));
    assert_int_equal(pull->from.at.at[0], 12);
    assert_false(pull->from_ring);
    hub_pulled(pull);
}

/* Nothing was lost: clients stay, and their cursors are of the new life. */
static void test_next_life(void **state)
{
    (void)state;
    live_at(10);
    struct live_batch *batch = live_test_batch(10, 10, 0);
    batch->incarnation = next_life;
    live_test_send(&t, batch);
    batch = live_test_batch(10, 11, 1);
    batch->incarnation = next_life;
    batch->events[0] = (struct live_event){.kind = LIVE_JOINED,
                                           .user_id = live_test_user(1),
                                           .conversation_id = live_test_conversation(4)};
    live_test_send(&t, batch);
    struct live_pull *pull = live_test_pull(&t);
    assert_true(uuid_eq(pull->from.incarnation, next_life));
    assert_int_equal(pull->from.at.at[0], 10);
    hub_pulled(pull);
}

/* A page may be ahead of the tailer in one shard and behind it in another. */
static void test_a_page_between_the_shards(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    peer_open(&peer, &t, 1, 4);
    struct live_pull *pull = live_test_pull(&t);
    struct live_batch *batch = live_test_batch(10, 11, 3);
    batch->to.at[1] = batch->told.at[1] = 20;
    batch->events[0] = (struct live_event){.kind = LIVE_LEFT, /* and came again, says the page */
                                           .conversation_id = live_test_conversation(1),
                                           .user_id = live_test_user(1),
                                           .frame = live_test_frame("\"gone\"")};
    batch->events[1] = live_test_message(1, "\"old\"");
    batch->events[2] = (struct live_event){.kind = LIVE_CONVERSATION,
                                           .shard = 1,
                                           .conversation_id = live_test_conversation(2),
                                           .frame = live_test_frame("\"new\"")};
    live_test_send(&t, batch);
    live_test_joinable(pull, 12, 2); /* shard 1: nothing yet */
    hub_pulled(pull);
    peer_gets(&peer, "\"new\"");
    assert_int_equal(peer_read(&peer), 1); /* synced */
    batch = live_test_batch(11, 13, 1);
    batch->from.at[1] = batch->to.at[1] = batch->told.at[1] = 20;
    batch->events[0] = live_test_message(1, "13");
    live_test_send(&t, batch);
    peer_gets(&peer, "13");
    live_test_no_pull(&t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_page_and_live),
        TEST(test_restart),
        TEST(test_page_of_the_life_before),
        TEST(test_next_life),
        TEST(test_a_page_between_the_shards),
        TEST(test_no_cursor),
        TEST(test_pages),
        TEST(test_replay),
        TEST(test_ahead),
        TEST(test_straddling),
        TEST(test_straddling_in_the_ring),
        TEST(test_oneself),
        TEST(test_oneself_ahead),
        TEST(test_event_without_frame_in_the_ring),
        TEST(test_event_without_frame_live),
        TEST(test_ring_is_too_short),
        TEST(test_from_ring),
        TEST(test_other_incarnation),
        TEST(test_left),
        TEST(test_left_in_the_ring),
        TEST(test_joined),
        TEST(test_joined_in_the_ring),
        TEST(test_sessions),
        TEST(test_session_that_lives),
        TEST(test_session_ends_while_pulling),
        TEST(test_sessions_in_the_ring),
        TEST(test_page_without_session),
        TEST(test_told),
        TEST(test_waiting),
        TEST(test_whisper),
        TEST(test_refused_pull_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
