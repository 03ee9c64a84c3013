#include "live/queue.h"

#include <stdlib.h>

#include "base/arena.h"

enum { SIZE_MIN = 8 };

static void grow(struct queue *queue)
{
    struct queue old = *queue;
    queue->size = old.size > 0 ? 2 * old.size : SIZE_MIN;
    queue->frames = mem_alloc(queue->size * sizeof(queue->frames[0]));
    for (uint32_t i = 0; i < old.count; i++) {
        queue->frames[i] = queue_at(&old, i);
    }
    queue->first = 0;
    free(old.frames);
}

void queue_push(struct queue *queue, struct live_frame *frame)
{
    if (queue->count == queue->size) {
        grow(queue);
    }
    queue->frames[(queue->first + queue->count) & (queue->size - 1)] = frame;
    queue->count++;
    queue->bytes += live_frame_wire(frame).n;
}

struct live_frame *queue_take(struct queue *queue)
{
    if (queue->count == 0) {
        return NULL;
    }
    struct live_frame *frame = queue_at(queue, 0);
    queue->bytes -= live_frame_wire(frame).n - queue->written;
    queue->written = 0;
    queue->first = (queue->first + 1) & (queue->size - 1);
    queue->count--;
    if (queue->count == 0) {
        free(queue->frames);
        *queue = (struct queue){0};
    }
    return frame;
}

void queue_written(struct queue *queue, size_t n)
{
    while (queue->count > 0) {
        size_t left = live_frame_wire(queue_at(queue, 0)).n - queue->written;
        if (n < left) {
            queue->written += (uint32_t)n;
            queue->bytes -= n;
            return;
        }
        n -= left;
        live_frame_unref(queue_take(queue));
    }
}

void queue_clear(struct queue *queue)
{
    while (queue->count > 0) {
        live_frame_unref(queue_take(queue));
    }
}
