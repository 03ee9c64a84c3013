/* What all requests share; made at start, read-only afterwards but for what has its own lock. */
#pragma once

#include <stdatomic.h>

#include "base/conf.h"
#include "chat/call.h"
#include "db/exec.h"
#include "http/server.h"
#include "serve/recent.h"

struct bus;
struct hub;
struct openapi;
struct req;
struct router;
struct sync;
struct throttle;

/* Counters for /metrics. */
struct app_metrics {
    atomic_int_fast64_t answers[6]; /* by first digit of the status */
    atomic_int_fast64_t answer_us;  /* sum of the times from request line to answer */
    atomic_int_fast64_t throttled;
    int64_t started_us; /* wall clock */
};

struct app {
    const struct conf *conf;
    struct chat_limits limits;
    struct exec *exec;
    struct sync *sync;
    struct hub *hub;
    struct bus *bus; /* NULL: there are no other nodes */
    struct http_server *server;
    struct router *router;
    /* Shows the answer in r->x->out, or the error that it tells, to a browser. */
    void (*page)(struct req *r, enum err e, struct buf *out);
    struct throttle *throttle;
    struct recent recent;
    struct openapi *openapi; /* what GET /api/schema/ answers */
    struct app_metrics metrics;
    struct uuid node_id; /* of this process, new at each start */
    uint64_t seed; /* random: for hashes of what clients choose */
    atomic_bool stopping;
};

/* Handlers of the HTTP server; `context` is the struct app. */
void serve_handle(struct http_exchange *x, void *context);
void serve_sent(struct http_exchange *x, void *context);
/* The same of an exchange without a connection; see serve/inner.h. `caller` lives as long as it. */
struct inner_caller;
void serve_handle_inner(struct http_exchange *x, struct app *app,
                        const struct inner_caller *caller);
