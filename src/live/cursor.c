#include "live/cursor.h"

#include "crypto/hash.h"

enum {
    FORMAT = 1,
    STAMP_SIZE = 8,
    HEAD_SIZE = 1 + sizeof(struct uuid) + 1,
    PLACE_SIZE = sizeof(struct uuid) + 1 + sizeof(struct uuid),
    BYTES_MAX = HEAD_SIZE + 2 * SHARDS_MAX * STAMP_SIZE + PLACE_SIZE,
    TEXT_MAX = (BYTES_MAX * 4 + 2) / 3
};

static uint8_t *put_uuid(uint8_t *to, struct uuid id)
{
    memcpy(to, id.b, sizeof(id.b));
    return to + sizeof(id.b);
}

static uint8_t *put_position(uint8_t *to, const struct position *position, int shards)
{
    for (int i = 0; i < shards; i++) {
        for (unsigned shift = 64; shift > 0; shift -= 8) {
            *to++ = (uint8_t)((uint64_t)position->at[i] >> (shift - 8));
        }
    }
    return to;
}

struct str cursor_format(struct arena *a, const struct cursor *cursor, int shards)
{
    uint8_t bytes[BYTES_MAX];
    uint8_t *to = bytes;
    if (uuid_is_zero(cursor->incarnation)) {
        return STR("");
    }
    *to++ = FORMAT;
    to = put_uuid(to, cursor->incarnation);
    *to++ = (uint8_t)shards;
    to = put_position(to, &cursor->at, shards);
    if (cursor->paging) {
        to = put_position(to, &cursor->place.goal, shards);
        to = put_uuid(to, cursor->place.conversation_id);
        *to++ = cursor->place.kind;
        to = put_uuid(to, cursor->place.after);
    }
    return base64url_encode(a, str_of_bytes(bytes, (size_t)(to - bytes)));
}

static const uint8_t *get_uuid(const uint8_t *from, struct uuid *id)
{
    memcpy(id->b, from, sizeof(id->b));
    return from + sizeof(id->b);
}

/* NULL: a stamp that no database has given. */
static const uint8_t *get_position(const uint8_t *from, struct position *position, size_t shards)
{
    for (size_t i = 0; i < shards; i++) {
        uint64_t stamp = 0;
        for (size_t byte = 0; byte < STAMP_SIZE; byte++) {
            stamp = stamp << 8 | *from++;
        }
        if (stamp > INT64_MAX) {
            return NULL;
        }
        position->at[i] = (int64_t)stamp;
    }
    return from;
}

static bool get_cursor(const uint8_t *from, size_t n, struct cursor *out)
{
    if (n < HEAD_SIZE || from[0] != FORMAT) {
        return false;
    }
    from = get_uuid(from + 1, &out->incarnation);
    size_t shards = *from++;
    if (shards == 0 || shards > SHARDS_MAX || uuid_is_zero(out->incarnation)) {
        return false;
    }
    size_t whole = HEAD_SIZE + shards * STAMP_SIZE;
    out->paging = n == whole + shards * STAMP_SIZE + PLACE_SIZE;
    if (n != whole && !out->paging) {
        return false;
    }
    from = get_position(from, &out->at, shards);
    if (from == NULL || !out->paging) {
        return from != NULL;
    }
    from = get_position(from, &out->place.goal, shards);
    if (from == NULL) {
        return false;
    }
    from = get_uuid(from, &out->place.conversation_id);
    out->place.kind = *from++;
    (void)get_uuid(from, &out->place.after);
    return true;
}

bool cursor_parse(struct str text, struct cursor *out)
{
    struct arena a;
    struct str bytes;
    memset(out, 0, sizeof(*out));
    if (text.n == 0) {
        return true;
    }
    if (text.n > TEXT_MAX) {
        return false;
    }
    arena_init(&a);
    bool good =
        base64url_decode(&a, text, &bytes) && get_cursor((const uint8_t *)bytes.p, bytes.n, out);
    arena_fini(&a);
    if (!good) {
        memset(out, 0, sizeof(*out));
    }
    return good;
}
