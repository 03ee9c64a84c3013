#include "unit/support/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { PATIENCE_S = 20, TEXT = 1, CLOSE = 8 };

const struct uuid live_test_incarnation = {{0x1C, 1}};

/* --- what the hub asks ----------------------------------------------------------------------- */

static bool on_pull(struct live_pull *pull, void *context)
{
    struct live_test *t = context;
    pthread_mutex_lock(&t->lock);
    bool taken = t->refuse == 0 && t->pull_count < LIVE_TEST_MAX;
    if (taken) {
        t->pulls[t->pull_count++] = pull;
    } else if (t->refuse > 0) {
        t->refuse--;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    return taken;
}

static void on_said(struct live_client *client, struct str text, void *context)
{
    struct live_test *t = context;
    pthread_mutex_lock(&t->lock);
    assert_true(t->said_count < LIVE_TEST_MAX);
    char *copy = mem_alloc(text.n + 1);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    t->said_by[t->said_count] = client;
    t->said[t->said_count++] = copy;
    if (t->subscribe_count > 0) {
        assert_true(hub_subscribe(client, t->subscribe, &t->subscribe_count));
        t->subscribe_count = 0;
    }
    if (t->extend_us != 0) {
        hub_extend(client, hub_client_who(client)->session_id, t->extend_us);
        t->extend_us = 0;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void note_presence(struct live_test *t, char text[LIVE_TEST_MAX], struct uuid user_id,
                          bool has_come)
{
    pthread_mutex_lock(&t->lock);
    size_t n = strlen(text);
    (void)snprintf(text + n, LIVE_TEST_MAX - n, "%c%d", has_come ? '+' : '-', user_id.b[1]);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void on_presence(struct uuid user_id, bool online, int64_t at_us, void *context)
{
    struct live_test *t = context;
    assert_true(at_us > 0);
    note_presence(t, t->presence, user_id, online);
}

static void on_here(struct uuid user_id, bool is_here, int64_t at_us, void *context)
{
    struct live_test *t = context;
    assert_true(at_us > 0);
    note_presence(t, t->here, user_id, is_here);
}

/* --- life ------------------------------------------------------------------------------------ */

void live_test_init(struct live_test *t)
{
    *t = (struct live_test){0};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->options = (struct hub_options){
        .threads = 2,
        .buffer_max = 65536,
        .ring_max = 1 << 20,
        .message_max = 131072,
        .clients_max = 100,
        .clients_per_user_max = 10,
        .clients_per_address_max = 0,
        .heartbeat_s = 60,
        .shards = 1,
        .pull = on_pull,
        .said = on_said,
        .here = on_here,
        .presence = on_presence,
        .context = t,
    };
}

void live_test_start(struct live_test *t, int64_t at)
{
    const struct position position = {{at}};
    t->hub = hub_new(&t->options);
    hub_start(t->hub, live_test_incarnation, &position);
}

void live_test_fini(struct live_test *t)
{
    hub_stop(t->hub, 100);
    for (size_t i = 0; i < t->pull_count; i++) {
        hub_pulled(t->pulls[i]); /* the executor would do so when it ends */
    }
    hub_free(t->hub);
    for (size_t i = 0; i < t->said_count; i++) {
        free(t->said[i]);
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

/* --- ids ------------------------------------------------------------------------------------- */

struct uuid live_test_user(uint8_t n)
{
    return (struct uuid){{0xA0, n}};
}

struct uuid live_test_session(uint8_t n)
{
    return (struct uuid){{0x5E, n}};
}

struct uuid live_test_conversation(uint8_t n)
{
    return (struct uuid){{0xC0, n}};
}

struct cursor live_test_cursor(int64_t at)
{
    return (struct cursor){.incarnation = live_test_incarnation, .at = {{at}}};
}

struct live_who live_test_who(uint8_t user)
{
    return (struct live_who){.user_id = live_test_user(user),
                             .session_id = live_test_session(user),
                             .address = STR("127.0.0.1")};
}

struct live_frame *live_test_frame(const char *json)
{
    return json != NULL ? live_frame_new(str_of(json)) : NULL;
}

/* --- waiting --------------------------------------------------------------------------------- */

/* The lock is held; false: it took too long. */
static bool wait_change(struct live_test *t)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return pthread_cond_timedwait(&t->changed, &t->lock, &until) == 0;
}

struct live_pull *live_test_pull(struct live_test *t)
{
    struct live_pull *pull = NULL;
    bool in_time = true;
    pthread_mutex_lock(&t->lock);
    while (t->pull_count == 0 && in_time) {
        in_time = wait_change(t);
    }
    if (t->pull_count > 0) {
        pull = t->pulls[0];
        t->pull_count--;
        memmove(t->pulls, t->pulls + 1, t->pull_count * sizeof(t->pulls[0]));
    }
    pthread_mutex_unlock(&t->lock);
    assert_non_null(pull);
    return pull;
}

void live_test_no_pull(struct live_test *t)
{
    pthread_mutex_lock(&t->lock);
    size_t count = t->pull_count;
    pthread_mutex_unlock(&t->lock);
    assert_int_equal(count, 0);
}

bool live_test_wait_input(struct live_test *t, int fd)
{
    for (int i = 0; i < PATIENCE_S * 500; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        pthread_mutex_lock(&t->lock);
        size_t pull_count = t->pull_count;
        pthread_mutex_unlock(&t->lock);
        if (pull_count > 0) {
            return false;
        }
        if (poll(&ready, 1, 2) > 0) {
            return true;
        }
    }
    fail_msg("neither input nor a pull");
    return false;
}

void live_test_wait_said(struct live_test *t, size_t count)
{
    bool in_time = true;
    pthread_mutex_lock(&t->lock);
    while (t->said_count < count && in_time) {
        in_time = wait_change(t);
    }
    size_t said_count = t->said_count;
    pthread_mutex_unlock(&t->lock);
    assert_int_equal(said_count, count);
}

static void wait_text(struct live_test *t, const char text[LIVE_TEST_MAX], const char *expected)
{
    bool in_time = true;
    pthread_mutex_lock(&t->lock);
    while (strlen(text) < strlen(expected) && in_time) {
        in_time = wait_change(t);
    }
    pthread_mutex_unlock(&t->lock);
    assert_string_equal(text, expected);
}

void live_test_wait_presence(struct live_test *t, const char *expected)
{
    wait_text(t, t->presence, expected);
}

void live_test_wait_here(struct live_test *t, const char *expected)
{
    wait_text(t, t->here, expected);
}

void live_test_wait_sockets(struct live_test *t, int64_t count)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct hub_stats stats;
    for (int i = 0; i < PATIENCE_S * 500; i++) {
        hub_stats_get(t->hub, &stats);
        if (stats.sockets <= count) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    fail_msg("%lld sockets", (long long)stats.sockets);
}

/* --- pages and batches ----------------------------------------------------------------------- */

void live_test_add_frame(struct live_pull *pull, const char *json)
{
    struct live_page *page = &pull->page;
    page->frames = mem_realloc(page->frames, (page->count + 1) * sizeof(page->frames[0]));
    page->frames[page->count++] = live_test_frame(json);
}

void live_test_joinable(struct live_pull *pull, int64_t at, uint8_t conversations)
{
    struct live_page *page = &pull->page;
    page->joinable = true;
    page->next = live_test_cursor(at);
    page->conversations = mem_alloc(conversations * sizeof(struct uuid) + 1);
    page->conversation_count = conversations;
    for (uint8_t n = 1; n <= conversations; n++) { /* in no good order */
        page->conversations[conversations - n] = live_test_conversation(n);
    }
}

void live_test_join(struct live_test *t, int64_t at, uint8_t conversations)
{
    struct live_pull *pull = live_test_pull(t);
    live_test_joinable(pull, at, conversations);
    hub_pulled(pull);
}

struct live_batch *live_test_batch(int64_t from, int64_t to, size_t count)
{
    struct live_batch *batch = live_batch_new(count);
    batch->incarnation = live_test_incarnation;
    batch->from.at[0] = from;
    batch->to.at[0] = batch->told.at[0] = to;
    return batch;
}

struct live_event live_test_message(uint8_t conversation, const char *json)
{
    return (struct live_event){.kind = LIVE_CONVERSATION,
                               .conversation_id = live_test_conversation(conversation),
                               .frame = live_test_frame(json)};
}

void live_test_send(struct live_test *t, struct live_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct live_event *event = &batch->events[i];
        event->stamp = event->stamp > 0 ? event->stamp : batch->to.at[event->shard];
    }
    hub_publish(t->hub, batch);
}

void live_test_publish(struct live_test *t, int64_t from, int64_t to, uint8_t conversation,
                       const char *json)
{
    struct live_batch *batch = live_test_batch(from, to, 1);
    batch->events[0] = live_test_message(conversation, json);
    live_test_send(t, batch);
}

/* --- the other end --------------------------------------------------------------------------- */

/* A real TCP connection, because its end is not that of a socketpair. */
static int connect_pair(int *other, bool is_roomy)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int size_max = is_roomy ? 1 << 20 : 4096;
    assert_return_code(listener, errno);
    assert_return_code(setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size_max, sizeof(size_max)),
                       errno);
    assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(listen(listener, 1), errno);
    assert_return_code(getsockname(listener, (struct sockaddr *)&address, &size), errno);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size_max, sizeof(size_max)), errno);
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    *other = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_return_code(*other, errno);
    close(listener);
    return fd;
}

