/* live/poll.c: a long poll ends with the first thing there is to tell, or with nothing in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "unit/support/live.h"

enum { SIZE_MAX_OF_PAGE = 1 << 20 };

/* What `done` got. */
struct answer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int times;
    struct live_page page;
};

static struct live_test t;
static struct answer answer;

static void on_polled(struct live_page *page, void *context)
{
    struct answer *to = context;
    pthread_mutex_lock(&to->lock);
    to->times++;
    to->page = *page;
    pthread_cond_broadcast(&to->changed);
    pthread_mutex_unlock(&to->lock);
}

static int setup(void **state)
{
    (void)state;
    live_test_init(&t);
    answer = (struct answer){.times = 0};
    pthread_mutex_init(&answer.lock, NULL);
    pthread_cond_init(&answer.changed, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    live_test_fini(&t);
    assert_int_equal(answer.times, 1);
    live_page_fini(&answer.page);
    pthread_cond_destroy(&answer.changed);
    pthread_mutex_destroy(&answer.lock);
    return 0;
}

static void poll_at(int64_t at, int64_t wait_s)
{
    const struct live_who who = live_test_who(1);
    const struct cursor from = live_test_cursor(at);
    hub_take_poll(t.hub, &who, &from, wait_s, SIZE_MAX_OF_PAGE, on_polled, &answer);
}

static const struct live_page *wait_answer(void)
{
    pthread_mutex_lock(&answer.lock);
    while (answer.times == 0) {
        pthread_cond_wait(&answer.changed, &answer.lock);
    }
    pthread_mutex_unlock(&answer.lock);
    assert_int_equal(answer.page.failure, ERR_OK);
    return &answer.page;
}

static void has_frame(const struct live_page *page, size_t i, const char *json)
{
    assert_true(i < page->count);
    assert_true(str_eq(live_frame_json(page->frames[i]), str_of(json)));
}

static void goes_on_at(const struct live_page *page, int64_t at, bool more)
{
    assert_true(uuid_eq(page->next.incarnation, live_test_incarnation));
    assert_int_equal(page->next.at.at[0], at);
    assert_int_equal(page->more, more);
}

static void test_frames_at_once(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(4, 60);
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->size_max, SIZE_MAX_OF_PAGE);
    live_test_add_frame(pull, "1");
    live_test_add_frame(pull, "2");
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
    const struct live_page *page = wait_answer();
    has_frame(page, 0, "1");
    has_frame(page, 1, "2");
    assert_int_equal(page->count, 2);
    goes_on_at(page, 10, false);
}

static void test_more(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(4, 60);
    struct live_pull *pull = live_test_pull(&t);
    live_test_add_frame(pull, "1");
    pull->page.more = true;
    pull->page.next = live_test_cursor(5);
    pull->page.next.paging = true;
    hub_pulled(pull);
    const struct live_page *page = wait_answer();
    assert_int_equal(page->count, 1);
    goes_on_at(page, 5, true);
    assert_true(page->next.paging);
}

/* The last of several pages, read in several snapshots: what has changed since comes with the next poll. */
static void test_last_page_of_a_round(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(4, 60);
    struct live_pull *pull = live_test_pull(&t);
    live_test_add_frame(pull, "1");
    pull->page.next = live_test_cursor(9);
    hub_pulled(pull);
    goes_on_at(wait_answer(), 9, true);
}

/* What came behind the page could not be passed on from the ring. */
static void test_frames_and_more_to_come(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(4, 60);
    struct live_pull *pull = live_test_pull(&t);
    live_test_publish(&t, 10, 11, 1, NULL);
    live_test_add_frame(pull, "1");
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
    goes_on_at(wait_answer(), 10, true);
}

/* Only the page is an answer, not what the ring had: with that the cursor would stay where it is, and
 * the next poll would get the same again. */
static void gets_page_from(int64_t from)
{
    struct live_pull *pull = live_test_pull(&t);
    assert_false(pull->from_ring);
    assert_int_equal(pull->from.at.at[0], from);
    live_test_add_frame(pull, "\"page\"");
    live_test_joinable(pull, 15, 1);
    hub_pulled(pull);
    has_frame(wait_answer(), 0, "\"page\"");
    assert_int_equal(answer.page.count, 1);
    goes_on_at(&answer.page, 15, false);
}

