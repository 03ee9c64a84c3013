#include "base/err.h"

static const struct {
    int status;
    const char *code;
    const char *text;
} list[ERR_COUNT] = {
#define X(name, status, code, text) [name] = {status, code, text},
    ERR_LIST(X)
#undef X
};

int err_status(enum err e)
{
    return list[e].status;
}

const char *err_code(enum err e)
{
    return list[e].code;
}

const char *err_text(enum err e)
{
    return list[e].text;
}
