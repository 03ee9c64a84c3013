/* UUIDs (RFC 9562). New ids are version 7: time-ordered, so that indexes grow at their end. */
#pragma once

#include "base/str.h"

struct uuid {
    uint8_t b[16];
};

enum { UUID_TEXT = 36 };

/* As Python's uuid.UUID reads it: with or without dashes, braces, "urn:uuid:", any case. */
bool uuid_parse(struct str s, struct uuid *out) CHECKED;
/* Lower case with dashes; 36 bytes, no zero byte. */
void uuid_format(struct uuid id, char out[UUID_TEXT]);
/* `unix_ms` and ten bytes from a random source. */
struct uuid uuid_v7(int64_t unix_ms, const uint8_t random[10]);
/* A version 8 id from the first bytes of a digest: same bytes, same id. */
struct uuid uuid_from_digest(const uint8_t digest[16]);
static inline bool uuid_eq(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}
static inline int uuid_compare(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof(a.b));
}
bool uuid_is_zero(struct uuid id);
