/* WebSockets on a loop: one descriptor each, watched by libuv, written with sendmsg straight from the
 * shared frames. What an idle one costs is this struct.
 *
 * The end (RFC 6455, 7): what is queued and a close frame are written; if the other side has not sent
 * its own yet, it is waited for; then the sending direction is shut, and what still comes is thrown
 * away until the other side closes, since closing with unread bytes would make the kernel reset the
 * connection and our last words could be lost. Each step has a time limit. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "live/hub_private.h"

enum phase { OPEN, CLOSING, WAITING, LINGERING };

enum {
    SAID_MAX = 32, /* unanswered; then it is not read from */
    PARTS_MAX = 64,
    PART_MS = 30000,   /* for the rest of a message whose beginning has come */
    WRITE_MS = 10000,  /* for what is queued before a close frame */
    WAIT_MS = 3000,    /* for the other side's close frame */
    LINGER_MS = 2000,  /* for the other side's closing */
    SILENT_BEATS = 3,  /* heartbeats without a sign of life */
    UNSENT_MAX = 65536 /* bytes in the kernel's buffer that it has not sent yet */
};

struct ws {
    struct live_client client;
    uv_poll_t poll;
    int fd;
    int events; /* that are watched */
    enum phase phase;
    bool is_watched;          /* `poll` is in use */
    bool is_paused;           /* the reader holds messages for later */
    bool is_deaf;             /* what comes is not looked at any more */
    bool is_eof;              /* nothing comes any more */
    bool peer_closed;         /* its close frame has come, or will never */
    struct ws_reader *reader; /* while a message is incomplete */
    char *early;              /* until it has started */
    size_t early_n;
    int64_t heard_ms;
    int64_t part_ms; /* since when a message is incomplete; 0: it is not */
    int64_t end_ms;  /* when the phase ends */
};

static int64_t now(const struct ws *ws)
{
    return loop_now_ms(ws->client.loop);
}

static bool may_read(const struct ws *ws)
{
    const struct live_client *client = &ws->client;
    if (ws->phase != OPEN) {
        return !ws->is_eof;
    }
    return !client->loop->is_quiet && client->said < SAID_MAX &&
           client->queue.bytes <= client->queue_max;
}

/* --- the end --------------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
    client_unref(handle->data);
}

static void put_reader(struct ws *ws)
{
    if (ws->reader != NULL) {
        ws_reader_put(&ws->client.loop->readers, ws->reader);
        ws->reader = NULL;
    }
}

static void ws_drop(struct live_client *client)
{
    struct ws *ws = (struct ws *)client;
    if (client->state == CLIENT_GONE) {
        return;
    }
    if (ws->is_watched) {
        client_ref(client);
        uv_close((uv_handle_t *)&ws->poll, on_poll_closed);
        put_reader(ws);
    }
    close(ws->fd);
    free(ws->early);
    ws->early = NULL;
    client_gone(client);
}

static void ws_end(struct live_client *client, enum close_code code)
{
    struct ws *ws = (struct ws *)client;
    const char payload[2] = {(char)(code >> 8), (char)(code & 0xFF)};
    client_push(client, live_frame_new_opcode(WSLAY_CONNECTION_CLOSE,
                                              (struct str){payload, code != CLOSE_NONE ? 2 : 0}));
    ws->phase = CLOSING;
    ws->end_ms = now(ws) + WRITE_MS;
}

static void linger(struct ws *ws)
{
    ws->phase = LINGERING;
    ws->end_ms = now(ws) + LINGER_MS;
    ws->is_deaf = true;
    put_reader(ws);
    if (ws->is_eof || shutdown(ws->fd, SHUT_WR) != 0) {
        ws_drop(&ws->client);
    }
}

/* All is written: what next? */
static void go_on_ending(struct ws *ws)
{
    if (ws->phase == CLOSING) {
        ws->phase = WAITING;
        ws->end_ms = now(ws) + WAIT_MS;
    }
    if (ws->phase == WAITING && (ws->peer_closed || ws->is_eof)) {
        linger(ws);
    }
}

/* --- reading --------------------------------------------------------------------------------- */

static bool on_said(struct str text, void *context)
{
    struct ws *ws = context;
    const struct hub_options *options = &ws->client.loop->hub->options;
    ws->part_ms = 0;
    if (ws->phase != OPEN) {
        return true;
    }
    ws->client.said++;
    client_ref(&ws->client);
    options->said(&ws->client, text, options->context);
    return may_read(ws);
}

/* Only the last of many pings must be answered (RFC 6455, 5.5.3), so a flood of them is no reason to
 * queue without end. */
static void on_pinged(struct str payload, void *context)
{
    struct ws *ws = context;
    if (ws->phase == OPEN && ws->client.queue.bytes <= ws->client.queue_max) {
        client_push(&ws->client, live_frame_new_opcode(WSLAY_PONG, payload));
    }
}

/* A sign of life, which whatever is read is. */
static void on_ponged(void *context)
{
    (void)context;
}

static void on_closed(uint16_t code, void *context)
{
    struct ws *ws = context;
    ws->peer_closed = true;
    client_end(&ws->client, code);
}

static void feed(struct ws *ws, struct str bytes)
{
    static const struct ws_sink sink = {on_said, on_pinged, on_ponged, on_closed};
    uint16_t code = 0;
    if (ws->is_deaf) {
        return;
    }
    if (ws->reader == NULL) {
        ws->reader = ws_reader_get(&ws->client.loop->readers);
    }
    switch (ws_reader_read(ws->reader, bytes, &sink, ws, &code)) {
    case WS_IDLE:
        ws->part_ms = 0;
        put_reader(ws);
        break;
    case WS_PART: ws->part_ms = ws->part_ms != 0 ? ws->part_ms : now(ws); break;
    case WS_PAUSED:
        ws->part_ms = 0;
        ws->is_paused = true;
        break;
    case WS_FAILED:
        ws->peer_closed = true;
        client_end(&ws->client, code);
        ws->is_deaf = true;
        put_reader(ws);
        break;
    case WS_CLOSED:
        ws->is_deaf = true;
        put_reader(ws);
        break;
    }
    client_touch(&ws->client);
}

