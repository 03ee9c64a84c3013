#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

void samples_add(struct samples *samples, int64_t ns)
{
    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 1024 : 2 * samples->room;
        samples->ns = realloc(samples->ns, samples->room * sizeof(*samples->ns));
        if (samples->ns == NULL) {
            fail("out of memory");
        }
    }
    samples->ns[samples->count++] = ns;
}

void samples_clear(struct samples *samples)
{
    samples->count = 0;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

double samples_percentile_ms(struct samples *samples, size_t per_mille)
{
    if (samples->count == 0) {
        return 0;
    }
    qsort(samples->ns, samples->count, sizeof(*samples->ns), compare);
    size_t rank = (per_mille * samples->count + 999) / 1000;
    return (double)samples->ns[rank > 0 ? rank - 1 : 0] / 1e6;
}

void samples_print(struct samples *samples, const char *name)
{
    static const struct {
        const char *name;
        size_t per_mille;
    } percentiles[] = {{"p50", 500}, {"p99", 990}, {"p999", 999}, {"max", 1000}};
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        printf("%s\"%s_%s_ms\": %.4f", i == 0 ? "" : ", ", name, percentiles[i].name,
               samples_percentile_ms(samples, percentiles[i].per_mille));
    }
}
