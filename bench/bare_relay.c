/* The least that passing messages on costs: one epoll loop that writes what it gets to all sockets
 * of a room. The server's fan-out and its latency are compared with it, in the same run, with the
 * same clients (bench/sockets/) and frames of the same size.
 *
 *     bare_relay PORT SOCKETS_MAX FRAME_SIZE [FILE]
 *
 * With FILE a message is durable before anybody gets it: everything that has come by the time the
 * loop looks is written to the file and flushed (fdatasync) together, then relayed. The file's
 * blocks are written beforehand, as those of a write-ahead log in use are, so that a flush moves no
 * metadata.
 *
 * It speaks just enough for those clients: a GET is answered as a WebSocket's handshake and put
 * into the room of its header X-Room; a text frame or a POST is a message into the sender's room,
 * and only a POST is answered. Not in here, because the server alone owes it: rights, ids, tables,
 * cursors, an answer to the sender, clients that read slowly. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockets/frame.h"
#include "sockets/loop.h"

enum {
    READ_MAX = 64 * 1024,
    FRAME_MAX = 64 * 1024,
    WAITING_MAX = 4096, /* messages in one flush */
    FILE_SIZE = 64 * 1024 * 1024,
};

struct peer {
    struct watch watch; /* first */
    bool is_open;       /* a WebSocket */
    size_t room;
    struct peer *next;  /* in its room */
    struct peer **link; /* what points to it there */
};

struct message {
    size_t room;
    char text[MARK_SIZE];
};

static struct {
    struct loop loop;
    struct watch listener;
    struct peer **rooms; /* as many as sockets */
    size_t room_count;
    struct message waiting[WAITING_MAX];
    size_t waiting_n;
    char *frame; /* with its header */
    size_t frame_size, wire_size;
    int file; /* -1: none */
    off_t written;
} relay = {.file = -1};

static void write_all(int fd, const char *bytes, size_t n)
{
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
        return; /* its end is noticed by reading */
    }
    if (sent < 0 || (size_t)sent != n) {
        fail("a client does not read");
    }
}

/* --- messages ------------------------------------------------------------------------------- */

/* Of the size that the server's frame has: the mark, then padding. */
static void make_frame(const char *mark)
{
    static char json[FRAME_MAX];
    int n =
        snprintf(json, sizeof(json),
                 "{\"type\":\"message\",\"message\":{\"message_body\":\"%s\"},\"pad\":\"", mark);
    if (relay.frame_size < (size_t)n + 2) {
        fail("FRAME_SIZE is at least %d", n + 2);
    }
    memset(json + n, '.', relay.frame_size - (size_t)n);
    memcpy(json + relay.frame_size - 2, "\"}", 2);
    relay.wire_size = frame_write(relay.frame, FRAME_TEXT, false, json, relay.frame_size);
}

static void put(size_t room, const struct frame *from)
{
    struct mark mark;
    if (!mark_find(from, &mark)) {
        return; /* a pong */
    }
    if (relay.waiting_n == WAITING_MAX) {
        fail("more than %d messages wait", WAITING_MAX);
    }
    struct message *message = &relay.waiting[relay.waiting_n++];
    message->room = room;
    mark_write(message->text, mark);
}

static void flush_waiting(void)
{
    for (size_t i = 0; i < relay.waiting_n; i++) {
        make_frame(relay.waiting[i].text);
        if (pwrite(relay.file, relay.frame, relay.wire_size, relay.written) < 0) {
            fail("write: %s", strerror(errno));
        }
        relay.written = (relay.written + (off_t)relay.wire_size) % (FILE_SIZE - FRAME_MAX);
    }
    if (fdatasync(relay.file) != 0) {
        fail("fdatasync: %s", strerror(errno));
    }
}

static void pass_on(void)
{
    if (relay.waiting_n > 0 && relay.file >= 0) {
        flush_waiting();
    }
    for (size_t i = 0; i < relay.waiting_n; i++) {
        make_frame(relay.waiting[i].text);
        for (struct peer *peer = relay.rooms[relay.waiting[i].room]; peer; peer = peer->next) {
            write_all(peer->watch.fd, relay.frame, relay.wire_size);
        }
    }
    relay.waiting_n = 0;
}

/* --- clients -------------------------------------------------------------------------------- */

static void leave(struct peer *peer)
{
    if (peer->is_open) {
        *peer->link = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->link = peer->link;
    }
    loop_close(&relay.loop, &peer->watch);
    free(peer);
}

