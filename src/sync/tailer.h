/* The one source of durable frames of a node: reads the log behind its position, in order of commits,
 * and feeds the hub. A thread of its own. */
#pragma once

#include "live/hub.h"
#include "sync/mark.h"
#include "sync/sync.h"

struct tailer;

/* Begins behind `at` of that incarnation; raises `mark` (borrowed) before it tells anything. */
struct tailer *tailer_start(struct exec *exec, struct hub *hub, struct mark *mark,
                            struct uuid incarnation, const struct position *at);
/* There is something new. Any thread; never waits. */
void tailer_poke(struct tailer *tailer);
/* Passes on what was committed before this call, and ends. */
void tailer_stop(struct tailer *tailer);
/* After tailer_stop. NULL is fine. */
void tailer_free(struct tailer *tailer);
void tailer_stats_get(struct tailer *tailer, struct sync_stats *out);
