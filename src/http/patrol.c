/* Connections, and who is too slow with a request. The library ends a connection on which nothing
 * at all happens for a while; who sends a byte now and then keeps it, and with some thousands of
 * them everybody else out. So a thread goes round: a request line must be there some seconds after
 * its first byte, and the rest of the request some seconds after the line, more for each KiB of a
 * body. What is late loses its socket's both directions (shutdown); the library sees the end and
 * cleans up.
 *
 * That a request line has begun is not to be seen in the library, but the kernel counts bytes.
 *
 * It looks after streams too: a connection that sleeps until there is something to say does not see
 * that its client has gone. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/private.h"

enum { GONE_MAX = 256, ROUNDS_PER_TIMEOUT = 10, ROUND_MAX_MS = 3000, BYTES_PER_SECOND = 1024 };

/* ------- the list of connections ------- */

static void link_add(struct http_server *server, struct http_link *link)
{
    pthread_mutex_lock(&server->links_lock);
    link->next = server->links;
    link->at = &server->links;
    if (link->next != NULL) {
        link->next->at = &link->next;
    }
    server->links = link;
    pthread_mutex_unlock(&server->links_lock);
}

/* Waits for the patrol: the descriptor is not closed while it looks at it. */
static void link_remove(struct http_server *server, struct http_link *link)
{
    pthread_mutex_lock(&server->links_lock);
    *link->at = link->next;
    if (link->next != NULL) {
        link->next->at = link->at;
    }
    listener_note_closed(server);
    pthread_mutex_unlock(&server->links_lock);
}

static int socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

/* The library does not report the end of a request that it gave up on while reading it (too many
 * parameters for its memory); the end of the connection does. */
void patrol_on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    struct http_link *link = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        link = mem_alloc_zero(sizeof(*link));
        link->fd = socket_of(connection);
        link_add(server, link);
        *socket_context = link;
        return;
    }
    if (link != NULL) {
        link_remove(server, link);
        if (link->exchange != NULL) {
            exchange_free(link->exchange);
        }
        free(link);
        *socket_context = NULL;
    }
}

void link_set_phase(struct http_link *link, enum link_phase phase)
{
    if (link == NULL) {
        return;
    }
    switch (phase) {
    case LINK_IDLE:
        atomic_fetch_add(&link->requests, 1);
        atomic_store(&link->since_us, 0);
        break;
    case LINK_READING: /* its time has begun with the first byte */
        atomic_store(&link->received, 0);
        if (atomic_load(&link->since_us) == 0) {
            atomic_store(&link->since_us, clock_steady_us());
        }
        break;
    case LINK_BUSY:
    case LINK_TAKEN: break;
    }
    atomic_store(&link->phase, (int)phase);
}

void link_set_stream(struct http_server *server, struct http_link *link, struct http_stream *stream)
{
    if (link != NULL) {
        pthread_mutex_lock(&server->links_lock);
        link->stream = stream;
        pthread_mutex_unlock(&server->links_lock);
    }
}

/* ------- a round ------- */

/* All zero: not to be told. */
static struct tcp_info kernel_info(const struct http_link *link)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    memset(&info, 0, sizeof(info));
    (void)getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info;
}

static int64_t bytes_received(const struct http_link *link)
{
    return (int64_t)kernel_info(link).tcpi_bytes_received;
}

static bool has_gone(const struct http_link *link)
{
    enum { CLOSE = 7, CLOSE_WAIT = 8 }; /* TCP_CLOSE ... of <netinet/tcp.h>, which is in the way */
    int state = kernel_info(link).tcpi_state;
    return state == CLOSE || state == CLOSE_WAIT;
}

/* Notes when a request line has begun. */
static void watch_idle(struct http_link *link, int64_t now_us)
{
    int64_t requests = atomic_load(&link->requests) + 1; /* so that 0 is "not looked at yet" */
    int64_t bytes = bytes_received(link);
    if (link->seen_requests != requests) {
        link->seen_requests = requests;
        link->seen_bytes = bytes;
    } else if (bytes > link->seen_bytes) {
        int_fast64_t nothing = 0;
        link->seen_bytes = bytes;
        (void)atomic_compare_exchange_strong(&link->since_us, &nothing, now_us);
    }
}

static bool is_late(const struct http_server *server, struct http_link *link, int64_t now_us)
{
    int phase = atomic_load(&link->phase);
    if (phase == LINK_IDLE) {
        watch_idle(link, now_us);
    } else if (phase != LINK_READING) {
        return false;
    }
    int64_t since_us = atomic_load(&link->since_us);
    int64_t more_s = phase == LINK_READING ? atomic_load(&link->received) / BYTES_PER_SECOND : 0;
    int64_t limit_us = (server->options.request_timeout_s + more_s) * US_PER_SECOND;
    return since_us != 0 && now_us - since_us > limit_us;
}

/* What the patrol has found and does once it has let go of the lock, as it wakes connections. */
struct found {
    struct http_stream *gone[GONE_MAX];
    size_t count;
};

static void go_round(struct http_server *server, struct found *found)
{
    int64_t now_us = clock_steady_us();
    for (struct http_link *link = server->links; link != NULL; link = link->next) {
        if (is_late(server, link, now_us)) {
            log_debug("http: a request came too slowly");
            (void)shutdown(link->fd, SHUT_RDWR);
        }
        if (link->stream != NULL && found->count < GONE_MAX && has_gone(link)) {
            found->gone[found->count++] = stream_ref(link->stream);
        }
    }
}

static void break_streams(struct found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        stream_break(found->gone[i]);
        http_stream_unref(found->gone[i]);
    }
    found->count = 0;
}

static struct timespec next_round(const struct http_server *server)
{
    int64_t ms = server->options.request_timeout_s * 1000 / ROUNDS_PER_TIMEOUT;
    struct timespec at;
    ms = ms > ROUND_MAX_MS ? ROUND_MAX_MS : ms;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void *patrol_main(void *arg)
{
    struct http_server *server = arg;
    struct found found = {.count = 0};
    pthread_mutex_lock(&server->links_lock);
    while (!server->patrol_stopping) {
        struct timespec at = next_round(server);
        int code = 0;
        while (!server->patrol_stopping && code == 0) {
            code = pthread_cond_timedwait(&server->links_changed, &server->links_lock, &at);
        }
        go_round(server, &found);
        pthread_mutex_unlock(&server->links_lock);
        break_streams(&found);
        pthread_mutex_lock(&server->links_lock);
    }
    pthread_mutex_unlock(&server->links_lock);
    return NULL;
}

void patrol_start(struct http_server *server)
{
    pthread_condattr_t steady;
    pthread_mutex_init(&server->links_lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&server->links_changed, &steady);
    pthread_condattr_destroy(&steady);
    pthread_cond_init(&server->room, NULL);
    if (pthread_create(&server->patrol, NULL, patrol_main, server) != 0) {
        abort();
    }
}

void patrol_stop(struct http_server *server)
{
    pthread_mutex_lock(&server->links_lock);
    server->patrol_stopping = true;
    pthread_cond_broadcast(&server->links_changed);
    pthread_mutex_unlock(&server->links_lock);
    pthread_join(server->patrol, NULL);
}
