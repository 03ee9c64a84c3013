#include "live/ring.h"

#include <stdlib.h>

#include "base/arena.h"

enum { SIZE_MIN = 64 };

void ring_init(struct ring *ring, size_t bytes_max)
{
    *ring = (struct ring){.bytes_max = bytes_max};
}

static void drop_oldest(struct ring *ring)
{
    struct live_batch *batch = ring_at(ring, 0);
    ring->floor = batch->to;
    ring->bytes -= batch->size;
    ring->first = (ring->first + 1) & (ring->size - 1);
    ring->count--;
    live_batch_unref(batch);
}

void ring_fini(struct ring *ring)
{
    while (ring->count > 0) {
        drop_oldest(ring);
    }
    free(ring->batches);
}

static void grow(struct ring *ring)
{
    struct ring old = *ring;
    ring->size = old.size > 0 ? 2 * old.size : SIZE_MIN;
    ring->batches = mem_alloc(ring->size * sizeof(ring->batches[0]));
    for (size_t i = 0; i < old.count; i++) {
        ring->batches[i] = ring_at(&old, i);
    }
    ring->first = 0;
    free(old.batches);
}

void ring_add(struct ring *ring, struct live_batch *batch)
{
    if (ring->count == ring->size) {
        grow(ring);
    }
    ring->batches[(ring->first + ring->count) & (ring->size - 1)] = live_batch_ref(batch);
    ring->count++;
    ring->bytes += batch->size;
    while (ring->bytes > ring->bytes_max && ring->count > 0) {
        drop_oldest(ring);
    }
}

bool ring_reaches(const struct ring *ring, const struct position *at)
{
    return position_covers(at, &ring->floor);
}

/* Batches are in order: behind the first that `at` does not cover, it covers none. */
size_t ring_find(const struct ring *ring, const struct position *at)
{
    size_t low = 0;
    size_t high = ring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (position_covers(at, &ring_at(ring, middle)->to)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
