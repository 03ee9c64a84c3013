/* Everything at once: commits, memberships that end and begin again, a tailer that lags behind, pages
 * that take their time, readers that are slow and are cut off and come back. In the end each client
 * must hold exactly what its user may see, whatever happened on the way.
 *
 * The world is a log of commits under a lock; pages are read from it as sync/page.c reads them from
 * the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "unit/support/live.h"

enum {
    COMMITS = 1500,
    CONVERSATIONS = 4,
    USERS = 3,
    CLIENTS = 5,
    PAD = 700,
    PAGE_MESSAGES = 20,
    READERS = 2
};

enum change { MESSAGE, LEFT, JOINED };

/* The commit with stamp i + 1. */
struct commit {
    enum change change;
    uint8_t conversation;
    uint8_t user; /* LEFT, JOINED */
};

static struct {
    pthread_mutex_t lock; /* guards all of it */
    struct commit log[COMMITS];
    int64_t count;
    int64_t began[USERS + 1][CONVERSATIONS + 1]; /* a membership's stamp; 0: from the start */
    int64_t ended[USERS + 1][CONVERSATIONS + 1]; /* 0: it has not */
} world;

struct client {
    pthread_t thread;
    unsigned seed;
    uint8_t user;
    struct cursor cursor;
    bool has[COMMITS + 1]; /* messages by their stamp */
    int connections;
};

static struct live_test t;
static atomic_bool is_over;

static void nap(unsigned *seed, int max_us)
{
    const struct timespec pause = {.tv_nsec = rand_r(seed) % max_us * 1000L};
    nanosleep(&pause, NULL);
}

/* --- the world ------------------------------------------------------------------------------- */

/* The lock is held. */
static void commit_one(unsigned *seed)
{
    struct commit *commit = &world.log[world.count++];
    commit->conversation = (uint8_t)(1 + rand_r(seed) % CONVERSATIONS);
    commit->user = (uint8_t)(1 + rand_r(seed) % USERS);
    if (rand_r(seed) % 40 != 0) {
        commit->change = MESSAGE;
        return;
    }
    int64_t *ended = &world.ended[commit->user][commit->conversation];
    commit->change = *ended == 0 ? LEFT : JOINED;
    if (*ended == 0) {
        *ended = world.count;
    } else {
        *ended = 0;
        world.began[commit->user][commit->conversation] = world.count;
    }
}

static struct live_frame *message_frame(uint8_t conversation, int64_t stamp)
{
    char text[PAD + 64];
    (void)snprintf(text, sizeof(text), "m %d %lld %0*d", conversation, (long long)stamp, PAD, 0);
    return live_test_frame(text);
}

static struct live_frame *gone_frame(uint8_t conversation)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "gone %d", conversation);
    return live_test_frame(text);
}

static bool is_member(uint8_t user, uint8_t conversation)
{
    return world.ended[user][conversation] == 0;
}

/* --- the tailer ------------------------------------------------------------------------------ */

/* As sync/tailer.c: from the present state of what has changed; without frames where nobody listens. */
static void fill_event(struct live_event *event, int64_t stamp)
{
    const struct commit *commit = &world.log[stamp - 1];
    event->stamp = stamp;
    event->conversation_id = live_test_conversation(commit->conversation);
    if (commit->change == MESSAGE) {
        event->kind = LIVE_CONVERSATION;
        event->frame = hub_listens(t.hub, event->conversation_id)
                           ? message_frame(commit->conversation, stamp)
                           : NULL;
        return;
    }
    bool member = is_member(commit->user, commit->conversation);
    event->user_id = live_test_user(commit->user);
    event->kind = member ? LIVE_JOINED : LIVE_LEFT;
    if (!member) {
        event->frame =
            hub_is_online(t.hub, event->user_id) ? gone_frame(commit->conversation) : NULL;
    }
}

static void publish_up_to(int64_t *published, int64_t to)
{
    struct live_batch *batch = live_test_batch(*published, to, (size_t)(to - *published));
    pthread_mutex_lock(&world.lock);
    for (size_t i = 0; i < batch->count; i++) {
        fill_event(&batch->events[i], *published + 1 + (int64_t)i);
    }
    pthread_mutex_unlock(&world.lock);
    *published = to;
    hub_publish(t.hub, batch);
}

