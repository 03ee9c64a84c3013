/* Cursors from clients: what is taken has one text, and that is the one that was taken. */
#include <stdlib.h>

#include "live/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = {(const char *)data, size};
    struct cursor cursor;
    struct arena a;
    if (!cursor_parse(text, &cursor)) {
        return 0;
    }
    bool found = false;
    arena_init(&a);
    for (int shards = 1; shards <= SHARDS_MAX; shards++) {
        found = found || str_eq(cursor_format(&a, &cursor, shards), text);
    }
    must(found);
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        must(cursor.at.at[i] >= 0 && cursor.place.goal.at[i] >= 0);
    }
    arena_fini(&a);
    return 0;
}
