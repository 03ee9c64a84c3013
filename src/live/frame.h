/* One frame for clients, encoded once and shared by all that it goes to: JSON text with the WebSocket
 * header in front. Immutable; references are counted atomically, any thread may hold one. */
#pragma once

#include <stdatomic.h>

#include "base/str.h"

struct live_frame {
    atomic_int refs;
    uint8_t header_size; /* 2, 4 or 10: RFC 6455, 5.2; unmasked, final; 0: a mark */
    uint32_t json_size;
    char bytes[]; /* header, then JSON */
};

/* One reference, the caller's. Copies. */
struct live_frame *live_frame_new(struct str json);
/* Inside live/: a control frame of a WebSocket (pong, close). */
struct live_frame *live_frame_new_opcode(uint8_t opcode, struct str payload);
/* Inside live/: not a frame but the `id` of the event before it in a stream of server-sent events. */
struct live_frame *live_frame_new_mark(struct str id);
static inline bool live_frame_is_mark(const struct live_frame *frame)
{
    return frame->header_size == 0;
}
struct live_frame *live_frame_ref(struct live_frame *frame);
void live_frame_unref(struct live_frame *frame); /* NULL is fine */

static inline struct str live_frame_json(const struct live_frame *frame)
{
    return (struct str){frame->bytes + frame->header_size, frame->json_size};
}
static inline struct str live_frame_wire(const struct live_frame *frame)
{
    return (struct str){frame->bytes, (size_t)frame->header_size + frame->json_size};
}