void peer_open_as(struct peer *peer, struct live_test *t, const struct live_who *who,
                  const struct cursor *from, struct str early)
{
    int other = -1;
    *peer = (struct peer){.fd = connect_pair(&other, t->is_roomy),
                          .text = mem_alloc(PEER_FRAME_MAX + 1)};
    hub_take_socket(t->hub, other, early, who, from, live_test_frame("{\"type\":\"hello\"}"));
}

void peer_open(struct peer *peer, struct live_test *t, uint8_t user, int64_t cursor)
{
    const struct live_who who = live_test_who(user);
    const struct cursor from = live_test_cursor(cursor);
    peer_open_as(peer, t, &who, &from, STR(""));
    peer_gets(peer, "{\"type\":\"hello\"}");
}

void peer_fini(struct peer *peer)
{
    if (peer->fd >= 0) {
        close(peer->fd);
    }
    free(peer->text);
}

void peer_send_raw(struct peer *peer, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(peer->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        assert_return_code(n, errno);
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
}

void peer_send(struct peer *peer, uint8_t opcode, struct str payload)
{
    char bytes[256] = {(char)(0x80 | opcode), (char)(0x80 | payload.n)}; /* the mask is zero */
    assert_true(payload.n < 126);
    if (payload.n > 0) {
        memcpy(bytes + 6, payload.p, payload.n);
    }
    peer_send_raw(peer, (struct str){bytes, 6 + payload.n});
}

void peer_say(struct peer *peer, const char *text)
{
    peer_send(peer, TEXT, str_of(text));
}

/* False: end of the stream before the first byte. */
static bool read_bytes(struct peer *peer, void *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct pollfd ready = {.fd = peer->fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_S * 1000), 1);
        ssize_t got = recv(peer->fd, (char *)to + at, n - at, 0);
        assert_return_code(got, errno);
        if (got == 0) {
            assert_int_equal(at, 0);
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

int peer_read(struct peer *peer)
{
    uint8_t header[10];
    if (!read_bytes(peer, header, 2)) {
        return -1;
    }
    size_t n = header[1];
    assert_int_equal(header[0] & 0xF0, 0x80); /* final, no reserved bit */
    assert_true(n < 128);                     /* not masked */
    if (n >= 126) {
        size_t size = n == 126 ? 2 : 8;
        assert_true(read_bytes(peer, header + 2, size));
        n = 0;
        for (size_t i = 0; i < size; i++) {
            n = n << 8 | header[2 + i];
        }
    }
    assert_true(n <= PEER_FRAME_MAX);
    assert_true(n == 0 || read_bytes(peer, peer->text, n));
    peer->text[n] = '\0';
    peer->n = n;
    return header[0] & 0x0F;
}

void peer_gets(struct peer *peer, const char *text)
{
    assert_int_equal(peer_read(peer), TEXT);
    assert_string_equal(peer->text, text);
}

void peer_gets_cursor(struct peer *peer, const char *type, int64_t at)
{
    struct arena a;
    struct cursor cursor = live_test_cursor(at);
    arena_init(&a);
    struct str text = cursor_format(&a, &cursor, 1);
    struct str json =
        arena_printf(&a, "{\"type\":\"%s\",\"cursor\":\"%.*s\"}", type, STR_ARG(text));
    peer_gets(peer, json.p);
    arena_fini(&a);
}

void peer_gets_close(struct peer *peer, int code)
{
    assert_int_equal(peer_read(peer), CLOSE);
    assert_int_equal(peer->n, code == 0 ? 0 : 2);
    if (code != 0) {
        assert_int_equal((uint8_t)peer->text[0] << 8 | (uint8_t)peer->text[1], code);
    }
    peer_send(peer, CLOSE, (struct str){peer->text, peer->n});
    assert_int_equal(peer_read(peer), -1);
}

void peer_gets_nothing(struct peer *peer)
{
    struct pollfd ready = {.fd = peer->fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
}
