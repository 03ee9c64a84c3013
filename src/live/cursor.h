/* A client's cursor: how far it has been told everything. To the client it is opaque text; it is no
 * capability, rights are checked again whenever it is used.
 *
 * Text form: base64url without padding of
 *     1 byte   format (1)
 *     16 bytes incarnation
 *     1 byte   number n of shards, then n times 8 bytes: stamps, big-endian
 *     nothing more, or the place in an interrupted round:
 *     n times 8 bytes: the round's goal; 16 bytes conversation; 1 byte kind; 16 bytes after */
#pragma once

#include "base/arena.h"
#include "base/position.h"
#include "base/uuid.h"

/* Where a page ended inside a round of catching up: everything up to (conversation_id, kind, after)
 * in the round's order has been sent; the order is the business of sync/page.c. */
struct cursor_place {
    struct position goal; /* where the round leads to: the positions of its first snapshot */
    struct uuid conversation_id;
    uint8_t kind;
    struct uuid after; /* a user id; or a rev and a seq, 8 bytes each, big-endian */
};

struct cursor {
    struct uuid
        incarnation; /* zero: an empty cursor, of a client that has nothing; `at` is then the
                                position of its `hello` (0: it gets none) */
    struct position at;
    bool paging;
    struct cursor_place place; /* if paging */
};

/* Empty text is the empty cursor. False: the server did not make it. */
bool cursor_parse(struct str text, struct cursor *out) CHECKED;
/* `shards`: how many stamps to write. */
struct str cursor_format(struct arena *a, const struct cursor *cursor, int shards);
