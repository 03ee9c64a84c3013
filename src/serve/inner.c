#include "serve/inner.h"

#include <stdlib.h>

#include "serve/req.h"

/* Lives until the answer is told. */
struct inner {
    struct app *app;
    struct inner_caller caller;
    struct http_header headers[1];
    inner_done *done;
    void *context;
};

static const char *reply_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->header_count; i++) {
        if (strcmp(x->headers[i].name, name) == 0) {
            return x->headers[i].value;
        }
    }
    return NULL;
}

static void replied(struct http_exchange *x, void *context)
{
    struct inner *inner = context;
    const struct req *r = x->app;
    const struct inner_answer answer = {
        .status = x->status,
        .error_code = reply_header(x, "X-Error-Code"),
        .retry_after_s = r->retry_after_s,
        .body = buf_view(&x->out),
    };
    serve_sent(x, inner->app);
    inner->done(&answer, inner->context);
    http_exchange_free(x);
    free(inner);
}

void serve_inner(struct app *app, const struct inner_request *request, inner_done *done,
                 void *context)
{
    struct inner *inner = mem_alloc(sizeof(*inner));
    *inner = (struct inner){.app = app,
                            .caller = {request->user_id, request->session_id},
                            .headers = {{"Content-Type", "application/json"}},
                            .done = done,
                            .context = context};
    struct http_exchange *x =
        http_exchange_new(str_of(request->method), request->path, request->body, inner->headers,
                          COUNT_OF(inner->headers), replied, inner);
    x->peer = arena_copy(&x->arena, request->address);
    serve_handle_inner(x, app, &inner->caller);
}
