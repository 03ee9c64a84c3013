/* live/sse.c behind a real HTTP server: events, ids, slow readers, the end. */
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

#include "unit/support/live.h"

enum { PATIENCE_MS = 20000 };

static struct live_test t;
static struct http_server *server;
static int fd = -1;
static struct buf in; /* of the body, chunks taken apart */

/* The path says from which cursor: "/10". */
static void handle(struct http_exchange *x, void *context)
{
    const struct live_who who = live_test_who(1);
    int64_t at = 0;
    (void)context;
    assert_true(str_to_i64((struct str){x->path.p + 1, x->path.n - 1}, &at));
    const struct cursor from = live_test_cursor(at);
    x->status = 200;
    http_add_header(x, "Content-Type", "text/event-stream");
    hub_take_events(t.hub, x, &who, &from, live_test_frame("{\"type\":\"hello\"}"));
}

static int setup(void **state)
{
    const struct http_options options = {
        .host = "127.0.0.1",
        .threads = 1,
        .connections_max = 10,
        .connection_timeout_s = 60,
        .request_timeout_s = 60,
        .connection_memory_max = 32768,
        .body_size_max = 1024,
        .memory_max = 1 << 20,
        .handle = handle,
    };
    struct arena a;
    struct str problem;
    (void)state;
    live_test_init(&t);
    arena_init(&a);
    assert_int_equal(http_server_new(&options, &server, &a, &problem), ERR_OK);
    arena_fini(&a);
    buf_init(&in, 1 << 24);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (fd >= 0) {
        close(fd);
        fd = -1;
    }
    hub_stop(t.hub, 100);
    http_server_free(server, 5000);
    live_test_fini(&t);
    buf_fini(&in);
    return 0;
}

/* --- a client of chunked HTTP --- */

static char read_byte(void)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    return byte;
}

static void read_line(char *line, size_t size)
{
    size_t n = 0;
    do {
        assert_true(n + 1 < size);
        line[n++] = read_byte();
    } while (line[n - 1] != '\n');
    line[n] = '\0';
}

static void connect_at(int64_t cursor)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char line[1024];
    int small = 4096;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), errno);
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    int n =
        snprintf(line, sizeof(line), "GET /%lld HTTP/1.1\r\nHost: x\r\n\r\n", (long long)cursor);
    assert_int_equal(send(fd, line, (size_t)n, 0), n);
    do {
        read_line(line, sizeof(line));
    } while (strcmp(line, "\r\n") != 0);
}

/* False: that was the last one. */
static bool read_chunk(void)
{
    char line[64];
    read_line(line, sizeof(line));
    unsigned long n = strtoul(line, NULL, 16);
    for (unsigned long i = 0; i < n; i++) {
        buf_char(&in, read_byte());
    }
    read_line(line, sizeof(line));
    assert_string_equal(line, "\r\n");
    return n > 0;
}

static void gets(const char *expected)
{
    size_t n = strlen(expected);
    while (in.n < n) {
        assert_true(read_chunk());
    }
    assert_memory_equal(in.p, expected, n);
    memmove(in.p, in.p + n, in.n - n);
    in.n -= n;
}

static void gets_with_id(const char *data, int64_t at)
{
    struct arena a;
    struct cursor cursor = live_test_cursor(at);
    arena_init(&a);
    struct str id = cursor_format(&a, &cursor, 1);
    gets(arena_printf(&a, "data: %s\nid: %.*s\n\n", data, STR_ARG(id)).p);
    arena_fini(&a);
}

static void gets_cursor(const char *type, int64_t at)
{
    struct arena a;
    struct cursor cursor = live_test_cursor(at);
    arena_init(&a);
    struct str id = cursor_format(&a, &cursor, 1);
    gets_with_id(arena_printf(&a, "{\"type\":\"%s\",\"cursor\":\"%.*s\"}", type, STR_ARG(id)).p,
                 at);
    arena_fini(&a);
}

static void live_at(int64_t at)
{
    live_test_start(&t, at);
    connect_at(at);
    gets("retry: 3000\n\ndata: {\"type\":\"hello\"}\n\n");
    live_test_join(&t, at, 1);
    gets_cursor("synced", at);
}

