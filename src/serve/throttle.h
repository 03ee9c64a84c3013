/* How often somebody may: counts in fixed windows that begin with the first request. In memory and
 * bounded: a table of a fixed size, in which the oldest window gives way. Any thread; one mutex,
 * held for a look-up. */
#pragma once

#include "base/conf.h"

struct throttle;

struct throttle *throttle_new(void);
void throttle_free(struct throttle *throttle);

/* Counts one for `who` in `scope`. Over the rate: false, and *wait_s says in how many seconds the
 * window ends. A rate without requests lets everything through. */
bool throttle_take(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s) CHECKED;
/* Looks without counting: false if the next one would be too many. */
bool throttle_peek(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s) CHECKED;
