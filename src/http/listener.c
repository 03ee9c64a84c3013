/* Accepting connections, and ceasing to: a thread that hands each new one to the library. The
 * library could do it itself, but its threads race with MHD_quiesce_daemon() for the listening
 * socket (0.9.75), and the loser ends the process. While connections_max are open nothing is
 * accepted: the others wait in the kernel's queue. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "http/private.h"

enum { LISTEN_BACKLOG = 1024, PAUSE_MS = 20 };

static int bind_and_listen(const struct addrinfo *address)
{
    const int on = 1;
    const int off = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6) { /* "::" takes IPv4 too */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        return 0;
    }
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)&bound)->sin_port);
}

enum err listener_open(struct http_server *server, struct arena *a, struct str *problem)
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
    server->listener = bind_and_listen(found);
    int why = errno;
    freeaddrinfo(found);
    if (server->listener < 0) {
        *problem =
            arena_printf(a, "Cannot listen on %s port %lld: %s. Choose another PORT or HOST.",
                         options->host, (long long)options->port, strerror(why));
        return ERR_UNAVAILABLE;
    }
    server->port = port_of(server->listener);
    return ERR_OK;
}

/* Counts the next connection as open. False: the listener is to stop. */
static bool wait_for_room(struct http_server *server)
{
    pthread_mutex_lock(&server->links_lock);
    while (server->open >= server->options.connections_max && !server->listener_stopping) {
        pthread_cond_wait(&server->room, &server->links_lock);
    }
    server->open++;
    bool go_on = !server->listener_stopping;
    pthread_mutex_unlock(&server->links_lock);
    return go_on;
}

void listener_note_closed(struct http_server *server)
{
    server->open--;
    pthread_cond_signal(&server->room);
}

/* Whether it is worth trying again: all but the listener's end. */
static bool may_go_on(int why)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    if (why == EINVAL || why == EBADF) { /* shutdown() of the listening socket */
        return false;
    }
    if (why != EINTR && why != ECONNABORTED) {
        log_debug("http: accept: %s", strerror(why));
        nanosleep(&pause, NULL); /* no file or no memory left: some of either may come back */
    }
    return true;
}

static void *listener_main(void *arg)
{
    struct http_server *server = arg;
    bool go_on = true;
    while (go_on && wait_for_room(server)) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        int fd = accept4(server->listener, (struct sockaddr *)&peer, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        bool is_taken = fd >= 0 && MHD_add_connection(server->daemon, fd, (struct sockaddr *)&peer,
                                                      size) == MHD_YES;
        if (!is_taken) {
            go_on = fd >= 0 || may_go_on(errno);
            pthread_mutex_lock(&server->links_lock);
            listener_note_closed(server);
            pthread_mutex_unlock(&server->links_lock);
        }
    }
    return NULL;
}

void listener_start(struct http_server *server)
{
    if (pthread_create(&server->listener_thread, NULL, listener_main, server) != 0) {
        abort();
    }
}

void listener_stop(struct http_server *server)
{
    pthread_mutex_lock(&server->links_lock);
    server->listener_stopping = true;
    pthread_cond_signal(&server->room);
    pthread_mutex_unlock(&server->links_lock);
    (void)shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->listener_thread, NULL);
    close(server->listener);
    server->listener = -1;
}
