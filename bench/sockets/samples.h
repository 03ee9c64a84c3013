/* Times, kept one by one so that any percentile can be told exactly. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct samples {
    int64_t *ns;
    size_t count;
    size_t room;
};

void samples_add(struct samples *samples, int64_t ns);
void samples_clear(struct samples *samples);
/* Sorts them. The least that so many of a thousand do not exceed; 0 if there are none. */
double samples_percentile_ms(struct samples *samples, size_t per_mille);
/* To standard output, as members of a JSON object: "NAME_p50_ms": 1.234, ... and p99, p999, max. */
void samples_print(struct samples *samples, const char *name);
