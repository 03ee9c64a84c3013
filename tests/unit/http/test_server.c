/* http/server.h over real sockets: leaving HTTP, answers without an end, requests that come too
 * slowly; and exchanges without a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "http/server.h"

enum { ANSWER_MAX = 256 * 1024, PATIENCE_MS = 30000 };

struct fixture {
    struct http_server *server;
    struct arena arena;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    int taken_count;
    int taken_fd;
    char early[64];
    struct http_stream *stream;
    int drained_count;
    int closed_count;
    struct http_exchange *deferred;
};

static void note(struct fixture *f, int *count)
{
    pthread_mutex_lock(&f->lock);
    ++*count;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void wait_for(struct fixture *f, const int *count, int wanted)
{
    pthread_mutex_lock(&f->lock);
    while (*count < wanted) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    assert_int_equal(*count, wanted);
    pthread_mutex_unlock(&f->lock);
}

/* ------- the server's side ------- */

static void taken(int fd, struct str early, void *context)
{
    struct fixture *f = context;
    f->taken_fd = fd;
    memcpy(f->early, early.p != NULL ? early.p : "", early.n);
    f->early[early.n] = '\0';
    note(f, &f->taken_count);
}

static void drained(void *context)
{
    struct fixture *f = context;
    note(f, &f->drained_count);
}

static void closed(void *context)
{
    struct fixture *f = context;
    note(f, &f->closed_count);
}

static void answer_text(struct http_exchange *x, struct str text)
{
    x->status = 200;
    buf_str(&x->out, text);
    http_reply(x);
}

static void go_on(struct http_exchange *x)
{
    answer_text(x, STR("went on"));
}

