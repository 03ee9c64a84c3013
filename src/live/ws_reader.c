#include "live/ws_reader.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "live/client.h"

enum { CONTROL_MAX = 125, HEADER_MIN = 6, KEPT = 4, MESSAGE_KEPT = 4096, NO_MESSAGE = 0 };

struct ws_reader {
    struct ws_reader *next; /* in the cache */
    wslay_frame_context_ptr frames;
    size_t message_max;
    struct str feed;    /* what wslay has not taken yet */
    uint64_t unread;    /* bytes that wslay has taken and that are not part of a whole frame */
    struct buf held;    /* what came behind the message after which `said` wanted no more */
    struct buf message; /* so far */
    uint8_t opcode;     /* of its first frame; NO_MESSAGE: none has begun */
    bool in_frame;
    uint64_t frame_left; /* bytes of its payload that are to come */
    size_t control_n;
    char control[CONTROL_MAX];
};

static ssize_t on_recv(uint8_t *to, size_t max, int flags, void *context)
{
    struct ws_reader *reader = context;
    (void)flags;
    size_t n = reader->feed.n < max ? reader->feed.n : max;
    if (n == 0) {
        return -1;
    }
    memcpy(to, reader->feed.p, n);
    reader->feed.p += n;
    reader->feed.n -= n;
    reader->unread += n;
    return (ssize_t)n;
}

static struct ws_reader *reader_new(size_t message_max)
{
    const struct wslay_frame_callbacks callbacks = {.recv_callback = on_recv};
    struct ws_reader *reader = mem_alloc_zero(sizeof(*reader));
    reader->message_max = message_max;
    buf_init(&reader->message, message_max);
    buf_init(&reader->held, SIZE_MAX / 2);
    if (wslay_frame_context_init(&reader->frames, &callbacks, reader) != 0) {
        abort(); /* no memory */
    }
    return reader;
}

static void reader_free(struct ws_reader *reader)
{
    wslay_frame_context_free(reader->frames);
    buf_fini(&reader->message);
    buf_fini(&reader->held);
    free(reader);
}

void ws_reader_cache_fini(struct ws_reader_cache *cache)
{
    while (cache->first != NULL) {
        struct ws_reader *reader = cache->first;
        cache->first = reader->next;
        reader_free(reader);
    }
    cache->count = 0;
}

struct ws_reader *ws_reader_get(struct ws_reader_cache *cache)
{
    struct ws_reader *reader = cache->first;
    if (reader == NULL) {
        return reader_new(cache->message_max);
    }
    cache->first = reader->next;
    cache->count--;
    return reader;
}

static bool is_idle(const struct ws_reader *reader)
{
    return reader->opcode == NO_MESSAGE && !reader->in_frame && reader->unread == 0 &&
           reader->feed.n == 0 && reader->held.n == 0;
}

void ws_reader_put(struct ws_reader_cache *cache, struct ws_reader *reader)
{
    if (cache->count == KEPT || !is_idle(reader)) {
        reader_free(reader);
        return;
    }
    if (reader->message.cap > MESSAGE_KEPT) {
        buf_fini(&reader->message);
    }
    buf_fini(&reader->held);
    reader->control_n = 0; /* of a close frame */
    reader->next = cache->first;
    cache->first = reader;
    cache->count++;
}

/* --- frames ---------------------------------------------------------------------------------- */

/* RFC 6455, 5.2 to 5.5: may such a frame come now? 0: yes, else the close code. (wslay has looked at
 * the length and fragmentation of control frames.) */
static uint16_t check_frame(const struct ws_reader *reader, const struct wslay_frame_iocb *frame)
{
    bool begins = frame->opcode == WSLAY_TEXT_FRAME || frame->opcode == WSLAY_BINARY_FRAME;
    bool goes_on = frame->opcode == WSLAY_CONTINUATION_FRAME;
    bool controls = frame->opcode == WSLAY_CONNECTION_CLOSE || frame->opcode == WSLAY_PING ||
                    frame->opcode == WSLAY_PONG;
    if (!frame->mask || frame->rsv != 0 || !(begins || goes_on || controls)) {
        return CLOSE_PROTOCOL;
    }
    if (controls) {
        return 0;
    }
    if (begins == (reader->opcode != NO_MESSAGE)) {
        return CLOSE_PROTOCOL;
    }
    if (frame->opcode == WSLAY_BINARY_FRAME) {
        return CLOSE_BINARY;
    }
    bool fits = frame->payload_length <= reader->message_max - reader->message.n;
    return fits ? 0 : CLOSE_TOO_LARGE;
}

/* Those of RFC 6455, 7.4, and of IANA's registry, that may be sent. */
static bool is_close_code(uint16_t code)
{
    bool is_standard = code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
    return is_standard || (code >= 3000 && code <= 4999);
}

