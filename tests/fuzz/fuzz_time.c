/* Dates from query strings: what is accepted must survive being written and read again. */
#include <stdlib.h>

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t us;
    int64_t again;
    bool is_date;
    char text[TIME_TEXT_MAX];
    if (!time_parse((struct str){(const char *)data, size}, &us, &is_date)) {
        return 0;
    }
    struct str formatted = {text, time_format(us, text)};
    if (!time_parse(formatted, &again, &is_date) || again != us || is_date) {
        abort();
    }
    return 0;
}
