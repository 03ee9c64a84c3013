#include "live/batch.h"

#include <stdlib.h>

#include "base/arena.h"

struct live_batch *live_batch_new(size_t count)
{
    struct live_batch *batch = mem_alloc_zero(sizeof(*batch) + count * sizeof(struct live_event));
    atomic_init(&batch->refs, 1);
    batch->count = count;
    return batch;
}

struct live_batch *live_batch_ref(struct live_batch *batch)
{
    atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
    return batch;
}

void live_batch_unref(struct live_batch *batch)
{
    if (atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        live_frame_unref(batch->events[i].frame);
        free(batch->events[i].sessions);
    }
    free(batch);
}

void live_batch_measure(struct live_batch *batch)
{
    batch->size = sizeof(*batch) + batch->count * sizeof(struct live_event);
    for (size_t i = 0; i < batch->count; i++) {
        const struct live_event *event = &batch->events[i];
        if (event->frame != NULL) {
            batch->size += sizeof(*event->frame) + live_frame_wire(event->frame).n;
        }
        batch->size += event->session_count * sizeof(struct uuid);
    }
}

bool live_event_has_session(const struct live_event *event, struct uuid session_id)
{
    for (size_t i = 0; i < event->session_count; i++) {
        if (uuid_eq(event->sessions[i], session_id)) {
            return true;
        }
    }
    return false;
}
