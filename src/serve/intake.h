/* What a request says of itself, before anybody looks at what it wants. */
#pragma once

#include "serve/req.h"

/* Headers are read here, on the HTTP thread, all that anybody may need later. */
struct req *intake_new(struct http_exchange *x, struct app *app);
/* Sets r->base_url. ERR_BAD_HOST: not one of ours. */
enum err intake_check_host(struct req *r) CHECKED;
