/* The addresses of database servers: no input may do more than be refused, and of none is the password
 * printed. */
#include <stdlib.h>

#include "base/conf_private.h"
#include "db/mariadb_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct mariadb_url url;
    struct str problem = STR("");
    struct str text = {(const char *)data, size};
    arena_init(&a);
    if (!mariadb_url_parse(&a, text, &url, &problem) && problem.n == 0) {
        abort(); /* refused without a reason */
    }
    if (conf_is_server_url(text)) {
        struct str printed = conf_without_password(&a, text);
        const char *at = memchr(printed.p, '@', printed.n);
        const char *scheme_end = memchr(printed.p, ':', printed.n);
        if (at != NULL && memchr(scheme_end + 1, ':', (size_t)(at - scheme_end - 1)) != NULL) {
            abort(); /* something stands behind the user's name */
        }
    }
    arena_fini(&a);
    return 0;
}
