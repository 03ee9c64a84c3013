/* The last batches, for clients that come back shortly after they were cut off. Belongs to one loop;
 * the batches are shared by all loops. */
#pragma once

#include "live/batch.h"

struct ring {
    struct live_batch **batches; /* a ring of `size`, a power of two */
    size_t size;
    size_t first;
    size_t count;
    size_t bytes;
    size_t bytes_max;
    struct position floor; /* everything after it is here */
};

void ring_init(struct ring *ring, size_t bytes_max);
void ring_fini(struct ring *ring);
/* The i-th batch, borrowed; 0 is the oldest. */
static inline struct live_batch *ring_at(const struct ring *ring, size_t i)
{
    return ring->batches[(ring->first + i) & (ring->size - 1)];
}
/* Keeps a reference of its own. */
void ring_add(struct ring *ring, struct live_batch *batch);
/* Is everything after `at` here? */
bool ring_reaches(const struct ring *ring, const struct position *at);
/* The first batch that holds something after `at`, or `count`. */
size_t ring_find(const struct ring *ring, const struct position *at);
