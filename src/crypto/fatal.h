/* The end of the process where going on would mean weak secrets. Internal to crypto/. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

static inline _Noreturn void crypto_fatal(const char *what)
{
    fprintf(stderr, "confab: %s\n", what);
    abort();
}
