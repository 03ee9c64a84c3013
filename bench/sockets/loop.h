/* One epoll loop, the clock, and commands on standard input: what the programs of the socket
 * benchmarks share. One thread. Whatever goes wrong ends the program with a sentence. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What waits for a descriptor: embedded first in its owner, to which `ready` casts back. */
struct watch {
    int fd;
    void (*ready)(struct watch *watch);
};

struct loop {
    int epoll_fd;
    struct watch input; /* standard input */
    char line[256];
    size_t line_n;
    bool input_ended;
};

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* CLOCK_MONOTONIC. */
int64_t clock_now_ns(void);
int64_t clock_in_ns(double seconds);

/* Raises the limit of open files as far as allowed; fails if `files` do not fit. */
void loop_init(struct loop *loop, size_t files);
void loop_add(struct loop *loop, struct watch *watch, uint32_t events);
void loop_change(struct loop *loop, struct watch *watch, uint32_t events);
/* Forgets and closes it. */
void loop_close(struct loop *loop, struct watch *watch);
/* Serves what is ready; waits for it until then at the longest. */
void loop_step(struct loop *loop, int64_t until_ns);
void loop_sleep(struct loop *loop, double seconds);
/* Serves until a whole line has come, which stays valid until the next call; NULL: no more. */
const char *loop_command(struct loop *loop);
