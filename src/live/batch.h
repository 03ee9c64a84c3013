/* What a run of commits means to clients: the unit in which the tailer feeds the hub. Immutable once
 * it is published; shared by all loops and kept in their rings. References are counted atomically.
 *
 * Its frames hold the state that the tailer read in one snapshot, which may be younger than the
 * change that an event stands for. So a loop first applies every LIVE_LEFT and LIVE_SESSIONS of a
 * batch, then sends the frames: who has been removed gets nothing that was written afterwards. */
#pragma once

#include "base/position.h"
#include "base/uuid.h"
#include "live/frame.h"

enum live_event_kind {
    LIVE_CONVERSATION, /* frame to all clients in conversation_id */
    LIVE_OWN,          /* frame to the clients of user_id */
    LIVE_USER,         /* frame to the clients of user_id and to those subscribed to that user; if
                          droppable (presence) to the latter only */
    LIVE_LEFT,         /* user_id is no longer in conversation_id: forget it, then frame to him */
    LIVE_JOINED,       /* user_id has come into conversation_id: his clients pull from `before` */
    LIVE_SESSIONS, /* of user_id's clients those whose session is not in `sessions` end (4401) */
};

struct live_event {
    enum live_event_kind kind;
    int shard;      /* of the change that it tells, */
    int64_t stamp;  /* and that change's own: the last one of its object in the batch */
    bool droppable; /* typing, presence: first to go when a buffer is full */
    /* Live clients get it with a later batch: only who joins from the ring before that gets this one.
     * Another node may have told him, and what he was told behind his cursor is told again. */
    bool waits;
    struct uuid conversation_id;
    struct uuid user_id;
    struct uuid not_to; /* LIVE_CONVERSATION: a user who is left out (who types); zero: nobody */
    /* NULL: nobody seemed to listen when it was read. A client that joins from the ring and would
     * have got it pulls instead. */
    struct live_frame *frame;
    struct uuid *sessions; /* LIVE_SESSIONS: the ones that live; freed with the batch */
    size_t session_count;
};

struct live_batch {
    atomic_int refs;
    struct uuid incarnation; /* the one that `to` belongs to */
    bool
        restarts; /* the database went back: what was told since is not true. `from` says nothing */
    struct position from; /* the end of the batch before; from == to: nothing durable in it */
    struct position to;
    struct position told; /* what clients that got all of it may be told (<= to: read positions that
                             wait to be sent together hold it back) */
    size_t size;          /* bytes, frames included; hub_publish fills it in */
    size_t count;
    struct live_event events[];
};

/* Does a client that knows everything up to `at` know what the event tells? `at` may lie within its
 * batch. */
static inline bool live_event_is_known(const struct live_event *event, const struct position *at)
{
    return at->at[event->shard] >= event->stamp;
}

/* LIVE_SESSIONS: is it one of those that live? */
bool live_event_has_session(const struct live_event *event, struct uuid session_id);

/* One reference, the caller's; `count` events, all zero. */
struct live_batch *live_batch_new(size_t count);
struct live_batch *live_batch_ref(struct live_batch *batch);
/* Fills in `size`. */
void live_batch_measure(struct live_batch *batch);
/* The last one releases the events' frames and sessions. */
void live_batch_unref(struct live_batch *batch);
