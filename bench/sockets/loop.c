#include "loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, FILES_SPARE = 64, SECOND_NS = 1000 * 1000 * 1000 };

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

int64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

int64_t clock_in_ns(double seconds)
{
    return clock_now_ns() + (int64_t)(seconds * SECOND_NS);
}

static void raise_files(size_t files)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < files + FILES_SPARE) {
        fail("%zu sockets need more open files than the limit of %llu", files,
             (unsigned long long)limit.rlim_cur);
    }
}

static void read_input(struct watch *watch)
{
    struct loop *loop = (struct loop *)((char *)watch - offsetof(struct loop, input));
    ssize_t n = read(watch->fd, loop->line + loop->line_n, sizeof(loop->line) - 1 - loop->line_n);
    if (n <= 0) {
        loop->input_ended = true;
        loop_close(loop, watch);
        return;
    }
    loop->line_n += (size_t)n;
}

void loop_init(struct loop *loop, size_t files)
{
    *loop = (struct loop){.input = {STDIN_FILENO, read_input}};
    raise_files(files);
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* timed waits end when they should */
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        fail("epoll_create1: %s", strerror(errno));
    }
}

static void control(struct loop *loop, int operation, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};
    if (epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) != 0) {
        fail("epoll_ctl: %s", strerror(errno));
    }
}

void loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
    control(loop, EPOLL_CTL_ADD, watch, events);
}

void loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_close(struct loop *loop, struct watch *watch)
{
    control(loop, EPOLL_CTL_DEL, watch, 0);
    (void)close(watch->fd);
    watch->fd = -1;
}

void loop_step(struct loop *loop, int64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t left_ns = until_ns - clock_now_ns();
    left_ns = left_ns > 0 ? left_ns : 0;
    const struct timespec wait = {left_ns / SECOND_NS, left_ns % SECOND_NS};
    int n = epoll_pwait2(loop->epoll_fd, events, EVENTS_MAX, &wait, NULL);
    if (n < 0 && errno != EINTR) {
        fail("epoll_pwait2: %s", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        struct watch *watch = events[i].data.ptr;
        if (watch->fd >= 0) { /* not closed by an event before it */
            watch->ready(watch);
        }
    }
}

void loop_sleep(struct loop *loop, double seconds)
{
    int64_t until_ns = clock_in_ns(seconds);
    while (clock_now_ns() < until_ns) {
        loop_step(loop, until_ns);
    }
}

const char *loop_command(struct loop *loop)
{
    static char command[sizeof(loop->line)];
    char *end;
    loop_add(loop, &loop->input, EPOLLIN);
    while ((end = memchr(loop->line, '\n', loop->line_n)) == NULL) {
        if (loop->input_ended || loop->line_n == sizeof(loop->line) - 1) {
            return NULL;
        }
        loop_step(loop, clock_in_ns(1));
    }
    if (!loop->input_ended) {
        control(loop, EPOLL_CTL_DEL, &loop->input, 0);
    }
    size_t n = (size_t)(end - loop->line);
    memcpy(command, loop->line, n);
    command[n] = '\0';
    loop->line_n -= n + 1;
    memmove(loop->line, end + 1, loop->line_n);
    return command;
}
