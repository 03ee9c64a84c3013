#include "store/model.h"

const char *const role_names[] = {"guest", "host", "admin"};
const char *const part_names[] = {"member", "moderator", "owner"};
const char *const session_kind_names[] = {"jwt", "token", "browser"};

bool role_from(struct str name, enum role *out)
{
    for (size_t i = 0; i < COUNT_OF(role_names); i++) {
        if (str_eq(name, str_of(role_names[i]))) {
            *out = (enum role)i;
            return true;
        }
    }
    return false;
}

bool part_from(struct str name, enum part *out)
{
    for (size_t i = 0; i < COUNT_OF(part_names); i++) {
        if (str_eq(name, str_of(part_names[i]))) {
            *out = (enum part)i;
            return true;
        }
    }
    return false;
}

struct list_key window_start(bool descending)
{
    struct list_key key = {.n = descending ? INT64_MAX : INT64_MIN,
                           .text = descending ? STR("\xF4\x8F\xBF\xBF") : STR("")};
    if (descending) {
        memset(key.id.b, 0xFF, sizeof(key.id.b));
    }
    return key;
}