static void handle(struct http_exchange *x, void *context)
{
    static const struct http_stream_events events = {drained, closed};
    struct fixture *f = context;
    if (str_eq(x->path, STR("/upgrade"))) {
        assert_true(x->may_upgrade);
        http_add_header(x, "Upgrade", "test");
        http_upgrade(x, taken, f);
    } else if (str_eq(x->path, STR("/stream"))) {
        x->status = 200;
        f->stream = http_stream_open(x, &events, f);
        note(f, &f->taken_count);
    } else if (str_eq(x->path, STR("/later"))) {
        f->deferred = x;
        http_defer(x);
        note(f, &f->taken_count);
    } else if (str_eq(x->path, STR("/version"))) {
        answer_text(x, x->may_upgrade ? STR("may") : STR("may not"));
    } else {
        answer_text(x, x->body.n > 0 ? x->body : STR("empty"));
    }
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    struct str problem = STR("");
    const struct http_options options = {.host = "127.0.0.1",
                                         .threads = 2,
                                         .connections_max = 64,
                                         .connection_timeout_s = 60,
                                         .request_timeout_s = 1,
                                         .connection_memory_max = 32768,
                                         .body_size_max = 1024 * 1024,
                                         .memory_max = 16 * 1024 * 1024,
                                         .handle = handle,
                                         .context = f};
    arena_init(&f->arena);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    assert_int_equal(http_server_new(&options, &f->server, &f->arena, &problem), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_server_free(f->server, PATIENCE_MS);
    if (f->stream != NULL) { /* the test's own reference: it may write to a stream that is closed */
        http_stream_unref(f->stream);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    arena_fini(&f->arena);
    free(f);
    return 0;
}

/* ------- the client's side ------- */

static int dial(struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(f->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads on until `wanted` has come; NULL: until the end. */
static void read_until(int fd, char *answer, const char *wanted)
{
    size_t n = strlen(answer);
    while (wanted == NULL || strstr(answer, wanted) == NULL) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0);
        if (got <= 0) {
            assert_null(wanted);
            return;
        }
        n += (size_t)got;
        answer[n] = '\0';
    }
}

static void expect(int fd, const char *wanted)
{
    char *answer = mem_alloc_zero(ANSWER_MAX);
    read_until(fd, answer, wanted);
    free(answer);
}

static void expect_end(int fd)
{
    char *answer = mem_alloc_zero(ANSWER_MAX);
    read_until(fd, answer, NULL);
    assert_string_equal(answer, "");
    free(answer);
}

static void wait_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* ------- leaving HTTP ------- */

static const char upgrade[] = "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                              "Upgrade: test\r\n\r\n";

static void test_upgrade(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, upgrade);
    expect(fd, "\r\n\r\n");
    wait_for(f, &f->taken_count, 1);
    assert_true(f->taken_fd >= 0);
    while (http_server_active(f->server) > 0) {
        wait_ms(1);
    }
    /* The connection is ours alone, in both directions, and the patrol leaves it alone. */
    wait_ms(2500);
    say(f->taken_fd, "from the server");
    expect(fd, "from the server");
    say(fd, "from the client");
    expect(f->taken_fd, "from the client");
    close(f->taken_fd);
    expect_end(fd);
    close(fd);
}

static void test_what_comes_behind_the_upgrade(void **state)
{
    struct fixture *f = *state;
    char text[sizeof(upgrade) + 8];
    int fd = dial(f);
    (void)snprintf(text, sizeof(text), "%searly", upgrade);
    say(fd, text);
    wait_for(f, &f->taken_count, 1);
    assert_string_equal(f->early, "early");
    close(f->taken_fd);
    close(fd);
}

static void test_versions_that_may_upgrade(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, "GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, "\r\n\r\nmay");
    close(fd);
    fd = dial(f);
    say(fd, "GET /version HTTP/1.0\r\nHost: x\r\n\r\n");
    expect(fd, "\r\n\r\nmay not");
    close(fd);
}

static void test_going_on_from_another_thread(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(f, &f->taken_count, 1);
    http_continue(f->deferred, go_on);
    expect(fd, "\r\n\r\nwent on");
    close(fd);
}

/* ------- streams ------- */

static int open_stream(struct fixture *f)
{
    int fd = dial(f);
    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(f, &f->taken_count, 1);
    return fd;
}

static void test_stream(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    expect(fd, "\r\n\r\n"); /* the headers come before there is anything to say */
    http_stream_write(f->stream, STR("one"));
    expect(fd, "3\r\none\r\n");
    wait_for(f, &f->drained_count, 1);
    assert_int_equal(http_stream_buffered(f->stream), 0);
    http_stream_write(f->stream, STR("two"));
    expect(fd, "3\r\ntwo\r\n");
    wait_for(f, &f->drained_count, 2);
    http_stream_end(f->stream);
    expect(fd, "0\r\n\r\n");
    wait_for(f, &f->closed_count, 1);
    close(fd);
}

static void test_stream_ends_behind_what_was_written(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    http_stream_write(f->stream, STR("last words"));
    http_stream_end(f->stream);
    expect(fd, "last words\r\n0\r\n\r\n");
    wait_for(f, &f->closed_count, 1);
    close(fd);
}

static void test_stream_of_a_client_that_goes(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    expect(fd, "\r\n\r\n");
    const struct linger at_once = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
    wait_ms(50); /* for the reset to be there */
    http_stream_write(f->stream, STR("is anybody there?"));
    wait_for(f, &f->closed_count, 1);
}

/* Also while there is nothing to say to him. */
static void test_stream_of_a_client_that_goes_quietly(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    expect(fd, "\r\n\r\n");
    close(fd);
    wait_for(f, &f->closed_count, 1);
}

/* What a client does not read waits in the stream, not in the server's way. */
static void test_stream_of_a_client_that_does_not_read(void **state)
{
    struct fixture *f = *state;
    enum { PIECE = 64 * 1024, PIECES = 256 };
    char *piece = mem_alloc(PIECE);
    memset(piece, 'x', PIECE);
    int fd = open_stream(f);
    int64_t read = 0;
    for (int i = 0; i < PIECES; i++) {
        http_stream_write(f->stream, (struct str){piece, PIECE});
    }
    assert_true(http_stream_buffered(f->stream) > 0);
    http_stream_end(f->stream);
    ssize_t got;
    while ((got = recv(fd, piece, PIECE, 0)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            read += piece[i] == 'x';
        }
        wait_for(f, &f->taken_count, 1);
        if (read == (int64_t)PIECE * PIECES) {
            break;
        }
    }
    assert_int_equal(read, (int64_t)PIECE * PIECES);
    wait_for(f, &f->closed_count, 1);
    close(fd);
    free(piece);
}

static void *write_much(void *arg)
{
    struct fixture *f = arg;
    for (int i = 0; i < 2000; i++) {
        http_stream_write(f->stream, STR("y"));
    }
    return NULL;
}

/* Writing races with the connection's falling asleep. */
static void test_no_wake_up_is_lost(void **state)
{
    struct fixture *f = *state;
    int fd = open_stream(f);
    pthread_t writers[3];
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_much, f), 0);
    }
    int seen = 0;
    char *buffer = mem_alloc(ANSWER_MAX);
    while (seen < 6000) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
        ssize_t got = recv(fd, buffer, ANSWER_MAX, 0);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++) {
            seen += buffer[i] == 'y'; /* no header has that letter */
        }
    }
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        pthread_join(writers[i], NULL);
    }
    http_stream_end(f->stream);
    wait_for(f, &f->closed_count, 1);
    free(buffer);
    close(fd);
}

