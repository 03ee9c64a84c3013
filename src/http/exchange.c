/* The life of an exchange: from the request line to the end of its answer, as the library calls;
 * and exchanges without a connection, that somebody in the server asks for. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/private.h"

/* A body over its limit is read and thrown away up to this factor, so that the client gets to see
 * the 413; beyond it the connection is cut. */
enum { DISCARD_FACTOR = 8, SMALL_BODY = 64 * 1024 };

static void set_peer(struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";
    if (info != NULL && info->client_addr != NULL) {
        const struct sockaddr *address = info->client_addr;
        if (address->sa_family == AF_INET) {
            (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                            sizeof(text));
        } else if (address->sa_family == AF_INET6) {
            (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
                            sizeof(text));
        }
    }
    x->peer = arena_copy(&x->arena, str_of(text));
}

static void drop_body(struct http_exchange *x)
{
    atomic_fetch_sub(&x->server->bodies, (int64_t)x->in.cap);
    buf_fini(&x->in);
}

/* Whoever was to go on with the connection learns that there is none. */
static void tell_lost(struct http_exchange *x)
{
    if (x->taken != NULL) {
        x->taken(-1, STR_NULL, x->taken_context);
    }
    if (x->stream != NULL) {
        stream_lost(x->stream);
    }
}

void exchange_free(struct http_exchange *x)
{
    tell_lost(x);
    if (x->state == STATE_READING) {
        atomic_fetch_sub(&x->server->reading, 1);
    }
    atomic_fetch_sub(&x->server->active, 1);
    atomic_fetch_sub(&x->server->answers, x->answer_size);
    drop_body(x);
    http_exchange_free(x);
}

void http_exchange_free(struct http_exchange *x)
{
    buf_fini(&x->in);
    buf_fini(&x->out);
    arena_fini(&x->arena);
    free(x);
}

static struct http_link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The library would cut the query into arguments, at 64 bytes of the connection's memory each, and
 * with too many of them forget to answer. It looks behind the '?' after this callback only, in its
 * own buffer, which `uri` points into: there must be nothing left. */
static void hide_query(const char *uri)
{
    char *query = strchr((char *)(uintptr_t)uri, '?');
    if (query != NULL) {
        query[1] = '\0';
    }
}

/* Called with the request line, before anything else of a request. */
void *exchange_on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct http_exchange *x = mem_alloc_zero(sizeof(*x));
    arena_init(&x->arena);
    x->server = server;
    x->connection = connection;
    x->started_us = clock_steady_us();
    x->query = arena_copy(&x->arena, str_of(uri));
    x->path = str_cut(&x->query, '?');
    hide_query(uri);
    buf_init(&x->out, HTTP_BODY_MAX);
    x->in_max = (size_t)server->options.body_size_max;
    buf_init(&x->in, x->in_max);
    set_peer(x);
    atomic_fetch_add(&server->active, 1);
    atomic_fetch_add(&server->reading, 1);
    x->link = link_of(connection);
    if (x->link != NULL) {
        x->link->exchange = x;
    }
    link_set_phase(x->link, LINK_READING);
    return x;
}

void exchange_on_completed(void *context, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode code)
{
    struct http_server *server = context;
    struct http_exchange *x = *state;
    (void)connection;
    (void)code;
    if (x == NULL) {
        return;
    }
    if (x->link != NULL) {
        x->link->exchange = NULL;
        if (atomic_load(&x->link->phase) != LINK_TAKEN) {
            link_set_phase(x->link, LINK_IDLE);
        }
    }
    if (x->state == STATE_REPLIED && server->options.sent != NULL) {
        server->options.sent(x, server->options.context);
    }
    *state = NULL;
    exchange_free(x);
}

/* The answer went out; the connection is no longer the library's. */
static void on_upgraded(void *context, struct MHD_Connection *connection, void *state,
                        const char *early, size_t early_size, MHD_socket fd,
                        struct MHD_UpgradeResponseHandle *handle)
{
    struct http_exchange *x = state;
    (void)context;
    (void)connection;
    int own = dup(fd); /* inherited by nobody: no other program is run */
    void (*taken)(int, struct str, void *) = x->taken;
    x->taken = NULL;
    link_set_phase(x->link, LINK_TAKEN);
    taken(own, (struct str){early, early_size}, x->taken_context);
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE); /* its descriptor, not ours */
}

