/* HTTP/1.1 by libmicrohttpd: reads a whole request with its limits, hands it over, sends the reply.
 * What a request means is not known here.
 *
 * Threads: `options.threads` of the library's own, each with its connections. `handle` is called on
 * one of them once the body is there, and either calls http_reply before it returns, or http_defer
 * first; then exactly one http_reply may come from any thread. Between the two the exchange belongs
 * to whoever works on it. It is freed when its answer is sent or its connection is gone. */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { HTTP_HEADERS_MAX = 24, HTTP_BODY_MAX = 64 * 1024 * 1024 };

struct http_header {
    const char *name; /* zero-terminated: literal or in the exchange's arena */
    const char *value;
};

struct http_exchange {
    struct arena arena; /* lives until the answer is sent */
    /* the request */
    struct str method;
    struct str path;  /* as sent: still percent-encoded */
    struct str query; /* behind '?', as sent; absent if there is no '?' */
    struct str body;
    bool body_too_large; /* over the limit: it was not kept */
    bool overloaded;     /* memory_max is in use: answer shortly; the body was perhaps not kept */
    struct str peer;     /* address of the other end, without port */
    int64_t started_us;  /* steady clock */
    void *app;           /* for the one who handles it */
    /* the answer */
    int status;
    struct buf out;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    /* private to server.c */
    struct http_server *server;
    void *connection;
    struct buf in;
    size_t in_max;
    int64_t answer_size; /* as it counts for memory_max */
    int64_t discarded;
    int state;
};

struct http_options {
    const char *host;
    int64_t port; /* 0: any free one */
    int64_t threads;
    int64_t connections_max;
    int64_t connections_per_address_max; /* 0: no limit */
    int64_t connection_timeout_s;
    int64_t connection_memory_max;
    int64_t body_size_max;
    int64_t memory_max; /* all bodies together, and all answers together */
    void (*handle)(struct http_exchange *x, void *context);
    void (*sent)(struct http_exchange *x,
                 void *context); /* after the answer; for logs and metrics */
    void *context;
};

struct http_server;

/* ERR_UNAVAILABLE: *problem says what to do (port taken, no permission). */
enum err http_server_new(const struct http_options *options, struct http_server **out,
                         struct arena *a, struct str *problem) CHECKED;
int http_server_port(const struct http_server *server);
/* Stops accepting. Requests under way go on. */
void http_server_quiesce(struct http_server *server);
/* Waits until no request is under way, at most timeout_ms; then ends. No exchange may be deferred
 * any more. */
void http_server_free(struct http_server *server, int64_t timeout_ms);
int64_t http_server_active(const struct http_server *server);

/* A request header's value; absent if it was not sent. Valid until the answer is sent; on the HTTP
 * thread only. */
struct str http_request_header(struct http_exchange *x, const char *name);
/* The same; of one that was sent several times all values with ", " between, as Django sees them.
 * For what decides who is asking, and what a gateway in front may have added. */
struct str http_request_header_all(struct http_exchange *x, const char *name);

void http_defer(struct http_exchange *x);
/* x->status, x->out and x->headers are set. */
void http_reply(struct http_exchange *x);
/* Name and value are literals or live in the arena. Line ends in the value end the process: they
 * must have been refused before. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