/* ------- requests that come too slowly ------- */

/* One byte now and then keeps no connection. */
static void dribble(int fd, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, 200) == 1) {
            return;
        }
        if (send(fd, c, 1, MSG_NOSIGNAL) != 1) {
            return;
        }
    }
    fail_msg("it was listened to all the time");
}

static void test_slow_request_line(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    dribble(fd, "GET /a-path-that-is-long-enough-for-some-seconds-of-patience HTTP/1.1\r\n\r\n");
    expect_end(fd);
    close(fd);
}

static void test_slow_headers(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    dribble(fd, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    expect_end(fd);
    close(fd);
}

static void test_slow_body(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    dribble(fd, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    expect_end(fd);
    close(fd);
    while (http_server_active(f->server) > 0) {
        wait_ms(1);
    }
}

/* A body that comes steadily may take longer than the limit. */
static void test_steady_body(void **state)
{
    struct fixture *f = *state;
    char piece[1025];
    int fd = dial(f);
    memset(piece, 'a', sizeof(piece));
    piece[1024] = '\0';
    say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10240\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        say(fd, piece);
        wait_ms(300);
    }
    expect(fd, "\r\n\r\naaa");
    close(fd);
}

/* Nobody is late who has not begun: a kept connection waits for the next request. */
static void test_idle_is_not_slow(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, "empty");
    wait_ms(2500);
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(fd, "empty");
    close(fd);
}

/* ------- without a connection ------- */

struct reply {
    int count;
    int status;
    char text[32];
};

static void replied(struct http_exchange *x, void *context)
{
    struct reply *reply = context;
    reply->count++;
    reply->status = x->status;
    struct str text = buf_view(&x->out);
    memcpy(reply->text, text.p, text.n);
    http_exchange_free(x);
}

static void test_exchange_without_connection(void **state)
{
    const struct http_header headers[] = {{"Content-Type", "application/json"}};
    struct reply reply = {0};
    (void)state;
    struct http_exchange *x = http_exchange_new(STR("POST"), STR("/a/?b=c"), STR("{}"), headers,
                                                COUNT_OF(headers), replied, &reply);
    assert_true(str_eq(x->method, STR("POST")));
    assert_true(str_eq(x->path, STR("/a/")));
    assert_true(str_eq(x->query, STR("b=c")));
    assert_true(str_eq(x->body, STR("{}")));
    assert_true(str_eq(http_request_header(x, "content-type"), STR("application/json")));
    assert_true(str_eq(http_request_header_all(x, "Content-Type"), STR("application/json")));
    assert_null(http_request_header(x, "Authorization").p);
    assert_false(x->may_upgrade);
    http_defer(x);
    assert_int_equal(reply.count, 0);
    answer_text(x, STR("said"));
    assert_int_equal(reply.count, 1);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.text, "said");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_upgrade),
        TEST(test_what_comes_behind_the_upgrade),
        TEST(test_versions_that_may_upgrade),
        TEST(test_going_on_from_another_thread),
        TEST(test_stream),
        TEST(test_stream_ends_behind_what_was_written),
        TEST(test_stream_of_a_client_that_goes),
        TEST(test_stream_of_a_client_that_goes_quietly),
        TEST(test_stream_of_a_client_that_does_not_read),
        TEST(test_no_wake_up_is_lost),
        TEST(test_slow_request_line),
        TEST(test_slow_headers),
        TEST(test_slow_body),
        TEST(test_steady_body),
        TEST(test_idle_is_not_slow),
#undef TEST
        cmocka_unit_test(test_exchange_without_connection),
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
