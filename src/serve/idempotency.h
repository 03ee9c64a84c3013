/* Idempotency-Key on POSTs that create: the first answer is kept for (user, method, path, key) and
 * given again to the same body; another body is a conflict. Runs inside the write transaction, so
 * two at once cannot both be the first. */
#pragma once

#include "serve/route.h"

/* Before the handler, once the object is authorised. *replayed: r holds the kept answer, which the
 * caller may still see; else the failure says why not. */
enum err idempotency_find(struct req *r, bool *replayed) CHECKED;
/* After a handler that succeeded. */
enum err idempotency_keep(struct req *r) CHECKED;
