/* From bytes to messages: RFC 6455 as a server reads it, by wslay's frames. Knows no socket.
 *
 * wslay's event interface is not used: it checks a close reason that comes in pieces wrongly, takes a
 * close frame of one byte for good, and allocates for a frame what its header announces. What a
 * message is made of is decided here.
 *
 * A reader has 4 KB of wslay's, so it is only held while a message is incomplete; one that is idle
 * can go to the next client. */
#pragma once

#include "base/str.h"

struct ws_reader;

struct ws_sink {
    /* A text message, valid UTF-8; it is valid during the call. False: nothing more for now. */
    bool (*said)(struct str text, void *context);
    void (*pinged)(struct str payload, void *context);
    void (*ponged)(void *context);
    void (*closed)(uint16_t code, void *context); /* 0: without a code */
};

enum ws_reading {
    WS_IDLE,   /* everything is read, no message is incomplete */
    WS_PART,   /* there must be more to come */
    WS_PAUSED, /* `said` did not want more; call again, with no bytes, when it does */
    WS_CLOSED, /* nothing is read any more */
    WS_FAILED, /* the same; *code says what is wrong with it */
};

struct ws_reader_cache {
    struct ws_reader *first;
    size_t count;
    size_t message_max; /* bytes */
};

void ws_reader_cache_fini(struct ws_reader_cache *cache);
struct ws_reader *ws_reader_get(struct ws_reader_cache *cache);
/* An idle one is kept for the next. */
void ws_reader_put(struct ws_reader_cache *cache, struct ws_reader *reader);
enum ws_reading ws_reader_read(struct ws_reader *reader, struct str bytes,
                               const struct ws_sink *sink, void *context, uint16_t *code) CHECKED;
