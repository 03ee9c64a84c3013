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
    bool may_upgrade;    /* its version of HTTP knows of http_upgrade() */
    void *app;           /* for the one who handles it */
    /* the answer */
    int status;
    struct buf out;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    /* private to http/ */
    struct http_server *server; /* NULL: of http_exchange_new() */
    void *connection;
    struct http_link *link;
    struct buf in;
    size_t in_max;
    int64_t answer_size; /* as it counts for memory_max */
    int64_t discarded;
    int state;
    void (*run)(struct http_exchange *x); /* of http_continue() */
    struct http_stream *stream;           /* until the library has it */
    void (*taken)(int fd, struct str early, void *context);
    void *taken_context;
    const struct http_header *given; /* of http_exchange_new() */
    size_t given_count;
    void (*replied)(struct http_exchange *x, void *context);
    void *replied_context;
};

struct http_options {
    const char *host;
    int64_t port; /* 0: any free one */
    int64_t threads;
    int64_t connections_max;
    int64_t connections_per_address_max; /* 0: no limit */
    int64_t connection_timeout_s;        /* without a byte in either direction */
    int64_t request_timeout_s; /* for a request to come wholly; a second more for each KiB */
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

/* A request header's value; absent if it was not sent. Valid until the answer is sent; for whom the
 * exchange belongs to. */
struct str http_request_header(struct http_exchange *x, const char *name);
/* The same; of one that was sent several times all values with ", " between, as Django sees them.
 * For what decides who is asking, and what a gateway in front may have added. */
struct str http_request_header_all(struct http_exchange *x, const char *name);

/* The value of a cookie; absent if it was not sent. As above. */
struct str http_request_cookie(struct http_exchange *x, const char *name);
/* "Not Found" for 404. */
const char *http_reason(int status);

/* ------- answers that are not one body ------- */

/* Instead of http_reply, with x->headers set: 101, and the connection leaves HTTP (RFC 9110, 7.8).
 * `taken` is called once, on the HTTP thread: with a descriptor that is the callee's to close and
 * what the client has sent behind its request (valid during the call); or with -1 if the connection
 * was lost before. Not for an exchange that !may_upgrade. */
void http_upgrade(struct http_exchange *x, void (*taken)(int fd, struct str early, void *context),
                  void *context);

/* Instead of http_reply, with x->status and x->headers set: an answer that goes on until somebody
 * ends it (chunked). The exchange stays until then. On the exchange's HTTP thread; writing, waking
 * and ending may come from any thread, before the connection is gone or after. */
struct http_stream;
/* Both on the HTTP thread, with no lock held, never before http_stream_open has returned. */
struct http_stream_events {
    void (*drained)(void *context); /* what was written has been handed to the socket */
    void (*closed)(void *context);  /* the connection is gone, or all is sent after http_stream_end;
                                       the last call; then http_stream_unref() */
};
struct http_stream *http_stream_open(struct http_exchange *x,
                                     const struct http_stream_events *events, void *context);
void http_stream_write(struct http_stream *stream, struct str bytes); /* copies; never refuses */
size_t http_stream_buffered(struct http_stream *stream); /* bytes not yet handed to the socket */
void http_stream_end(struct http_stream *stream);
void http_stream_unref(struct http_stream *stream);

/* ------- requests without a connection ------- */

/* An exchange that somebody in the server asks for: method, path and body are copied; headers are
 * those given (borrowed until `replied`). http_defer and http_reply work as for others; http_reply
 * calls `replied`, which reads status, headers and out, and frees it with http_exchange_free(). */
struct http_exchange *http_exchange_new(struct str method, struct str path, struct str body,
                                        const struct http_header *headers, size_t header_count,
                                        void (*replied)(struct http_exchange *x, void *context),
                                        void *context);
void http_exchange_free(struct http_exchange *x);

void http_defer(struct http_exchange *x);
/* Of a deferred exchange: it goes on with `run` on its HTTP thread, as inside `handle`. */
void http_continue(struct http_exchange *x, void (*run)(struct http_exchange *x));
/* x->status, x->out and x->headers are set. */
void http_reply(struct http_exchange *x);
/* Name and value are literals or live in the arena. Line ends in the value end the process: they
 * must have been refused before. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