static void *tailer_main(void *context)
{
    unsigned seed = 3;
    int64_t published = 0;
    int64_t count = 0;
    (void)context;
    while (published < COMMITS) {
        nap(&seed, 4000);
        pthread_mutex_lock(&world.lock);
        count = world.count;
        pthread_mutex_unlock(&world.lock);
        if (count > published) {
            publish_up_to(&published, count);
        }
    }
    return NULL;
}

/* --- pages ----------------------------------------------------------------------------------- */

static void add_frame(struct live_page *page, struct live_frame *frame)
{
    page->frames = mem_realloc(page->frames, (page->count + 1) * sizeof(page->frames[0]));
    page->frames[page->count++] = frame;
}

/* Does a page from `after` have the message? All of it, if the membership began behind it. */
static bool is_due(uint8_t user, int64_t stamp, int64_t after)
{
    const struct commit *commit = &world.log[stamp - 1];
    if (commit->change != MESSAGE || !is_member(user, commit->conversation)) {
        return false;
    }
    return stamp > after || world.began[user][commit->conversation] > after;
}

static void add_gone(struct live_page *page, uint8_t user, int64_t after)
{
    for (uint8_t c = 1; c <= CONVERSATIONS; c++) {
        if (world.ended[user][c] > after) {
            add_frame(page, gone_frame(c));
        }
    }
}

static void add_conversations(struct live_page *page, uint8_t user)
{
    page->conversations = mem_alloc(CONVERSATIONS * sizeof(struct uuid));
    for (uint8_t c = 1; c <= CONVERSATIONS; c++) {
        if (is_member(user, c)) {
            page->conversations[page->conversation_count++] = live_test_conversation(c);
        }
    }
}

static bool is_unchanged(uint8_t user, int64_t after)
{
    for (uint8_t c = 1; c <= CONVERSATIONS; c++) {
        if (world.began[user][c] > after || world.ended[user][c] > after) {
            return false;
        }
    }
    return true;
}

/* The place in a round is the stamp of the last message, in the last bytes of `after`. */
static void read_round(struct live_pull *pull, uint8_t user)
{
    struct live_page *page = &pull->page;
    int64_t after = pull->from.at.at[0];
    int64_t goal = pull->from.paging ? pull->from.place.goal.at[0] : world.count;
    int64_t last = 0;
    page->next = live_test_cursor(goal);
    if (pull->from.paging) {
        memcpy(&last, pull->from.place.after.b, sizeof(last));
    } else {
        add_gone(page, user, after);
    }
    for (int64_t stamp = last + 1; stamp <= world.count; stamp++) {
        if (!is_due(user, stamp, after)) {
            continue;
        }
        if (page->count >= PAGE_MESSAGES) {
            page->more = true;
            page->next = (struct cursor){.incarnation = live_test_incarnation,
                                         .at = {{after}},
                                         .paging = true,
                                         .place = {.goal = {{goal}}}};
            memcpy(page->next.place.after.b, &last, sizeof(last));
            return;
        }
        add_frame(page, message_frame(world.log[stamp - 1].conversation, stamp));
        last = stamp;
    }
    page->joinable = !pull->from.paging;
}

static void read_page(struct live_pull *pull)
{
    uint8_t user = pull->user_id.b[1];
    pthread_mutex_lock(&world.lock);
    if (pull->from_ring && is_unchanged(user, pull->from.at.at[0])) {
        pull->page.joinable = true;
        pull->page.next = pull->from;
    } else {
        read_round(pull, user);
    }
    if (pull->page.joinable) {
        add_conversations(&pull->page, user);
    }
    pthread_mutex_unlock(&world.lock);
}

static void *reader_main(void *context)
{
    unsigned seed = *(unsigned *)context;
    while (!atomic_load(&is_over)) {
        struct live_pull *pull = NULL;
        pthread_mutex_lock(&t.lock);
        if (t.pull_count > 0) {
            pull = t.pulls[--t.pull_count];
        }
        pthread_mutex_unlock(&t.lock);
        if (pull != NULL) {
            read_page(pull);
            nap(&seed, 2000); /* the page grows old */
            hub_pulled(pull);
        } else {
            nap(&seed, 500);
        }
    }
    return NULL;
}

/* --- clients --------------------------------------------------------------------------------- */

