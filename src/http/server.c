#include "http/server.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "http/private.h"

enum { STOP_READING_MS = 500 };

/* The path and query are taken as sent (exchange_on_request_line); the library need not decode
 * them. */
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

enum err http_server_new(const struct http_options *options, struct http_server **out,
                         struct arena *a, struct str *problem)
{
    struct http_server *server = mem_alloc_zero(sizeof(*server));
    server->options = *options;
    enum err e = listener_open(server, a, problem);
    if (e != ERR_OK) {
        free(server);
        return e;
    }
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                     MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    unsigned pool = options->threads > 1 ? (unsigned)options->threads : 0;
    /* The listener counts. The library, which would divide its limit among the threads, comes to
     * none: a thread of it that does locks itself out (0.9.75, new_connection_process_()). */
    unsigned limit = (unsigned)options->connections_max * (pool > 0 ? pool : 1);
    patrol_start(server);
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_on_access, server, MHD_OPTION_EXTERNAL_LOGGER, log_library,
        NULL, MHD_OPTION_THREAD_POOL_SIZE, pool, MHD_OPTION_URI_LOG_CALLBACK,
        exchange_on_request_line, server, MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed,
        server, MHD_OPTION_NOTIFY_CONNECTION, patrol_on_connection, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)options->connections_per_address_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)options->connection_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)options->connection_memory_max, MHD_OPTION_END);
    if (server->daemon == NULL) {
        *problem = STR("The HTTP library did not start; LOG_LEVEL=debug shows why.");
        close(server->listener);
        patrol_stop(server);
        free(server);
        return ERR_UNAVAILABLE;
    }
    *out = server; /* which the first request may ask for */
    listener_start(server);
    return ERR_OK;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_quiesce(struct http_server *server)
{
    if (server->listener >= 0) {
        listener_stop(server);
    }
}

int64_t http_server_active(const struct http_server *server)
{
    return atomic_load(&server->active);
}

/* A request that is still being sent, perhaps by a client that is gone, is not waited for as long
 * as one that was taken. */
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
    patrol_stop(server);
    MHD_stop_daemon(server->daemon);
    pthread_cond_destroy(&server->room);
    pthread_cond_destroy(&server->links_changed);
    pthread_mutex_destroy(&server->links_lock);
    free(server);
}
