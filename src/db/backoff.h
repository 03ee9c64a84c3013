/* When to try again to reach a server that cannot be reached: at once, and then less and less often.
 * Not for several threads. */
#pragma once

#include "base/clock.h"

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 3000 };

/* Zero: it can be reached, as far as anybody knows. */
struct backoff {
    int64_t next_us; /* steady clock: no sooner is it tried */
    int64_t pause_ms;
};

static inline bool backoff_is_over(const struct backoff *backoff)
{
    return clock_steady_us() >= backoff->next_us;
}

/* It was tried. */
static inline void backoff_note(struct backoff *backoff, bool succeeded)
{
    int64_t pause_ms = backoff->pause_ms == 0 ? BACKOFF_FIRST_MS : 2 * backoff->pause_ms;
    pause_ms = succeeded ? 0 : pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS;
    *backoff = (struct backoff){pause_ms == 0 ? 0 : clock_steady_us() + pause_ms * 1000, pause_ms};
}