static void read_some(struct ws *ws)
{
    struct loop *loop = ws->client.loop;
    ssize_t n = recv(ws->fd, loop->input, READ_SIZE, MSG_DONTWAIT);
    if (n > 0) {
        ws->heard_ms = now(ws);
        feed(ws, (struct str){loop->input, (size_t)n});
    } else if (n == 0 && ws->phase == CLOSING) {
        ws->is_eof = true; /* perhaps it still reads */
        client_touch(&ws->client);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        ws_drop(&ws->client);
    }
}

/* --- writing --------------------------------------------------------------------------------- */

static size_t gather(const struct queue *queue, struct iovec parts[PARTS_MAX])
{
    size_t count = 0;
    for (uint32_t i = 0; i < queue->count && count < PARTS_MAX; i++) {
        struct str wire = live_frame_wire(queue_at(queue, i));
        size_t skip = i == 0 ? queue->written : 0;
        parts[count++] = (struct iovec){(char *)(uintptr_t)wire.p + skip, wire.n - skip};
    }
    return count;
}

/* False: the connection is lost. */
static bool write_queue(struct ws *ws)
{
    struct live_client *client = &ws->client;
    struct iovec parts[PARTS_MAX];
    while (client->queue.count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = gather(&client->queue, parts)};
        ssize_t n = sendmsg(ws->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        client_written(client, (size_t)n);
        if (ws->phase == OPEN && !may_read(ws)) {
            ws->heard_ms = now(ws); /* it cannot say anything, but it takes what it is told */
        }
    }
    return true;
}

static void ws_write(struct live_client *client)
{
    (void)write_queue((struct ws *)client);
}

/* --- watching -------------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct ws *ws = poll->data;
    struct loop *loop = ws->client.loop;
    if (status < 0) {
        ws_drop(&ws->client);
    } else if ((events & UV_READABLE) != 0) {
        read_some(ws);
    }
    if ((events & UV_WRITABLE) != 0 && ws->client.state != CLIENT_GONE) {
        client_touch(&ws->client);
    }
    loop_settle(loop);
}

static void watch(struct ws *ws)
{
    int events = (may_read(ws) ? UV_READABLE : 0) | (ws->client.queue.count > 0 ? UV_WRITABLE : 0);
    if (events == ws->events) {
        return;
    }
    ws->events = events;
    if (events == 0) {
        uv_poll_stop(&ws->poll);
    } else if (uv_poll_start(&ws->poll, events, on_poll) != 0) {
        ws_drop(&ws->client);
    }
}

static void ws_flush(struct live_client *client)
{
    struct ws *ws = (struct ws *)client;
    if (!write_queue(ws)) {
        ws_drop(client);
        return;
    }
    if (client->queue.count == 0) {
        go_on_ending(ws);
    }
    if (ws->is_paused && client->state != CLIENT_GONE && may_read(ws)) {
        ws->is_paused = false;
        feed(ws, STR(""));
    }
    if (client->state != CLIENT_GONE) {
        watch(ws);
    }
}

static void ws_start(struct live_client *client)
{
    struct ws *ws = (struct ws *)client;
    const int on = 1;
    const int unsent = UNSENT_MAX;
    (void)setsockopt(ws->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(ws->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    if (uv_poll_init(&client->loop->uv, &ws->poll, ws->fd) != 0) {
        ws_drop(client);
        return;
    }
    ws->poll.data = ws;
    ws->is_watched = true;
    ws->heard_ms = now(ws);
    if (ws->early_n > 0 && may_read(ws)) {
        feed(ws, (struct str){ws->early, ws->early_n});
    }
    free(ws->early);
    ws->early = NULL;
}

static void ws_tick(struct live_client *client)
{
    struct ws *ws = (struct ws *)client;
    int64_t silent_ms = client->loop->hub->options.heartbeat_s * 1000 * SILENT_BEATS;
    if (ws->phase == WAITING && now(ws) >= ws->end_ms) {
        linger(ws);
    } else if (ws->phase != OPEN && now(ws) >= ws->end_ms) {
        ws_drop(client);
    } else if (ws->phase != OPEN || client->loop->is_quiet) {
        return;
    } else if (ws->part_ms != 0 && now(ws) - ws->part_ms > PART_MS) {
        ws->peer_closed = true;
        ws->is_deaf = true;
        client_end(client, CLOSE_PROTOCOL);
    } else if (client->said == 0 && now(ws) - ws->heard_ms > silent_ms) {
        client_end(client, CLOSE_GOING_AWAY);
    }
}

void hub_take_socket(struct hub *hub, int fd, struct str early, const struct live_who *who,
                     const struct cursor *from, struct live_frame *hello)
{
    static const struct transport transport = {
        .kind = TRANSPORT_SOCKET,
        .talks = true,
        .start = ws_start,
        .flush = ws_flush,
        .write = ws_write,
        .end = ws_end,
        .drop = ws_drop,
        .tick = ws_tick,
    };
    struct ws *ws = mem_alloc_zero(sizeof(*ws));
    ws->fd = fd;
    if (early.n > 0) {
        ws->early = mem_alloc(early.n);
        ws->early_n = early.n;
        memcpy(ws->early, early.p, early.n);
    }
    client_init(&ws->client, hub, &transport, who, from);
    loop_post_client(&ws->client, hello);
}