static struct MHD_Response *body_response(struct http_exchange *x)
{
    size_t n = 0;
    char *body = buf_take(&x->out, &n);
    x->answer_size = (int64_t)n;
    atomic_fetch_add(&x->server->answers, x->answer_size);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        n, body != NULL ? body : "", body != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        free(body);
    }
    return response;
}

static struct MHD_Response *make_response(struct http_exchange *x)
{
    if (x->taken != NULL) {
        return MHD_create_response_for_upgrade(on_upgraded, NULL);
    }
    if (x->stream != NULL) {
        struct MHD_Response *response = stream_response(x->stream);
        x->stream = response != NULL ? NULL : x->stream;
        return response;
    }
    return body_response(x);
}

static enum MHD_Result send_reply(struct http_exchange *x)
{
    struct MHD_Response *response = make_response(x);
    if (response == NULL) {
        return MHD_NO;
    }
    for (size_t i = 0; i < x->header_count; i++) {
        if (MHD_add_response_header(response, x->headers[i].name, x->headers[i].value) != MHD_YES) {
            log_error("refused by the HTTP library: header %s", x->headers[i].name);
        }
    }
    enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Keeps the body up to its limit, and a large one only while there is memory: who holds all of that
 * up keeps others from uploads, not from messages. False: far over its limit, end it. */
static bool take_body(struct http_exchange *x, const char *data, size_t n)
{
    struct http_server *server = x->server;
    if (!x->body_too_large && !x->overloaded) {
        bool is_small = n <= SMALL_BODY && x->in.n <= SMALL_BODY - n;
        bool fits = is_small || n <= x->in.cap - x->in.n ||
                    atomic_load(&server->bodies) < server->options.memory_max;
        x->body_too_large = n > x->in_max - x->in.n;
        x->overloaded = !fits;
        if (!x->body_too_large && !x->overloaded) {
            size_t before = x->in.cap;
            buf_add(&x->in, data, n);
            atomic_fetch_add(&server->bodies, (int64_t)(x->in.cap - before));
            return true;
        }
        drop_body(x);
    }
    x->discarded += (int64_t)n;
    return x->discarded <= (int64_t)x->in_max * DISCARD_FACTOR;
}

/* Does everybody on the way see the body end at the same place (RFC 9112, 6.3)? Not with two
 * lengths, a length beside chunks, or an encoding other than chunks: where a proxy in front reads
 * them otherwise than the library, the rest of a body becomes somebody's request. */
static bool is_framed(struct http_exchange *x)
{
    struct str length = http_request_header_all(x, "Content-Length");
    struct str encoding = http_request_header_all(x, "Transfer-Encoding");
    if (encoding.p != NULL) {
        return length.p == NULL && str_eq_nocase(encoding, STR("chunked"));
    }
    return !str_contains_byte(length, ',');
}

/* Before the body is read; the library closes the connection behind it. */
static enum MHD_Result refuse_framing(struct http_exchange *x)
{
    x->status = MHD_HTTP_BAD_REQUEST;
    buf_lit(&x->out, "{\"detail\":\"The request does not say clearly where its body ends.\"}");
    http_add_header(x, "Content-Type", "application/json");
    http_add_header(x, "X-Error-Code", "parse_error");
    http_add_header(x, "Connection", "close");
    return send_reply(x);
}

enum MHD_Result exchange_on_access(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_size, void **state)
{
    struct http_server *server = context;
    struct http_exchange *x = *state;
    (void)connection;
    (void)url;
    if (x->state == STATE_REPLIED) {
        return send_reply(x);
    }
    if (x->state == STATE_CONTINUED) {
        x->state = STATE_HANDLING;
        x->run(x);
        return MHD_YES;
    }
    if (x->method.p == NULL) {
        x->method = arena_copy(&x->arena, str_of(method));
        x->may_upgrade = !str_eq(str_of(version), STR("HTTP/1.0"));
        return is_framed(x) ? MHD_YES : refuse_framing(x); /* first call: headers only */
    }
    if (*upload_size > 0) {
        bool go_on = take_body(x, upload, *upload_size);
        if (x->link != NULL) {
            atomic_fetch_add(&x->link->received, (int64_t)*upload_size);
        }
        *upload_size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    x->body = buf_view(&x->in);
    x->overloaded = x->overloaded || atomic_load(&server->answers) >= server->options.memory_max;
    x->state = STATE_HANDLING;
    link_set_phase(x->link, LINK_BUSY);
    atomic_fetch_sub(&server->reading, 1);
    server->options.handle(x, server->options.context);
    /* Deferred: another thread has the exchange and may have replied already, it must not be
     * touched here. */
    return MHD_YES;
}

void http_defer(struct http_exchange *x)
{
    x->state = STATE_DEFERRED;
    if (x->server != NULL) {
        MHD_suspend_connection(x->connection);
    }
}

void http_continue(struct http_exchange *x, void (*run)(struct http_exchange *x))
{
    x->run = run;
    x->state = STATE_CONTINUED;
    if (x->server != NULL) {
        MHD_resume_connection(x->connection);
    } else {
        x->state = STATE_HANDLING;
        run(x);
    }
}

void http_reply(struct http_exchange *x)
{
    bool deferred = x->state == STATE_DEFERRED;
    x->state = STATE_REPLIED;
    if (x->server == NULL) {
        x->replied(x, x->replied_context); /* it is gone afterwards */
    } else if (deferred) {
        MHD_resume_connection(x->connection); /* on_access is called again, and sends */
    } else if (send_reply(x) != MHD_YES) {
        log_warning("a reply could not be queued");
    }
}

void http_upgrade(struct http_exchange *x, void (*taken)(int fd, struct str early, void *context),
                  void *context)
{
    x->taken = taken;
    x->taken_context = context;
    x->status = MHD_HTTP_SWITCHING_PROTOCOLS;
    http_defer(x); /* it is answered in the library's next round, not inside this call */
    http_reply(x);
}

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    if (x->header_count == HTTP_HEADERS_MAX || strpbrk(value, "\r\n") != NULL) {
        abort();
    }
    x->headers[x->header_count++] = (struct http_header){name, value};
}

/* ------- the request's headers ------- */

static struct str given_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->given_count; i++) {
        if (str_eq_nocase(str_of(x->given[i].name), str_of(name))) {
            return str_of(x->given[i].value);
        }
    }
    return STR_NULL;
}

