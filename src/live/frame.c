#include "live/frame.h"

#include <stdlib.h>

#include "base/arena.h"

enum { FINAL = 0x80, OPCODE_TEXT = 0x1, LENGTH_16 = 126, LENGTH_64 = 127 };

static size_t put_header(uint8_t header[10], uint8_t opcode, size_t n)
{
    header[0] = (uint8_t)(FINAL | opcode);
    if (n < LENGTH_16) {
        header[1] = (uint8_t)n;
        return 2;
    }
    size_t bytes = n <= UINT16_MAX ? 2 : 8;
    header[1] = bytes == 2 ? LENGTH_16 : LENGTH_64;
    for (size_t i = 0; i < bytes; i++) {
        header[2 + i] = (uint8_t)((uint64_t)n >> (8 * (bytes - 1 - i)));
    }
    return 2 + bytes;
}

static struct live_frame *new_frame(const uint8_t *header, size_t header_size, struct str payload)
{
    struct live_frame *frame = mem_alloc(sizeof(*frame) + header_size + payload.n);
    atomic_init(&frame->refs, 1);
    frame->header_size = (uint8_t)header_size;
    frame->json_size = (uint32_t)payload.n;
    if (header_size > 0) {
        memcpy(frame->bytes, header, header_size);
    }
    if (payload.n > 0) {
        memcpy(frame->bytes + header_size, payload.p, payload.n);
    }
    return frame;
}

struct live_frame *live_frame_new(struct str json)
{
    return live_frame_new_opcode(OPCODE_TEXT, json);
}

struct live_frame *live_frame_new_opcode(uint8_t opcode, struct str payload)
{
    uint8_t header[10];
    size_t header_size = put_header(header, opcode, payload.n);
    return new_frame(header, header_size, payload);
}

struct live_frame *live_frame_new_mark(struct str id)
{
    return new_frame(NULL, 0, id);
}

struct live_frame *live_frame_ref(struct live_frame *frame)
{
    atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    return frame;
}

void live_frame_unref(struct live_frame *frame)
{
    if (frame != NULL && atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) == 1) {
        free(frame);
    }
}