/* --- tests --- */

static void test_ids(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    connect_at(4);
    gets("retry: 3000\n\ndata: {\"type\":\"hello\"}\n\n");
    struct live_pull *pull = live_test_pull(&t);
    assert_int_equal(pull->from.at.at[0], 4);
    live_test_add_frame(pull, "1");
    live_test_add_frame(pull, "2");
    pull->page.more = true;
    pull->page.next = live_test_cursor(5);
    hub_pulled(pull);
    gets("data: 1\n\ndata: 2\n\n");
    gets_cursor("ping", 5);
    live_test_join(&t, 10, 1);
    gets_cursor("synced", 10);
    struct live_batch *batch = live_test_batch(10, 12, 2);
    for (int i = 0; i < 2; i++) {
        batch->events[i] = live_test_message(1, i == 0 ? "a" : "b");
    }
    batch->told.at[0] = 11;
    live_test_send(&t, batch);
    gets("data: a\n\n");
    gets_with_id("b", 11); /* what it was told, on the last of the batch */
    live_test_publish(&t, 12, 13, 9, "\"of others\"");
    live_test_publish(&t, 13, 14, 1, "14");
    gets_with_id("14", 14);
}

static void test_reset(void **state)
{
    (void)state;
    live_test_start(&t, 10);
    connect_at(99);
    struct live_pull *pull = live_test_pull(&t);
    live_test_add_frame(pull, "\"reset\"");
    pull->page.reset = true;
    hub_pulled(pull);
    gets("retry: 3000\n\ndata: {\"type\":\"hello\"}\n\ndata: \"reset\"\nid: \n\n");
    assert_false(read_chunk());
}

static void test_whisper_has_no_id(void **state)
{
    (void)state;
    live_at(10);
    struct live_batch *batch = live_batch_new(1);
    batch->events[0] = (struct live_event){.kind = LIVE_CONVERSATION,
                                           .droppable = true,
                                           .conversation_id = live_test_conversation(1),
                                           .frame = live_test_frame("\"typing\"")};
    hub_whisper(t.hub, batch);
    gets("data: \"typing\"\n\n");
}

static void test_slow_reader(void **state)
{
    enum { SIZE = 4000 };
    const struct timespec pause = {.tv_nsec = 1000000};
    struct hub_stats stats = {0};
    char text[SIZE + 1];
    int64_t at = 0;
    (void)state;
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    live_at(0);
    while (stats.overflows == 0) {
        live_test_publish(&t, at, at + 1, 1, text);
        at++;
        if (at % 10 == 0) {
            nanosleep(&pause, NULL);
        }
        hub_stats_get(t.hub, &stats);
        assert_true(at < 20000);
    }
    assert_int_equal(stats.streams, 1);
    int64_t got = 0;
    while (in.n > 0 || live_test_wait_input(&t, fd)) {
        gets_with_id(text, ++got);
    }
    struct live_pull *pull = live_test_pull(&t);
    int64_t from = pull->from.at.at[0];
    live_test_joinable(pull, at, 1);
    hub_pulled(pull);
    while (got < from) {
        gets_with_id(text, ++got);
    }
    gets_cursor("synced", at);
}

static void test_reader_goes(void **state)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct hub_stats stats;
    (void)state;
    live_at(10);
    close(fd);
    fd = -1;
    int64_t at = 10;
    do { /* it is noticed when something is written */
        live_test_publish(&t, at, at + 1, 1, "\"anybody there?\"");
        at++;
        nanosleep(&pause, NULL);
        hub_stats_get(t.hub, &stats);
    } while (stats.streams > 0);
}

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
    gets_with_id("11", 11);
    while (read_chunk()) {
    }
    buf_char(&in, '\0');
    assert_int_equal(sscanf(in.p, "data: {\"type\":\"drain\",\"retry_ms\":%d}", &retry_ms), 1);
    assert_in_range(retry_ms, 0, 5000);
    pthread_join(stopper, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ids),         TEST(test_reset),       TEST(test_whisper_has_no_id),
        TEST(test_slow_reader), TEST(test_reader_goes), TEST(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