static void forget(struct client *client, int conversation)
{
    for (int64_t stamp = 1; stamp <= COMMITS; stamp++) {
        if (world.log[stamp - 1].conversation == conversation) {
            client->has[stamp] = false;
        }
    }
}

static void take_cursor(struct client *client, const char *json)
{
    const char *text = strstr(json, "\"cursor\":\"");
    assert_non_null(text);
    struct str rest = str_of(text + 10);
    assert_true(cursor_parse(str_cut(&rest, '"'), &client->cursor));
}

static void take_frame(struct client *client, const char *text)
{
    int conversation = 0;
    long long stamp = 0;
    if (sscanf(text, "m %d %lld", &conversation, &stamp) == 2) {
        client->has[stamp] = true;
    } else if (sscanf(text, "gone %d", &conversation) == 1) {
        pthread_mutex_lock(&world.lock);
        forget(client, conversation);
        pthread_mutex_unlock(&world.lock);
    } else {
        take_cursor(client, text);
    }
}

static bool is_done(const struct client *client)
{
    return !client->cursor.paging && client->cursor.at.at[0] == COMMITS;
}

static void *client_main(void *context)
{
    struct client *client = context;
    const struct live_who who = live_test_who(client->user);
    while (!is_done(client)) {
        struct peer peer;
        int frames = rand_r(&client->seed) % 400;
        peer_open_as(&peer, &t, &who, &client->cursor, STR(""));
        peer_gets(&peer, "{\"type\":\"hello\"}");
        client->connections++;
        for (int i = 0; i < frames && !is_done(client); i++) {
            assert_int_equal(peer_read(&peer), 1);
            take_frame(client, peer.text);
            if (rand_r(&client->seed) % 16 == 0) {
                nap(&client->seed, rand_r(&client->seed) % 8 == 0 ? 100000 : 3000);
            }
        }
        peer_fini(&peer);
    }
    return NULL;
}

static void check(const struct client *client)
{
    for (int64_t stamp = 1; stamp <= COMMITS; stamp++) {
        const struct commit *commit = &world.log[stamp - 1];
        bool expected = commit->change == MESSAGE && is_member(client->user, commit->conversation);
        if (client->has[stamp] != expected) {
            fail_msg("user %d, stamp %lld, conversation %d: has %d", client->user, (long long)stamp,
                     commit->conversation, client->has[stamp]);
        }
    }
}

static void storm(struct client clients[CLIENTS])
{
    pthread_t tailer;
    pthread_t readers[READERS];
    unsigned seeds[READERS];
    const char *text =
        getenv("CONFAB_STORM_SEED"); /* for more of them than the suite has time for */
    unsigned seed = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 1;
    assert_int_equal(pthread_create(&tailer, NULL, tailer_main, NULL), 0);
    for (unsigned i = 0; i < READERS; i++) {
        seeds[i] = 10 + i;
        assert_int_equal(pthread_create(&readers[i], NULL, reader_main, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].seed = 100 * seed + i;
        clients[i].user = (uint8_t)(1 + i % USERS);
        clients[i].cursor = live_test_cursor(0);
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
    }
    for (int i = 0; i < COMMITS; i++) {
        pthread_mutex_lock(&world.lock);
        commit_one(&seed);
        pthread_mutex_unlock(&world.lock);
        nap(&seed, 1500);
    }
    pthread_join(tailer, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
}

static void test_storm(void **state)
{
    struct hub_stats stats;
    (void)state;
    struct client *clients = mem_alloc_zero(CLIENTS * sizeof(*clients));
    pthread_mutex_init(&world.lock, NULL);
    live_test_init(&t);
    t.options.buffer_max = 8192;
    t.options.ring_max = 100000;
    t.options.heartbeat_s = 1;
    live_test_start(&t, 0);
    storm(clients);
    for (int i = 0; i < CLIENTS; i++) {
        check(&clients[i]);
        print_message("client %d: %d connections\n", i, clients[i].connections);
    }
    hub_stats_get(t.hub, &stats);
    print_message("%lld pulls, %lld overflows, %lld joins from the ring, %lld frames\n",
                  (long long)stats.pulls, (long long)stats.overflows, (long long)stats.ring_joins,
                  (long long)stats.frames);
    assert_true(stats.overflows > 0 && stats.ring_joins > 0);
    live_test_fini(&t);
    pthread_mutex_destroy(&world.lock);
    free(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
