#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { STATE_READING, STATE_HANDLING, STATE_DEFERRED, STATE_REPLIED };
/* A body over its limit is read and thrown away up to this factor, so that the client gets to see
 * the 413; beyond it the connection is cut. */
enum { DISCARD_FACTOR = 8, LISTEN_BACKLOG = 1024, STOP_READING_MS = 500, SMALL_BODY = 64 * 1024 };

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    int listener;
    int port;
    bool quiesced;
    atomic_int_fast64_t active;  /* requests under way */
    atomic_int_fast64_t reading; /* those of them that have not come wholly yet */
    atomic_int_fast64_t bodies;  /* their bytes in memory */
    atomic_int_fast64_t answers; /* the same */
};

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

static void exchange_free(struct http_exchange *x)
{
    if (x->state == STATE_READING) {
        atomic_fetch_sub(&x->server->reading, 1);
    }
    atomic_fetch_sub(&x->server->active, 1);
    atomic_fetch_sub(&x->server->answers, x->answer_size);
    drop_body(x);
    buf_fini(&x->out);
    arena_fini(&x->arena);
    free(x);
}

/* The connection's slot for the exchange under way. The library does not report the end of a request
 * that it gave up on while reading it (too many parameters for its memory); with the slot, the end of
 * the connection does. */
static struct http_exchange **exchange_slot(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = mem_alloc_zero(sizeof(struct http_exchange *));
        return;
    }
    struct http_exchange **slot = *socket_context;
    if (slot != NULL && *slot != NULL) {
        exchange_free(*slot);
    }
    free(slot);
    *socket_context = NULL;
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
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
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
    struct http_exchange **slot = exchange_slot(connection);
    if (slot != NULL) {
        *slot = x;
    }
    return x;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *server = context;
    struct http_exchange *x = *state;
    (void)code;
    if (x == NULL) {
        return;
    }
    struct http_exchange **slot = exchange_slot(connection);
    if (slot != NULL) {
        *slot = NULL;
    }
    if (x->state == STATE_REPLIED && server->options.sent != NULL) {
        server->options.sent(x, server->options.context);
    }
    *state = NULL;
    exchange_free(x);
}

static enum MHD_Result send_reply(struct http_exchange *x)
{
    size_t n = 0;
    char *body = buf_take(&x->out, &n);
    x->answer_size = (int64_t)n;
    atomic_fetch_add(&x->server->answers, x->answer_size);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        n, body != NULL ? body : "", body != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        free(body);
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
 * up keeps others from uploads, not from messages. False: far over its limit, cut the connection. */
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

/* Does everybody on the way see the body end at the same place (RFC 9112, 6.3)? Not with two lengths,
 * a length beside chunks, or an encoding other than chunks: where a proxy in front reads them
 * otherwise than the library, the rest of a body becomes somebody's request. */
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

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **state)
{
    struct http_server *server = context;
    struct http_exchange *x = *state;
    (void)connection;
    (void)url;
    (void)version;
    if (x->state == STATE_REPLIED) {
        return send_reply(x);
    }
    if (x->method.p == NULL) {
        x->method = arena_copy(&x->arena, str_of(method));
        return is_framed(x) ? MHD_YES : refuse_framing(x); /* first call: headers only */
    }
    if (*upload_size > 0) {
        bool go_on = take_body(x, upload, *upload_size);
        *upload_size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    x->body = buf_view(&x->in);
    x->overloaded = x->overloaded || atomic_load(&server->answers) >= server->options.memory_max;
    x->state = STATE_HANDLING;
    atomic_fetch_sub(&server->reading, 1);
    server->options.handle(x, server->options.context);
    /* Deferred: another thread has the exchange and may have replied already, it must not be
     * touched here. */
    return MHD_YES;
}

void http_defer(struct http_exchange *x)
{
    x->state = STATE_DEFERRED;
    MHD_suspend_connection(x->connection);
}

void http_reply(struct http_exchange *x)
{
    bool deferred = x->state == STATE_DEFERRED;
    x->state = STATE_REPLIED;
    if (deferred) {
        MHD_resume_connection(x->connection); /* on_access is called again, and sends */
    } else if (send_reply(x) != MHD_YES) {
        log_warning("a reply could not be queued");
    }
}

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    if (x->header_count == HTTP_HEADERS_MAX || strpbrk(value, "\r\n") != NULL) {
        abort();
    }
    x->headers[x->header_count++] = (struct http_header){name, value};
}