static void test_batch_with_a_gap(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 0);
    struct live_pull *pull = live_test_pull(&t);
    struct live_batch *batch = live_test_batch(10, 12, 2);
    batch->events[0] = live_test_message(1, "11");
    batch->events[1] = live_test_message(1, NULL);
    live_test_send(&t, batch);
    assert_true(pull->from_ring);
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
    gets_page_from(10);
}

static void test_live_batch_with_a_gap(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    live_test_join(&t, 10, 1);
    struct live_batch *batch = live_test_batch(10, 12, 2);
    batch->events[0] = live_test_message(1, "11");
    batch->events[1] = live_test_message(1, NULL);
    live_test_send(&t, batch);
    gets_page_from(10);
}

/* A read position that waits holds the cursor back. */
static void test_gap_behind_a_batch_that_tells_nothing(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 0);
    struct live_pull *pull = live_test_pull(&t);
    struct live_batch *batch = live_test_batch(10, 11, 1);
    batch->events[0] = live_test_message(1, "11");
    batch->told.at[0] = 10;
    live_test_send(&t, batch);
    live_test_publish(&t, 11, 12, 1, NULL);
    assert_true(pull->from_ring);
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
    gets_page_from(10);
}

static void test_batch_that_tells_nothing(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    live_test_join(&t, 10, 1);
    struct live_batch *batch = live_test_batch(10, 11, 1);
    batch->events[0] = live_test_message(1, "11");
    batch->told.at[0] = 10;
    live_test_send(&t, batch);
    gets_page_from(10);
}

/* Joins from the ring at 10, where a read position of 12 waits. */
static void poll_where_a_read_waits(int64_t wait_s)
{
    live_test_start(&t, 10);
    poll_at(10, wait_s);
    struct live_pull *pull = live_test_pull(&t);
    struct live_batch *batch = live_test_batch(10, 12, 1);
    batch->events[0] = live_test_message(1, "\"read\"");
    batch->events[0].waits = true;
    batch->told.at[0] = 11;
    live_test_send(&t, batch);
    assert_true(pull->from_ring);
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
}

static void test_read_that_waits(void **state)
{
    (void)state;
    poll_where_a_read_waits(60);
    live_test_publish(&t, 12, 12, 1, "\"told\"");
    const struct live_page *page = wait_answer();
    assert_int_equal(page->count, 1);
    has_frame(page, 0, "\"told\"");
    goes_on_at(page, 12, false);
}

/* With a message alone he would take what another node told him for lost. */
static void test_message_while_a_read_waits(void **state)
{
    (void)state;
    poll_where_a_read_waits(60);
    struct live_batch *batch = live_test_batch(12, 13, 1);
    batch->events[0] = live_test_message(1, "13");
    batch->told.at[0] = 11;
    live_test_send(&t, batch);
    gets_page_from(10);
}

static void test_time_is_over_while_a_read_waits(void **state)
{
    (void)state;
    poll_where_a_read_waits(0);
    gets_page_from(10);
}

static void test_nothing_and_no_waiting(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 0);
    live_test_join(&t, 10, 1);
    const struct live_page *page = wait_answer();
    assert_int_equal(page->count, 0);
    goes_on_at(page, 10, false);
}

/* A page without frames that is not the end of the way. */
static void test_goes_on_by_itself(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(4, 60);
    struct live_pull *pull = live_test_pull(&t);
    pull->page.more = true;
    pull->page.next = live_test_cursor(5);
    hub_pulled(pull);
    pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 5);
    live_test_add_frame(pull, "1");
    live_test_joinable(pull, 10, 1);
    hub_pulled(pull);
    goes_on_at(wait_answer(), 10, false);
}

static void test_waits_for_a_batch(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    live_test_join(&t, 10, 1);
    live_test_publish(&t, 10, 11, 9, "\"of others\"");
    struct live_batch *batch = live_batch_new(1);
    batch->events[0] = (struct live_event){.kind = LIVE_CONVERSATION,
                                           .droppable = true,
                                           .conversation_id = live_test_conversation(1),
                                           .frame = live_test_frame("\"typing\"")};
    hub_whisper(t.hub, batch);
    live_test_publish(&t, 11, 12, 1, "12");
    const struct live_page *page = wait_answer();
    has_frame(page, 0, "12");
    assert_int_equal(page->count, 1);
    goes_on_at(page, 12, false);
}

