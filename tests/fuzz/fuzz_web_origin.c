/* Origins and referers from clients: what is taken has a normal form, and that is its own. */
#include <stdlib.h>

#include "base/web_origin.h"

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
    struct web_origin origin;
    struct web_origin again;
    struct str rest;
    struct arena a;
    if (!web_origin_parse(text, &origin, &rest)) {
        return 0;
    }
    arena_init(&a);
    struct str normal = web_origin_format(&a, &origin);
    must(rest.p + rest.n == text.p + text.n && (rest.n == 0 || strchr("/?#", rest.p[0]) != NULL));
    must(web_origin_parse(normal, &again, &rest) && rest.n == 0);
    must(web_origin_eq(&origin, &again));
    arena_fini(&a);
    return 0;
}
