/* What a client sends over a WebSocket. The first byte says how large the pieces are and how often
 * the server wants no more for now; whatever they are, the same bytes must mean the same, also to a
 * reader that another client has used before. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "live/ws_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 2000, LOG_MAX = 1 << 24 };

struct record {
    struct buf log;
    unsigned said;
    unsigned pause_each; /* messages; 0: never */
};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool on_said(struct str text, void *context)
{
    struct record *record = context;
    must(text.n <= MESSAGE_MAX && utf8_valid(text, NULL));
    buf_printf(&record->log, "said %zu ", text.n);
    buf_str(&record->log, text);
    record->said++;
    return record->pause_each == 0 || record->said % record->pause_each != 0;
}

static void on_pinged(struct str payload, void *context)
{
    struct record *record = context;
    must(payload.n <= 125);
    buf_printf(&record->log, "ping %zu ", payload.n);
    buf_str(&record->log, payload);
}

static void on_ponged(void *context)
{
    struct record *record = context;
    buf_lit(&record->log, "pong ");
}

static void on_closed(uint16_t code, void *context)
{
    struct record *record = context;
    must(code == 0 || (code >= 1000 && code < 5000));
    buf_printf(&record->log, "close %u ", code);
}

static void read_all(struct ws_reader_cache *cache, struct record *record, struct str bytes,
                     size_t piece)
{
    static const struct ws_sink sink = {on_said, on_pinged, on_ponged, on_closed};
    struct ws_reader *reader = ws_reader_get(cache);
    enum ws_reading result = WS_IDLE;
    uint16_t code = 0;
    while (bytes.n > 0 && result < WS_CLOSED) {
        size_t n = bytes.n < piece ? bytes.n : piece;
        result = ws_reader_read(reader, (struct str){bytes.p, n}, &sink, record, &code);
        while (result == WS_PAUSED) {
            result = ws_reader_read(reader, STR(""), &sink, record, &code);
        }
        must((result == WS_FAILED) == (code != 0));
        bytes.p += n;
        bytes.n -= n;
        if (result == WS_IDLE) { /* it may go to somebody else */
            ws_reader_put(cache, reader);
            must(cache->count == 1);
            reader = ws_reader_get(cache);
        }
    }
    buf_printf(&record->log, "end %d %u", (int)result, code);
    ws_reader_put(cache, reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record whole = {.said = 0};
    struct record pieces = {.said = 0};
    struct ws_reader_cache cache = {.message_max = MESSAGE_MAX};
    if (size == 0) {
        return 0;
    }
    struct str bytes = {(const char *)data + 1, size - 1};
    buf_init(&whole.log, LOG_MAX);
    buf_init(&pieces.log, LOG_MAX);
    pieces.pause_each = data[0] >> 6;
    read_all(&cache, &whole, bytes, SIZE_MAX);
    read_all(&cache, &pieces, bytes, (size_t)(data[0] & 0x3F) + 1);
    must(str_eq(buf_view(&whole.log), buf_view(&pieces.log)));
    ws_reader_cache_fini(&cache);
    buf_fini(&whole.log);
    buf_fini(&pieces.log);
    return 0;
}