struct str http_request_header(struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
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
    struct header_values all = {x, str_of(name), STR_NULL};
    (void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, join_header, &all);
    return all.joined;
}

/* The path and query are taken as sent (on_request_line); the library need not decode them. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static void log_library(void *context, const char *fmt, va_list args)
{
    (void)context;
    char line[512];
    (void)vsnprintf(line, sizeof(line), fmt, args);
    log_debug("http: %s", line);
}

static enum err open_listener(struct http_server *server, struct arena *a, struct str *problem)
{
    const struct http_options *options = &server->options;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct str port = arena_printf(a, "%lld", (long long)options->port);
    int code = getaddrinfo(options->host, port.p, &hints, &found);
    if (code != 0) {
        *problem = arena_printf(a, "HOST: \"%s\" is no address of this machine (%s).",
                                options->host, gai_strerror(code));
        return ERR_UNAVAILABLE;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    const int off = 0;
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (found->ai_family == AF_INET6) { /* "::" takes IPv4 too */
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        }
    }
    bool listening = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                     listen(fd, LISTEN_BACKLOG) == 0;
    int why = errno;
    freeaddrinfo(found);
    if (!listening) {
        if (fd >= 0) {
            close(fd);
        }
        *problem =
            arena_printf(a, "Cannot listen on %s port %lld: %s. Choose another PORT or HOST.",
                         options->host, (long long)options->port, strerror(why));
        return ERR_UNAVAILABLE;
    }
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
        server->port =
            ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((struct sockaddr_in *)&bound)->sin_port);
    }
    server->listener = fd;
    return ERR_OK;
}

enum err http_server_new(const struct http_options *options, struct http_server **out,
                         struct arena *a, struct str *problem)
{
    struct http_server *server = mem_alloc_zero(sizeof(*server));
    server->options = *options;
    enum err e = open_listener(server, a, problem);
    if (e != ERR_OK) {
        free(server);
        return e;
    }
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG;
    unsigned pool = options->threads > 1 ? (unsigned)options->threads : 0;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, server->listener, MHD_OPTION_THREAD_POOL_SIZE, pool,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)options->connections_per_address_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->connection_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)options->connection_memory_max, MHD_OPTION_END);
    if (server->daemon == NULL) {
        *problem = STR("The HTTP library did not start; LOG_LEVEL=debug shows why.");
        close(server->listener);
        free(server);
        return ERR_UNAVAILABLE;
    }
    *out = server;
    return ERR_OK;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_quiesce(struct http_server *server)
{
    if (!server->quiesced) {
        server->quiesced = true;
        server->listener = MHD_quiesce_daemon(server->daemon);
    }
}

int64_t http_server_active(const struct http_server *server)
{
    return atomic_load(&server->active);
}

/* A request that is still being sent, perhaps by a client that is gone, is not waited for as long as
 * one that was taken. */
static bool is_busy(const struct http_server *server, int64_t waited_ms)
{
    int64_t active = http_server_active(server);
    return waited_ms < STOP_READING_MS ? active > 0 : active > atomic_load(&server->reading);
}

void http_server_free(struct http_server *server, int64_t timeout_ms)
{
    if (server == NULL) {
        return;
    }
    http_server_quiesce(server);
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int64_t waited = 0; waited < timeout_ms && is_busy(server, waited); waited++) {
        nanosleep(&pause, NULL);
    }
    MHD_stop_daemon(server->daemon);
    if (server->listener >= 0) {
        close(server->listener);
    }
    free(server);
}