static enum ws_reading take_close(const struct ws_reader *reader, const struct ws_sink *sink,
                                  void *context, uint16_t *failure)
{
    uint16_t code = 0;
    if (reader->control_n == 1) {
        *failure = CLOSE_PROTOCOL;
        return WS_FAILED;
    }
    if (reader->control_n >= 2) {
        code = (uint16_t)((uint8_t)reader->control[0] << 8 | (uint8_t)reader->control[1]);
        bool is_text = utf8_valid((struct str){reader->control + 2, reader->control_n - 2}, NULL);
        if (!is_close_code(code) || !is_text) {
            *failure = is_text ? CLOSE_PROTOCOL : CLOSE_NOT_UTF8;
            return WS_FAILED;
        }
    }
    sink->closed(code, context);
    return WS_CLOSED;
}

/* What a whole frame means: WS_PART, go on. */
static enum ws_reading take_control(struct ws_reader *reader, uint8_t opcode,
                                    const struct ws_sink *sink, void *context, uint16_t *failure)
{
    if (opcode == WSLAY_CONNECTION_CLOSE) {
        return take_close(reader, sink, context, failure);
    }
    if (opcode == WSLAY_PING) {
        sink->pinged((struct str){reader->control, reader->control_n}, context);
    } else {
        sink->ponged(context);
    }
    reader->control_n = 0;
    return WS_PART;
}

static enum ws_reading take_message(struct ws_reader *reader, const struct ws_sink *sink,
                                    void *context, uint16_t *failure)
{
    struct str text = buf_view(&reader->message);
    if (!utf8_valid(text, NULL)) {
        *failure = CLOSE_NOT_UTF8;
        return WS_FAILED;
    }
    bool more = sink->said(text, context);
    buf_reset(&reader->message);
    reader->opcode = NO_MESSAGE;
    return more ? WS_PART : WS_PAUSED;
}

static void begin_frame(struct ws_reader *reader, const struct wslay_frame_iocb *frame)
{
    reader->in_frame = true;
    reader->frame_left = frame->payload_length;
    if (frame->opcode == WSLAY_TEXT_FRAME) {
        reader->opcode = frame->opcode;
    }
}

static void end_frame(struct ws_reader *reader, const struct wslay_frame_iocb *frame)
{
    size_t length_size = frame->payload_length < 126 ? 0 : frame->payload_length < 65536 ? 2 : 8;
    reader->in_frame = false;
    reader->unread -= HEADER_MIN + length_size + frame->payload_length;
}

/* A piece of a frame. */
static enum ws_reading take_piece(struct ws_reader *reader, const struct wslay_frame_iocb *frame,
                                  const struct ws_sink *sink, void *context, uint16_t *failure)
{
    bool controls = wslay_is_ctrl_frame(frame->opcode) != 0;
    if (!reader->in_frame) {
        *failure = check_frame(reader, frame);
        if (*failure != 0) {
            return WS_FAILED;
        }
        begin_frame(reader, frame);
    }
    if (controls && frame->data_length > 0) {
        memcpy(reader->control + reader->control_n, frame->data, frame->data_length);
        reader->control_n += frame->data_length;
    } else {
        buf_add(&reader->message, frame->data, frame->data_length);
    }
    reader->frame_left -= frame->data_length;
    if (reader->frame_left > 0) {
        return WS_PART;
    }
    end_frame(reader, frame);
    if (controls) {
        return take_control(reader, frame->opcode, sink, context, failure);
    }
    return frame->fin ? take_message(reader, sink, context, failure) : WS_PART;
}

static enum ws_reading read_feed(struct ws_reader *reader, const struct ws_sink *sink,
                                 void *context, uint16_t *failure)
{
    for (;;) {
        struct wslay_frame_iocb frame = {0};
        ssize_t n = wslay_frame_recv(reader->frames, &frame);
        if (n == WSLAY_ERR_WANT_READ) {
            if (reader->feed.n == 0) {
                return is_idle(reader) ? WS_IDLE : WS_PART;
            }
            continue;
        }
        if (n < 0) {
            *failure = CLOSE_PROTOCOL;
            return WS_FAILED;
        }
        enum ws_reading result = take_piece(reader, &frame, sink, context, failure);
        if (result != WS_PART) {
            return result;
        }
    }
}

enum ws_reading ws_reader_read(struct ws_reader *reader, struct str bytes,
                               const struct ws_sink *sink, void *context, uint16_t *code)
{
    char *held = NULL;
    *code = 0;
    reader->feed = bytes;
    if (reader->held.n > 0) {
        size_t n = 0;
        buf_str(&reader->held, bytes);
        held = buf_take(&reader->held, &n);
        reader->feed = (struct str){held, n};
    }
    enum ws_reading result = read_feed(reader, sink, context, code);
    if (result == WS_PAUSED) {
        buf_str(&reader->held, reader->feed);
    }
    reader->feed = STR_NULL;
    free(held);
    return result;
}
