#include "crypto/common_passwords.h"

#include <stdlib.h>

static const char *const common[] = {
#include "crypto/common_passwords_list.h"
};

static int compare(const void *key, const void *entry)
{
    const struct str *wanted = key;
    struct str word = str_of(*(const char *const *)entry);
    int order = memcmp(wanted->p, word.p, wanted->n < word.n ? wanted->n : word.n);
    return order != 0 ? order : (wanted->n > word.n) - (wanted->n < word.n);
}

bool password_is_common(struct str lower)
{
    return lower.n > 0 &&
           bsearch(&lower, common, COUNT_OF(common), sizeof(common[0]), compare) != NULL;
}
