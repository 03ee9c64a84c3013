/* Frames on their way to one client, in order. Costs no memory while it is empty. */
#pragma once

#include "live/frame.h"

struct queue {
    struct live_frame **frames; /* a ring of `size`, a power of two; NULL: empty */
    uint32_t size;
    uint32_t first;
    uint32_t count;
    uint32_t written; /* bytes of the first one that are gone */
    size_t bytes;     /* what is still to be written */
};

/* Takes the reference. */
void queue_push(struct queue *queue, struct live_frame *frame);
/* The i-th frame, borrowed; i < count. */
static inline struct live_frame *queue_at(const struct queue *queue, uint32_t i)
{
    return queue->frames[(queue->first + i) & (queue->size - 1)];
}
/* The first frame, whose reference becomes the caller's; NULL: empty. */
struct live_frame *queue_take(struct queue *queue);
/* So many bytes of it have been written. */
void queue_written(struct queue *queue, size_t n);
void queue_clear(struct queue *queue);
