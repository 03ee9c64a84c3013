#include "base/uuid.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool uuid_parse(struct str s, struct uuid *out)
{
    if (str_starts(s, STR("urn:"))) {
        s = (struct str){s.p + 4, s.n - 4};
    }
    if (str_starts(s, STR("uuid:"))) {
        s = (struct str){s.p + 5, s.n - 5};
    }
    if (s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}') {
        s = (struct str){s.p + 1, s.n - 2};
    }
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);
        if (s.p[i] == '-') {
            continue;
        }
        if (digit < 0 || digits == 32) {
            return false;
        }
        uint8_t *byte = &out->b[digits / 2];
        *byte = (uint8_t)(digits % 2 == 0 ? digit << 4 : *byte | digit);
        digits++;
    }
    return digits == 32;
}

void uuid_format(struct uuid id, char out[UUID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0, at = 0; i < sizeof(id.b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[at++] = '-';
        }
        out[at++] = hex[id.b[i] >> 4];
        out[at++] = hex[id.b[i] & 15];
    }
}

static struct uuid with_version(struct uuid id, unsigned version)
{
    id.b[6] = (uint8_t)((id.b[6] & 0x0F) | (version << 4));
    id.b[8] = (uint8_t)((id.b[8] & 0x3F) | 0x80);
    return id;
}

struct uuid uuid_v7(int64_t unix_ms, const uint8_t random[10])
{
    struct uuid id;
    for (int i = 0; i < 6; i++) {
        id.b[i] = (uint8_t)((uint64_t)unix_ms >> (40 - 8 * i));
    }
    memcpy(id.b + 6, random, 10);
    return with_version(id, 7);
}

struct uuid uuid_from_digest(const uint8_t digest[16])
{
    struct uuid id;
    memcpy(id.b, digest, sizeof(id.b));
    return with_version(id, 8);
}

bool uuid_is_zero(struct uuid id)
{
    return uuid_eq(id, (struct uuid){{0}});
}
