/* How often somebody may: counts in fixed windows that begin with the first request. In memory and
 * bounded: a table of a fixed size, in which the oldest window gives way. Any thread; one mutex,
 * held for a look-up.
 *
 * Several nodes count together, a moment late: no request waits for them. Each counts for itself, and
 * from the moment that somebody has used up a sixteenth of his rate at a node, that node tells the
 * others what it counts (throttle_tell), which add it to theirs (throttle_hear). So N nodes let at
 * most (N - 1) / 16 of a rate through beyond it, and what comes within the moment; with twenty
 * log-ins a minute the second one is told. Most callers are never near their rates and are not
 * talked about. */
#pragma once

#include "base/conf.h"
#include "live/bus_wire.h"

struct throttle;

/* `secret` (copied): the same on all nodes, so that they mean the same by a key, and nobody else can
 * find who it is, or name two who share one. */
struct throttle *throttle_new(struct str secret);
void throttle_free(struct throttle *throttle);

/* Counts one for `who` in `scope`. Over the rate: false, and *wait_s says in how many seconds the
 * window ends. A rate without requests lets everything through. */
bool throttle_take(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s) CHECKED;
/* Looks without counting: false if the next one would be too many. */
bool throttle_peek(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s) CHECKED;

/* What was counted here since the last call and other nodes should know; at most `max`, how many
 * there are. */
size_t throttle_tell(struct throttle *throttle, struct bus_count *out, size_t max);
/* What another node has counted. */
void throttle_hear(struct throttle *throttle, const struct bus_count *count);
