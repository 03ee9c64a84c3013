/* A route: who may come, what it takes and gives, on which connection its handler runs. Handlers
 * are straight-line code: validated input in, reply out; they open no transaction, take no lock
 * and do not know their thread. */
#pragma once

#include "serve/field.h"
#include "serve/req.h"

enum access {
    ACCESS_UNDECLARED, /* the server does not start */
    ACCESS_ANYONE,     /* a bad Authorization header is 401 all the same */
    ACCESS_IGNORE,     /* log-ins and the like: Authorization is not looked at */
    ACCESS_USER,
    ACCESS_ADMIN,
};

enum route_db { ROUTE_NONE, ROUTE_READ, ROUTE_WRITE };

enum throttle_kind { THROTTLE_NORMAL, THROTTLE_NEVER, THROTTLE_LOGIN, THROTTLE_REGISTER };

typedef enum err handler(struct req *r);
typedef void page_writer(struct req *r, enum err e, struct buf *out);
typedef void foresight(struct req *r, struct uuid caller_id);

struct route {
    const char *method; /* NULL ends the list of a resource */
    enum access access;
    enum route_db db;
    enum throttle_kind throttle;
    const struct field *input;
    size_t input_count;
    const struct field *query;
    size_t query_count;
    /* Before the transaction, on the pool for hashes, with a connection for reading. */
    handler *slow;
    /* Finds and authorises the object of the path; before the problems of the body are told. */
    handler *object;
    handler *handle;
    /* Says with db_foresee() what the others will ask, before it is known whether the caller may. A
     * read's path and query are checked by then, a write's body too. NULL: nothing. */
    foresight *foresee;
    const struct shape *out; /* NULL: no body */
    int status;              /* of success; a handler may set another */
    int also;                /* another status of success; 0: none */
    const enum err *fails;   /* FAILS(...): what the object and the handler refuse with, beside what
                                follows from this table (web/openapi_errors.c); NULL: nothing */
    /* Other representations than JSON and pages, which Accept and ?format= may name; r->render is the
     * one that is wanted. */
    const struct renderer *renders;
    size_t render_count;
    /* Request headers that the handler looks at; for documentation. */
    const struct field *headers;
    size_t header_count;
    /* For people, where the resource's description speaks of another method; else NULL. */
    const char *about;
    bool secret; /* the answer holds secrets: never stored, never cached */
    /* Takes Idempotency-Key. The handler says in r->created what it has made; on a replay this one
     * judges whether the caller may still see that. NULL: takes none. */
    handler *may_replay;
    bool ticket; /* takes ?ticket= where there is no Authorization header */
    /* How a browser sees the answer: writes HTML into `out`. NULL: app->page. */
    page_writer *page;
    bool one_form; /* is what it is, whatever Accept and ?format= say */
};

/* Ended by ERR_OK. */
#define FAILS(...) ((const enum err[]){__VA_ARGS__, ERR_OK})
/* An element of `renders`; `format` is "" where ?format= does not know it. */
#define RENDERER(media_type, format)                                                               \
    {                                                                                              \
        {media_type, sizeof(media_type) - 1},                                                      \
        {                                                                                          \
            format, sizeof(format) - 1                                                             \
        }                                                                                          \
    }

enum { RENDERS_MAX = 4 };

/* What the writes of a resource belong to, so that the writer of its shard does them (store/change.h). */
enum within {
    WITHIN_CALLER,
    WITHIN_CONVERSATION, /* of the path */
    WITHIN_NAMED,        /* the conversation of the field "conversation" */
    WITHIN_MESSAGE,      /* the conversation of the path's message */
    WITHIN_MANY,
};

enum { PATHS_MAX = 6, METHODS_MAX = 6, PATH_IDS_MAX = 2 };

struct resource {
    const char *name; /* for OPTIONS: "Message List" */
    const char *description;
    const char *paths[PATHS_MAX]; /* below /api/, canonical one first: "users/{id}/"; a path that
                                      begins with '/' stands outside /api/; a last segment "*" takes
                                      all that follow */
    enum within within;
    struct route methods[METHODS_MAX + 1];
};

/* All of them; api/routes.c. */
extern const struct resource *const api_resources[];
extern const size_t api_resource_count;
