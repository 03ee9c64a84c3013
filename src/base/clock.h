/* Time: int64_t microseconds since 1970 UTC (names end in _us); a steady clock for durations. */
#pragma once

#include "base/str.h"

#define US_PER_SECOND INT64_C(1000000)

int64_t clock_now_us(void);
/* Never goes back; has nothing to do with the calendar. */
int64_t clock_steady_us(void);

/* In UTC. Years 1 to 9999; what lies beyond becomes the first or last moment of them. */
struct time_parts {
    uint32_t year, month, day; /* from 1 */
    uint32_t hour, minute, second, us;
};

void time_split(int64_t us, struct time_parts *out);
int64_t time_join(const struct time_parts *parts);

enum { TIME_TEXT_MAX = 32 };
/* "2025-07-27T18:01:41.482677Z"; the fraction is left out when it is zero, as DRF does. Returns
 * the number of bytes; no zero byte behind. */
size_t time_format(int64_t us, char out[TIME_TEXT_MAX]);

/* A date ("2025-01-31") or date-time as Django's forms and ISO 8601 write it: 'T' or blank between,
 * seconds and a fraction of 1 to 6 digits optional ('.' or ','), "Z", "+HH", "+HHMM", "+HH:MM" or
 * nothing (UTC). A date means its midnight; *is_date says so. Years 1 to 9999. */
bool time_parse(struct str s, int64_t *us, bool *is_date) CHECKED;
