/* Requests that come over a socket instead of HTTP ("send", "read", "typing"): they go through the
 * very same pipeline and handler as those of HTTP, as the user and device of the socket. */
#pragma once

#include "serve/app.h"

struct inner_request {
    struct uuid user_id;
    struct uuid session_id;
    const char *method; /* literal */
    struct str path;    /* "/api/conversations/.../messages/"; copied */
    struct str body;    /* JSON; copied */
    struct str address; /* the client's; copied */
};

struct inner_answer {
    int status;
    const char *error_code; /* X-Error-Code; NULL: none */
    int64_t retry_after_s;
    struct str body; /* JSON; valid during the call */
};

/* Runs the first part on this thread (a read snapshot, as an HTTP thread does); `done` is called
 * once, from whichever thread has the answer, after the commit. */
typedef void inner_done(const struct inner_answer *answer, void *context);
void serve_inner(struct app *app, const struct inner_request *request, inner_done *done,
                 void *context);
