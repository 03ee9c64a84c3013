/* Answers without an end. What is written waits in the stream until the library asks for more; when
 * there is nothing, the connection is suspended, and the next write wakes it. Suspending and waking
 * happen under the stream's lock, so that no wake-up is lost; nothing else is done under it.
 *
 * Two references: the writer's, and the connection's, which ends with the library's response. */
#include <stdlib.h>

#include "http/private.h"

enum { BUFFER_KEPT = 1024 };

struct http_stream {
    pthread_mutex_t lock; /* guards the fields up to the next blank line */
    struct buf queue;
    size_t taken;     /* bytes of it that the library has */
    size_t in_flight; /* what it has and may not have handed to the socket yet */
    bool is_waiting;  /* the connection is suspended */
    bool ended;
    bool broken;    /* nobody reads it any more */
    bool undrained; /* something was written since the last `drained` */

    atomic_int refs;
    struct http_server *server;
    struct http_link *link;
    struct MHD_Connection *connection;
    struct http_stream_events events;
    void *context;
};

struct http_stream *http_stream_open(struct http_exchange *x,
                                     const struct http_stream_events *events, void *context)
{
    struct http_stream *stream = mem_alloc_zero(sizeof(*stream));
    pthread_mutex_init(&stream->lock, NULL);
    buf_init(&stream->queue, HTTP_BODY_MAX);
    atomic_init(&stream->refs, 2);
    stream->server = x->server;
    stream->link = x->link;
    stream->connection = x->connection;
    stream->events = *events;
    stream->context = context;
    x->stream = stream;
    http_defer(x); /* it is answered in the library's next round, not inside this call */
    http_reply(x);
    return stream;
}

struct http_stream *stream_ref(struct http_stream *stream)
{
    atomic_fetch_add(&stream->refs, 1);
    return stream;
}

void http_stream_unref(struct http_stream *stream)
{
    if (atomic_fetch_sub(&stream->refs, 1) == 1) {
        buf_fini(&stream->queue);
        pthread_mutex_destroy(&stream->lock);
        free(stream);
    }
}

/* The lock is held. */
static void wake(struct http_stream *stream)
{
    if (stream->is_waiting) {
        stream->is_waiting = false;
        MHD_resume_connection(stream->connection);
    }
}

void http_stream_write(struct http_stream *stream, struct str bytes)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->taken > stream->queue.n / 2) {
        memmove(stream->queue.p, stream->queue.p + stream->taken, stream->queue.n - stream->taken);
        stream->queue.n -= stream->taken;
        stream->taken = 0;
    }
    buf_str(&stream->queue, bytes);
    stream->undrained = true;
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

size_t http_stream_buffered(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    size_t n = stream->queue.n - stream->taken + stream->in_flight;
    pthread_mutex_unlock(&stream->lock);
    return n;
}

void http_stream_end(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

void stream_break(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->broken = true;
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

/* ------- the library's side ------- */

/* The lock is held; there is something. */
static ssize_t take(struct http_stream *stream, char *to, size_t max)
{
    size_t n = stream->queue.n - stream->taken;
    n = n < max ? n : max;
    memcpy(to, stream->queue.p + stream->taken, n);
    stream->taken += n;
    stream->in_flight = n;
    if (stream->taken == stream->queue.n) {
        stream->taken = 0;
        buf_reset(&stream->queue);
        if (stream->queue.cap > BUFFER_KEPT) { /* most streams are quiet most of the time */
            buf_fini(&stream->queue);
            buf_init(&stream->queue, HTTP_BODY_MAX);
        }
    }
    return (ssize_t)n;
}

/* The library asks again once the socket has all of what it got before. */
static ssize_t on_read(void *context, uint64_t position, char *to, size_t max)
{
    struct http_stream *stream = context;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&stream->lock);
    stream->in_flight = 0;
    while (stream->undrained && stream->queue.n == stream->taken && !stream->broken) {
        stream->undrained = false;
        pthread_mutex_unlock(&stream->lock);
        stream->events.drained(stream->context);
        pthread_mutex_lock(&stream->lock);
    }
    if (stream->broken || stream->queue.failed) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (stream->queue.n > stream->taken) {
        result = take(stream, to, max);
    } else if (stream->ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->is_waiting = true;
        MHD_suspend_connection(stream->connection);
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

void stream_lost(struct http_stream *stream)
{
    link_set_stream(stream->server, stream->link, NULL);
    pthread_mutex_lock(&stream->lock);
    stream->is_waiting = false; /* the connection is not there to be woken */
    pthread_mutex_unlock(&stream->lock);
    stream->events.closed(stream->context);
    http_stream_unref(stream);
}

static void on_free(void *context)
{
    stream_lost(context);
}

struct MHD_Response *stream_response(struct http_stream *stream)
{
    enum { CHUNK = 4096 };
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK, on_read, stream, on_free);
    if (response != NULL) {
        link_set_stream(stream->server, stream->link, stream);
    }
    return response;
}