static void enter(struct peer *peer)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: confab.v1\r\n\r\n";
    static const char synced[] = "{\"type\":\"synced\",\"cursor\":\"bare\"}";
    char out[sizeof(answer) + FRAME_HEADER_MAX + sizeof(synced)];
    memcpy(out, answer, sizeof(answer) - 1);
    size_t n = sizeof(answer) - 1;
    n += frame_write(out + n, FRAME_TEXT, false, synced, sizeof(synced) - 1);
    peer->is_open = true;
    peer->link = &relay.rooms[peer->room];
    peer->next = *peer->link;
    if (peer->next != NULL) {
        peer->next->link = &peer->next;
    }
    *peer->link = peer;
    write_all(peer->watch.fd, out, n);
}

/* A request comes in one piece here: it is short, and the client writes it at once. */
static void take_request(struct peer *peer, char *text, size_t n)
{
    static const char created[] = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
    text[n] = '\0';
    const char *room = strstr(text, "X-Room: ");
    peer->room = room == NULL ? 0 : strtoul(room + 8, NULL, 10);
    if (peer->room >= relay.room_count) {
        fail("room %zu is one too many", peer->room);
    }
    if (strncmp(text, "POST ", 5) == 0) {
        put(peer->room, &(struct frame){FRAME_TEXT, text, n});
        write_all(peer->watch.fd, created, sizeof(created) - 1);
    } else {
        enter(peer);
    }
}

static void receive(struct watch *watch)
{
    static char bytes[READ_MAX + 1];
    struct peer *peer = (struct peer *)watch;
    ssize_t n = recv(watch->fd, bytes, READ_MAX, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        leave(peer);
        return;
    }
    if (!peer->is_open) {
        take_request(peer, bytes, (size_t)n);
        return;
    }
    struct frame frame;
    size_t used = 0, size;
    while ((size = frame_take(bytes + used, (size_t)n - used, &frame)) > 0) {
        put(peer->room, &frame);
        used += size;
    }
    if (used < (size_t)n) {
        fail("a frame came in pieces");
    }
}

static void accept_all(struct watch *watch)
{
    int fd;
    while ((fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int one = 1;
        struct peer *peer = calloc(1, sizeof(*peer));
        if (peer == NULL || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
            fail("accept: %s", strerror(errno));
        }
        peer->watch = (struct watch){fd, receive};
        loop_add(&relay.loop, &peer->watch, EPOLLIN);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        fail("accept: %s", strerror(errno));
    }
}

/* --- start ---------------------------------------------------------------------------------- */

static void open_file(const char *path)
{
    static char zeros[1024 * 1024];
    relay.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (off_t at = 0; at < FILE_SIZE; at += (off_t)sizeof(zeros)) {
        if (relay.file < 0 || pwrite(relay.file, zeros, sizeof(zeros), at) != sizeof(zeros)) {
            fail("%s: %s", path, strerror(errno));
        }
    }
    if (fsync(relay.file) != 0) {
        fail("%s: %s", path, strerror(errno));
    }
}

static void start_listening(unsigned port)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, SOMAXCONN) != 0) {
        fail("cannot listen on port %u: %s", port, strerror(errno));
    }
    relay.listener = (struct watch){fd, accept_all};
    loop_add(&relay.loop, &relay.listener, EPOLLIN);
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fputs("usage: bare_relay PORT SOCKETS_MAX FRAME_SIZE [FILE]\n", stderr);
        return 2;
    }
    relay.room_count = strtoul(argv[2], NULL, 10);
    relay.frame_size = strtoul(argv[3], NULL, 10);
    if (relay.room_count == 0 || relay.frame_size > FRAME_MAX - FRAME_HEADER_MAX) {
        fail("bare_relay: SOCKETS_MAX or FRAME_SIZE out of range");
    }
    relay.rooms = calloc(relay.room_count, sizeof(*relay.rooms));
    relay.frame = malloc(FRAME_MAX);
    if (relay.rooms == NULL || relay.frame == NULL) {
        fail("out of memory");
    }
    if (argc == 5) {
        open_file(argv[4]);
    }
    loop_init(&relay.loop, relay.room_count);
    start_listening((unsigned)strtoul(argv[1], NULL, 10));
    for (;;) {
        loop_step(&relay.loop, clock_in_ns(60));
        pass_on();
    }
}
