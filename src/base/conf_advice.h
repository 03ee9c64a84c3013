/* What is unwise in the settings, in words; for `confab check` and the admin site. */
#pragma once

#include "base/conf.h"

struct conf_advice {
    const char *code;    /* "confab.W010"; does not change */
    const char *setting; /* "DEBUG" */
    struct str text;     /* what is so, and what comes of it; in the arena, or a literal */
    const char *hint;    /* what to do */
};

/* Tells `take` of each finding, in order of their codes. `deploy`: what is unwise only where others
 * can reach the server, too. */
void conf_advise(const struct conf *conf, bool deploy, struct arena *a,
                 void (*take)(void *context, const struct conf_advice *advice), void *context);
