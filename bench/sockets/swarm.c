#include "swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    BUFFER_SIZE = 4 * 1024 * 1024, /* a frame has room in it */
    READ_SIZE = 256 * 1024,
    SAY_MAX = 64 * 1024,
    REQUEST_MAX = 8192,
    CURSOR_MAX = 1024,
    SOURCES = 64,
};

/* The example of RFC 6455, 1.3: no need to compute what the server has to answer. */
#define WEBSOCKET_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WEBSOCKET_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Whoever reads has it; nothing stays in it between two reads. */
static char buffer[BUFFER_SIZE];

static void start_ready(struct watch *watch);

static void set_cursor(struct client *client, const char *cursor)
{
    free(client->cursor);
    client->cursor = NULL;
    if (cursor != NULL && (client->cursor = strdup(cursor)) == NULL) {
        fail("out of memory");
    }
}

void swarm_init(struct swarm *swarm)
{
    swarm->clients = calloc(swarm->count, sizeof(*swarm->clients));
    if (swarm->clients == NULL) {
        fail("out of memory");
    }
    for (size_t i = 0; i < swarm->count; i++) {
        struct client *client = &swarm->clients[i];
        *client =
            (struct client){.watch = {-1, start_ready}, .swarm = swarm, .number = (uint32_t)i};
        set_cursor(client, swarm->cursor);
    }
}

static void set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) {
        fail("setsockopt: %s", strerror(errno));
    }
}

/* Clients come from several addresses of the loopback: with one, the search for a free port among
 * those that wait after a close takes longer than everything else. */
static void bind_source(int fd, uint32_t number)
{
    const struct sockaddr_in from = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK + 0x10000 + number % SOURCES)}};
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd, (const struct sockaddr *)&from, sizeof(from)) != 0) {
        fail("bind: %s", strerror(errno));
    }
}

static void start(struct client *client)
{
    struct swarm *swarm = client->swarm;
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(swarm->port),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("socket: %s", strerror(errno));
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (swarm->receive_buffer > 0) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, swarm->receive_buffer);
    }
    bind_source(fd, client->number);
    client->watch = (struct watch){fd, start_ready};
    client->state = CLIENT_CONNECTING;
    client->is_idle = false;
    client->began_ns = clock_now_ns();
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        fail("connect to port %u: %s", swarm->port, strerror(errno));
    }
    swarm->pending++;
    loop_add(swarm->loop, &client->watch, EPOLLOUT);
}

static void stop(struct client *client)
{
    struct swarm *swarm = client->swarm;
    swarm->pending -= client->state != CLIENT_SYNCED;
    swarm->synced -= client->state == CLIENT_SYNCED;
    loop_close(swarm->loop, &client->watch);
    client->state = CLIENT_CLOSED;
    free(client->rest);
    client->rest = NULL;
    client->rest_n = 0;
}

/* Whole or not at all: a benchmark that has to wait with a request is over its limit. */
static void send_all(struct client *client, const char *bytes, size_t n)
{
    ssize_t sent = send(client->watch.fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0) {
        fail("client %u cannot send: %s", client->number, strerror(errno));
    }
    if ((size_t)sent < n) {
        fail("client %u cannot send: the server does not read", client->number);
    }
}

static void ask_for_upgrade(struct client *client)
{
    const struct swarm *swarm = client->swarm;
    const struct lines *tokens = swarm->tokens;
    char request[REQUEST_MAX];
    int n =
        snprintf(request, sizeof(request),
                 "GET /api/ws/?cursor=%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: " WEBSOCKET_KEY "\r\nSec-WebSocket-Protocol: confab.v1\r\n"
                 "Authorization: Bearer %s\r\nX-Room: %zu\r\n\r\n",
                 client->cursor == NULL ? "" : client->cursor, swarm->port,
                 tokens->line[(swarm->first_token + client->number) % tokens->count],
                 client->number / swarm->room_size);
    if (n < 0 || (size_t)n >= sizeof(request)) {
        fail("the request for the upgrade is too long");
    }
    send_all(client, request, (size_t)n);
    client->state = CLIENT_SHAKING;
}

void client_say(struct client *client, const char *text, size_t n)
{
    char frame[SAY_MAX];
    if (n > SAY_MAX - FRAME_HEADER_MAX) {
        fail("a message of %zu bytes is too long to send", n);
    }
    send_all(client, frame, frame_write(frame, FRAME_TEXT, true, text, n));
}

static void keep_cursor(struct client *client, const struct frame *frame)
{
    char cursor[CURSOR_MAX];
    if (frame_string(frame, "cursor", cursor, sizeof(cursor))) {
        set_cursor(client, cursor);
    }
}

static void note_synced(struct client *client, const struct frame *frame, int64_t now_ns)
{
    struct swarm *swarm = client->swarm;
    keep_cursor(client, frame);
    if (client->state == CLIENT_CATCHING_UP) {
        client->state = CLIENT_SYNCED;
        swarm->pending--;
        swarm->synced++;
        samples_add(&swarm->connect_ns, now_ns - client->began_ns);
    }
}

