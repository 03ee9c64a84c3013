#include "poster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { REQUEST_MAX = 8192 };

/* Is the whole answer there? */
static bool is_whole(const struct poster *poster)
{
    static const char name[] = "content-length:";
    const char *head = poster->answer;
    const char *end = memmem(head, poster->answer_n, "\r\n\r\n", 4);
    if (end == NULL) {
        return false;
    }
    size_t length = 0;
    for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, name, sizeof(name) - 1) == 0) {
            length = strtoul(line + sizeof(name) - 1, NULL, 10);
        }
    }
    return poster->answer_n >= (size_t)(end - head) + 4 + length;
}

static void receive(struct watch *watch)
{
    struct poster *poster = (struct poster *)watch;
    size_t room = POSTER_ANSWER_MAX - 1 - poster->answer_n;
    ssize_t n = recv(watch->fd, poster->answer + poster->answer_n, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        fail("the POST was not answered: %s", n == 0 ? "closed" : strerror(errno));
    }
    int64_t now_ns = clock_now_ns();
    poster->answer_n += (size_t)n;
    poster->answer[poster->answer_n] = '\0';
    if (!is_whole(poster)) {
        return;
    }
    if (strncmp(poster->answer, "HTTP/1.1 201", 12) != 0) {
        fail("the POST was answered: %.1000s", poster->answer);
    }
    poster->answered_ns = now_ns;
}

void poster_open(struct poster *poster, struct loop *loop, uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
        fail("cannot connect to port %u: %s", port, strerror(errno));
    }
    poster->loop = loop;
    poster->watch = (struct watch){fd, receive};
    loop_add(loop, &poster->watch, EPOLLIN);
}

void poster_send(struct poster *poster, const char *path, const char *token, const char *body)
{
    char request[REQUEST_MAX];
    int n = snprintf(request, sizeof(request),
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                     "Accept: application/json\r\nContent-Type: application/json\r\n"
                     "X-Room: 0\r\nContent-Length: %zu\r\n\r\n%s",
                     path, token, strlen(body), body);
    if (n < 0 || (size_t)n >= sizeof(request)) {
        fail("the POST is too long");
    }
    poster->answered_ns = 0;
    poster->answer_n = 0;
    if (send(poster->watch.fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
        fail("the POST cannot be sent: %s", strerror(errno));
    }
}

void poster_close(struct poster *poster)
{
    loop_close(poster->loop, &poster->watch);
}