static void test_event_without_frame(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    live_test_join(&t, 10, 1);
    live_test_publish(&t, 10, 11, 1, NULL);
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 10);
    live_test_add_frame(pull, "11");
    live_test_joinable(pull, 11, 1);
    hub_pulled(pull);
    const struct live_page *page = wait_answer();
    has_frame(page, 0, "11");
    goes_on_at(page, 11, false);
}

static void test_time_is_over(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    int64_t began_us = clock_steady_us();
    poll_at(10, 1);
    live_test_join(&t, 10, 1);
    live_test_publish(&t, 10, 11, 9, "\"of others\"");
    const struct live_page *page = wait_answer();
    assert_int_equal(page->count, 0);
    goes_on_at(page, 11, false);
    assert_true(clock_steady_us() - began_us >= US_PER_SECOND * 9 / 10);
}

static void test_reset(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(99, 60);
    struct live_pull *pull = live_test_pull(&t);
    live_test_add_frame(pull, "\"reset\"");
    pull->page.reset = true;
    hub_pulled(pull);
    const struct live_page *page = wait_answer();
    has_frame(page, 0, "\"reset\"");
    assert_true(page->reset);
}

static void test_ended(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    live_test_join(&t, 10, 1);
    struct live_batch *batch = live_test_batch(10, 11, 1);
    batch->events[0] = (struct live_event){.kind = LIVE_SESSIONS, .user_id = live_test_user(1)};
    live_test_send(&t, batch);
    struct live_pull *pull = live_test_pull(&t);
    pull->page.ended = true;
    hub_pulled(pull);
    assert_true(wait_answer()->ended);
}

static void wait_failure(enum err e)
{
    pthread_mutex_lock(&answer.lock);
    while (answer.times == 0) {
        pthread_cond_wait(&answer.changed, &answer.lock);
    }
    pthread_mutex_unlock(&answer.lock);
    assert_int_equal(answer.page.failure, e);
}

static void test_failure(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    struct live_pull *pull = live_test_pull(&t);
    pull->page.failure = ERR_UNAVAILABLE;
    hub_pulled(pull);
    wait_failure(ERR_UNAVAILABLE);
}

static void test_refused(void **state)
{
    (void)state;
    t.refuse = 1;
    live_test_start(&t, 10);
    poll_at(10, 60);
    wait_failure(ERR_BUSY);
}

static void test_drain(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(10, 60);
    live_test_join(&t, 10, 1);
    hub_stop(t.hub, 5000);
    const struct live_page *page = wait_answer();
    assert_int_equal(page->count, 0);
    goes_on_at(page, 10, false);
}

static void test_drain_while_reading(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    poll_at(7, 60);
    struct live_pull *pull = live_test_pull(&t);
    hub_stop(t.hub, 5000);
    goes_on_at(wait_answer(), 7, true); /* nothing was told: there may be */
    live_test_add_frame(pull, "\"late\"");
    hub_pulled(pull);
}

static void test_after_the_end(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    hub_stop(t.hub, 5000);
    poll_at(7, 60);
    goes_on_at(wait_answer(), 7, true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_frames_at_once),
        TEST(test_more),
        TEST(test_last_page_of_a_round),
        TEST(test_frames_and_more_to_come),
        TEST(test_batch_with_a_gap),
        TEST(test_batch_that_tells_nothing),
        TEST(test_live_batch_with_a_gap),
        TEST(test_gap_behind_a_batch_that_tells_nothing),
        TEST(test_read_that_waits),
        TEST(test_message_while_a_read_waits),
        TEST(test_time_is_over_while_a_read_waits),
        TEST(test_nothing_and_no_waiting),
        TEST(test_goes_on_by_itself),
        TEST(test_waits_for_a_batch),
        TEST(test_event_without_frame),
        TEST(test_time_is_over),
        TEST(test_reset),
        TEST(test_ended),
        TEST(test_failure),
        TEST(test_refused),
        TEST(test_drain),
        TEST(test_drain_while_reading),
        TEST(test_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