static void take_frame(struct client *client, const struct frame *frame, int64_t now_ns)
{
    static const char pong[] = "{\"type\":\"pong\"}";
    client->swarm->frames++;
    if (frame->opcode == FRAME_CLOSE) {
        unsigned code =
            frame->n < 2
                ? 1005
                : (unsigned)((unsigned char)frame->text[0] << 8 | (unsigned char)frame->text[1]);
        fail("client %u was closed with %u", client->number, code);
    }
    if (frame_is(frame, "ping")) {
        keep_cursor(client, frame);
        client_say(client, pong, sizeof(pong) - 1);
    } else if (frame_is(frame, "synced")) {
        note_synced(client, frame, now_ns);
    } else if (frame_is(frame, "reset") || frame_is(frame, "drain") || frame_is(frame, "error") ||
               frame_is(frame, "nack")) {
        fail("client %u got %.*s", client->number, (int)frame->n, frame->text);
    }
    if (client->swarm->on_frame != NULL) {
        client->swarm->on_frame(client, frame, now_ns);
    }
}

/* The head of the answer in buffer[0..n): its size, 0: it is not all there. */
static size_t take_answer(struct client *client, size_t n)
{
    const char *end = memmem(buffer, n, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t size = (size_t)(end - buffer) + 4;
    if (memmem(buffer, size, "HTTP/1.1 101", 12) != buffer ||
        memmem(buffer, size, WEBSOCKET_ACCEPT, sizeof(WEBSOCKET_ACCEPT) - 1) == NULL) {
        fail("client %u was not upgraded: %.*s", client->number, n < 1000 ? (int)n : 1000, buffer);
    }
    client->state = CLIENT_CATCHING_UP;
    return size;
}

/* What is behind `used` in buffer[0..n) waits for its end. */
static void keep_rest(struct client *client, size_t used, size_t n)
{
    free(client->rest);
    client->rest = NULL;
    client->rest_n = n - used;
    if (client->rest_n > 0) {
        client->rest = malloc(client->rest_n);
        if (client->rest == NULL) {
            fail("out of memory");
        }
        memcpy(client->rest, buffer + used, client->rest_n);
    }
}

static void take_bytes(struct client *client, size_t n, int64_t now_ns)
{
    struct frame frame;
    size_t used = client->state == CLIENT_SHAKING ? take_answer(client, n) : 0, size;
    while (client->state > CLIENT_SHAKING &&
           (size = frame_take(buffer + used, n - used, &frame)) > 0) {
        used += size;
        take_frame(client, &frame, now_ns);
    }
    keep_rest(client, used, n);
    if (client->swarm->leaves && client->state == CLIENT_SYNCED) {
        stop(client);
    }
}

void client_receive(struct client *client, size_t size_max)
{
    size_t room = BUFFER_SIZE - client->rest_n;
    if (room == 0) {
        fail("client %u got a frame of more than %d bytes", client->number, BUFFER_SIZE);
    }
    ssize_t got =
        recv(client->watch.fd, buffer + client->rest_n, size_max < room ? size_max : room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        fail("client %u (state %d) lost its connection: %s", client->number, (int)client->state,
             got == 0 ? "closed by the server" : strerror(errno));
    }
    if (client->rest_n > 0) {
        memcpy(buffer, client->rest, client->rest_n);
    }
    client->swarm->bytes += (size_t)got;
    take_bytes(client, client->rest_n + (size_t)got, clock_now_ns());
}

static void receive_ready(struct watch *watch)
{
    client_receive((struct client *)watch, READ_SIZE);
}

static void start_ready(struct watch *watch)
{
    struct client *client = (struct client *)watch;
    int error = 0;
    socklen_t size = sizeof(error);
    (void)getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        fail("client %u cannot connect: %s", client->number, strerror(error));
    }
    ask_for_upgrade(client);
    watch->ready = receive_ready;
    loop_change(client->swarm->loop, watch, EPOLLIN);
}

void client_set_idle(struct client *client, bool is_idle)
{
    if (client->is_idle != is_idle) {
        client->is_idle = is_idle;
        loop_change(client->swarm->loop, &client->watch, is_idle ? 0 : EPOLLIN);
    }
}

void swarm_connect(struct swarm *swarm, size_t at_once, double patience_s)
{
    int64_t until_ns = clock_in_ns(patience_s);
    samples_clear(&swarm->connect_ns);
    swarm->next = 0;
    while (swarm->next < swarm->count || swarm->pending > 0) {
        while (swarm->next < swarm->count && swarm->pending < at_once) {
            start(&swarm->clients[swarm->next++]);
        }
        loop_step(swarm->loop, clock_in_ns(1));
        if (clock_now_ns() > until_ns) {
            fail("after %.0f s %zu of %zu clients are connected and synced", patience_s,
                 swarm->connect_ns.count, swarm->count);
        }
    }
}

void swarm_drop(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++) {
        if (swarm->clients[i].state != CLIENT_CLOSED) {
            stop(&swarm->clients[i]);
        }
    }
}

void swarm_forget(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++) {
        set_cursor(&swarm->clients[i], NULL);
    }
}
