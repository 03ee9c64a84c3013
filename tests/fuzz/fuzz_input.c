/* Bodies of requests against a route with every type of field: the first byte picks the content
 * type, the rest is the body. Whatever comes, each field ends absent, null or set within limits. */
#include <stdlib.h>

#include "unit/serve/input_route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {"application/json", "application/x-www-form-urlencoded",
                                    "multipart/form-data; boundary=b",
                                    "application/json; charset=latin-1"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_exchange x;
    struct req r;
    if (size == 0) {
        return 0;
    }
    input_request(&r, &x, "POST", (struct str){(const char *)data + 1, size - 1});
    enum err e = input_read_body(&r, str_of(types[data[0] % COUNT_OF(types)]));
    if (e == ERR_OK && r.problems.first == NULL) {
        const struct value *title = req_input(&r, "title");
        const struct value *list = req_input(&r, "participants");
        if (title->state != VALUE_SET || title->text.n == 0 || list->count > 3) {
            abort();
        }
    }
    arena_fini(&x.arena);
    return 0;
}
