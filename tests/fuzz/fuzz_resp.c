/* What a Redis server might say. What is taken lies within the bytes that were there, and is taken again
 * from those alone; of its beginning there is never enough. */
#include <stdlib.h>

#include "live/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(struct str in, struct str text)
{
    must(text.p == NULL || (text.p >= in.p && text.p + text.n <= in.p + in.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct resp value;
    size_t used = 0;
    while (in.n > 0 && resp_read(in, &value, &used) == RESP_OK) {
        struct resp again;
        size_t part = 0;
        must(used > 0 && used <= in.n);
        check_text(in, value.text);
        for (size_t i = 0; i < RESP_ITEMS; i++) {
            check_text(in, value.items[i]);
        }
        must(resp_read((struct str){in.p, used}, &again, &part) == RESP_OK && part == used);
        must(resp_read((struct str){in.p, used - 1}, &again, &part) == RESP_MORE);
        in = (struct str){in.p + used, in.n - used};
    }
    return 0;
}
