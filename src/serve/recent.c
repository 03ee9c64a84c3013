#include "serve/recent.h"

#include <string.h>

#include "base/clock.h"

/* The last bytes of an id are random in every version. */
static uint64_t random_part(struct uuid id)
{
    uint64_t bits;
    memcpy(&bits, &id.b[sizeof(id.b) - sizeof(bits)], sizeof(bits));
    return bits;
}

static size_t row_of(uint64_t bits)
{
    return bits >> 32 & (RECENT_SESSIONS - 1);
}

static uint32_t seconds(void)
{
    return (uint32_t)(clock_steady_us() / US_PER_SECOND);
}

void recent_note(struct recent *recent, struct uuid session_id)
{
    uint64_t bits = random_part(session_id);
    atomic_store_explicit(&recent->rows[row_of(bits)], bits << 32 | seconds(),
                          memory_order_relaxed);
}

bool recent_has(const struct recent *recent, struct uuid session_id)
{
    uint64_t bits = random_part(session_id);
    uint64_t row = atomic_load_explicit(&recent->rows[row_of(bits)], memory_order_relaxed);
    return row >> 32 == (bits & UINT32_MAX) && seconds() - (uint32_t)row < RECENT_S;
}
