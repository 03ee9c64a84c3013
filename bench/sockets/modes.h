/* What `sockets` can do. Each gets its own words, connects its clients, prints a line of JSON when
 * that is done, and then does what is written to its standard input, a line of JSON for each. */
#pragma once

#include <stdint.h>

#include "lines.h"

struct mode_arguments {
    uint16_t port;
    struct lines tokens;
    const char **words;
};

void mode_hold(const struct mode_arguments *arguments);
void mode_fanout(const struct mode_arguments *arguments);
void mode_relay(const struct mode_arguments *arguments);
void mode_slow(const struct mode_arguments *arguments);

/* A number of at least `min`, or the end with a sentence that names it. */
long mode_number(const char *text, const char *name, long min);
/* The words of a command: name and at most two numbers. */
struct mode_command {
    char name[16];
    long first;
    long second;
};
struct mode_command mode_parse(const char *line);