struct str http_request_header(struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    if (x->server == NULL) {
        return given_header(x, name);
    }
    if (MHD_lookup_connection_value_n(x->connection, MHD_HEADER_KIND, name, strlen(name), &value,
                                      &n) != MHD_YES ||
        value == NULL) {
        return STR_NULL;
    }
    return (struct str){value, n};
}

struct header_values {
    struct http_exchange *x;
    struct str name;
    struct str joined;
};

static enum MHD_Result join_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_n, const char *value, size_t value_n)
{
    struct header_values *all = context;
    (void)kind;
    if (!str_eq_nocase((struct str){name, name_n}, all->name)) {
        return MHD_YES;
    }
    struct str sent = {value != NULL ? value : "", value_n};
    all->joined = all->joined.p == NULL ? sent
                                        : arena_printf(&all->x->arena, "%.*s, %.*s",
                                                       STR_ARG(all->joined), STR_ARG(sent));
    return MHD_YES;
}

struct str http_request_header_all(struct http_exchange *x, const char *name)
{
    if (x->server == NULL) {
        return given_header(x, name);
    }
    struct header_values all = {x, str_of(name), STR_NULL};
    (void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, join_header, &all);
    return all.joined;
}

struct str http_request_cookie(struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    bool found = x->server != NULL &&
                 MHD_lookup_connection_value_n(x->connection, MHD_COOKIE_KIND, name, strlen(name),
                                               &value, &n) == MHD_YES &&
                 value != NULL;
    return found ? (struct str){value, n} : STR_NULL;
}

const char *http_reason(int status)
{
    return MHD_get_reason_phrase_for((unsigned int)status);
}

/* ------- without a connection ------- */

struct http_exchange *http_exchange_new(struct str method, struct str path, struct str body,
                                        const struct http_header *headers, size_t header_count,
                                        void (*replied)(struct http_exchange *x, void *context),
                                        void *context)
{
    struct http_exchange *x = mem_alloc_zero(sizeof(*x));
    arena_init(&x->arena);
    x->state = STATE_HANDLING;
    x->started_us = clock_steady_us();
    x->method = arena_copy(&x->arena, method);
    x->query = arena_copy(&x->arena, path);
    x->path = str_cut(&x->query, '?');
    x->body = arena_copy(&x->arena, body);
    buf_init(&x->out, HTTP_BODY_MAX);
    buf_init(&x->in, 0);
    x->given = headers;
    x->given_count = header_count;
    x->replied = replied;
    x->replied_context = context;
    return x;
}
