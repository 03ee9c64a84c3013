/* A request on its way: what the pipeline found out, what the handler may use, the reply. Owned by
 * its exchange; one thread at a time. */
#pragma once

#include "base/problems.h"
#include "chat/call.h"
#include "crypto/token.h"
#include "db/exec.h"
#include "http/accept.h"
#include "http/query.h"
#include "http/server.h"
#include "serve/field.h"
#include "json/write.h"

struct app;
struct route;
struct resource;

/* Who asks where a request came over a socket. */
struct inner_caller {
    struct uuid user_id;
    struct uuid session_id; /* zero: without a device */
};

struct path_id {
    struct str text;
    struct uuid id;
    bool valid;
};

struct req {
    struct http_exchange *x;
    struct app *app;
    struct arena *arena;
    const struct resource *resource;
    const struct route *route;
    struct str prefix;          /* "/api/", "/api/v1/", "/api/chats/": links keep it */
    struct str path;            /* decoded */
    struct str path_sent;       /* as sent, for links */
    struct path_id path_ids[2]; /* in the order of the path */
    struct query query;
    struct value *input;   /* beside route->input */
    struct value *filters; /* beside route->query */
    struct accept_choice accept;
    const struct renderer *render; /* of route->renders, the one that is wanted; NULL: none */
    bool wants_page;               /* a browser asks: it gets the answer as a page */

    struct call call;       /* what chat/ gets: db, arena, time, who */
    struct user user;       /* the caller, if call.me != NULL */
    struct session session; /* how he came; zero for Basic */
    struct str authorization;
    struct str content_type;
    struct str origin;
    struct str referer;
    struct str session_key; /* of the cookie "sessionid" */
    struct str csrf_cookie;
    struct str csrf_header;
    bool preflight;                   /* a CORS preflight: answered before authentication */
    const struct inner_caller *inner; /* NULL: it came by HTTP */
    struct uuid ticket_id;            /* zero: he did not come with a ticket */
    int64_t ticket_expires_at;
    int64_t auth_expires_us; /* when what he came with ends; 0: never */
    struct str idempotency_key;
    struct str if_match;
    struct str login_key; /* what failed log-ins are counted by */
    struct str user_agent;
    struct str address;    /* the client's, behind trusted proxies */
    struct str base_url;   /* "http://127.0.0.1:8000" for absolute links */
    struct str own_origin; /* how the client addresses us; without PUBLIC_URL the same */
    struct str request_id;

    struct uuid within;  /* what the writes belong to (enum within); zero: not known */
    void *object;        /* what route->object found, for route->handle */
    struct uuid created; /* what route->handle has made, for route->may_replay of a replay */
    void *slow_result;   /* what route->slow made, for route->handle */

    /* A handler that only reads may set these. */
    enum err (*confirm)(struct req *r); /* in the writer; the answer goes out after its commit */
    void (*take)(struct req *r);        /* instead of the reply, once all is well: the exchange is
                                           its, for http_upgrade(), http_stream_open() or an answer
                                           that comes later. On the HTTP thread, outside of any
                                           transaction. */
    bool taken;                         /* that has been called */

    bool body_is_read;
    enum err body_error;    /* the body as a whole: told after the object was found */
    struct str body_detail; /* its text */
    enum err kept_error;    /* what the client is told although what was written is kept */
    enum err target;        /* what is wrong with the path or the query */
    bool reads_surely;      /* nothing but the caller can keep it from its handler; it foresees */
    bool is_foreseen;       /* identify_foresee() has been called */
    const struct jwt_claims *claims; /* of the access token that was found good; else NULL */
    bool is_unread; /* what the caller showed is good, but nobody has read his session yet */
    bool to_writer; /* admitted, and the writer has still to run it */
    struct problems problems;
    struct str detail;        /* instead of the error's own text */
    struct str token_message; /* why a token is refused, for simplejwt's "messages" */
    int64_t retry_after_s;
    int status;                /* of the reply; route->status unless the handler says otherwise */
    struct json_out out;       /* the reply's body */
    bool replay;               /* header Idempotent-Replay */
    struct str location;       /* of a redirection; absent: none */
    struct str set_cookies[2]; /* whole Set-Cookie values; absent: none */
    const char *content_type_out; /* of the reply, where it is not JSON; NULL: it is */
    struct work work;
};

/* The decoded value of a declared field (asserts that it is declared); never NULL. */
const struct value *req_input(const struct req *r, const char *name);
const struct value *req_filter(const struct req *r, const char *name);
static inline bool value_is_set(const struct value *v)
{
    return v->state == VALUE_SET;
}
/* Was the field sent, as a value or as null? For PATCH. */
static inline bool value_is_sent(const struct value *v)
{
    return v->state != VALUE_ABSENT;
}

/* Adds a problem and returns ERR_INVALID: `return req_problem(r, "title", STR("..."))`. */
enum err req_problem(struct req *r, const char *field, struct str text);
