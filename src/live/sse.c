/* Server-sent events: the stream stays with the HTTP server; here frames become events. `id` is the
 * cursor, on the last event of a position only: a mark in the queue. */
#include <stdlib.h>

#include "live/hub_private.h"

enum {
    HANDED_MAX = 16384, /* bytes that the HTTP server is given before it has sent others */
    STUCK_BEATS = 3     /* heartbeats in which nothing could be sent */
};

struct sse {
    struct live_client client;
    struct http_stream *stream; /* until it is closed */
    int64_t stuck_ms;           /* since when nothing has been sent; 0: nothing waits */
    bool has_ended;
};

static void on_drained(void *context)
{
    struct live_client *client = context;
    loop_post(client->loop, (struct mail){.kind = MAIL_DRAINED, .client = client});
}

static void on_closed(void *context)
{
    struct live_client *client = context;
    loop_post(client->loop, (struct mail){.kind = MAIL_CLOSED, .client = client});
}

void sse_closed(struct live_client *client)
{
    struct sse *sse = (struct sse *)client;
    client_gone(client);
    http_stream_unref(sse->stream);
    client_unref(client);
}

/* The next event with its id, if that is behind it. */
static void put_event(struct live_client *client, struct buf *out)
{
    struct live_frame *frame = client_take(client);
    if (!live_frame_is_mark(frame)) {
        buf_lit(out, "data: ");
        buf_str(out, live_frame_json(frame));
        buf_char(out, '\n');
        live_frame_unref(frame);
        bool has_mark = client->queue.count > 0 && live_frame_is_mark(queue_at(&client->queue, 0));
        frame = has_mark ? client_take(client) : NULL;
    }
    if (frame != NULL) {
        buf_lit(out, "id: ");
        buf_str(out, live_frame_json(frame));
        buf_char(out, '\n');
        live_frame_unref(frame);
    }
    buf_char(out, '\n');
}

static void sse_flush(struct live_client *client)
{
    struct sse *sse = (struct sse *)client;
    struct buf *out = &client->loop->output;
    size_t waiting = http_stream_buffered(sse->stream);
    if (waiting == 0) {
        sse->stuck_ms = 0;
    }
    buf_reset(out);
    while (client->queue.count > 0 && waiting + out->n < HANDED_MAX) {
        put_event(client, out);
    }
    if (out->n > 0) {
        http_stream_write(sse->stream, buf_view(out));
        sse->stuck_ms = sse->stuck_ms != 0 ? sse->stuck_ms : loop_now_ms(client->loop);
    }
    if (client->state == CLIENT_ENDING && client->queue.count == 0 && !sse->has_ended) {
        sse->has_ended = true;
        http_stream_end(sse->stream);
    }
}

static void sse_end(struct live_client *client, enum close_code code)
{
    (void)client;
    (void)code;
}

/* The stream's reference to the client goes with MAIL_CLOSED. */
static void sse_drop(struct live_client *client)
{
    struct sse *sse = (struct sse *)client;
    if (client->state == CLIENT_GONE) {
        return;
    }
    if (!sse->has_ended) {
        sse->has_ended = true;
        http_stream_end(sse->stream);
    }
    client_gone(client);
}

static void sse_tick(struct live_client *client)
{
    struct sse *sse = (struct sse *)client;
    int64_t stuck_ms = client->loop->hub->options.heartbeat_s * 1000 * STUCK_BEATS;
    if (sse->stuck_ms != 0 && loop_now_ms(client->loop) - sse->stuck_ms > stuck_ms) {
        sse_drop(client);
    }
}

void hub_take_events(struct hub *hub, struct http_exchange *x, const struct live_who *who,
                     const struct cursor *from, struct live_frame *hello)
{
    static const struct transport transport = {
        .kind = TRANSPORT_STREAM,
        .talks = true,
        .marks = true,
        .flush = sse_flush,
        .end = sse_end,
        .drop = sse_drop,
        .tick = sse_tick,
    };
    static const struct http_stream_events events = {on_drained, on_closed};
    struct sse *sse = mem_alloc_zero(sizeof(*sse));
    client_init(&sse->client, hub, &transport, who, from);
    client_ref(&sse->client); /* the stream's */
    sse->stream = http_stream_open(x, &events, sse);
    http_stream_write(sse->stream, STR("retry: 3000\n\n"));
    loop_post_client(&sse->client, hello);
}
