/* From a result to the answer on the wire: error bodies, headers. */
#pragma once

#include "serve/route.h"

/* Throws away what a handler has written so far. */
void reply_reset(struct req *r);

/* Makes the answer: r->out as it is for ERR_OK, else the body that tells the error.
 * http_reply(r->x) sends it. */
void reply_make(struct req *r, enum err e);
/* Both at once. */
void reply_send(struct req *r, enum err e);

/* For r->take: the status and the headers that every answer has, and nothing else; the body goes
 * its own way. */
void reply_prepare(struct req *r, int status);
