/* Questions to a person, or to a pipe that holds the answers line by line. Prompts go to standard
 * error, and only where a person reads them. */
#pragma once

#include "base/arena.h"

enum { TERMINAL_LINE_MAX = 1024 };

struct terminal {
    bool is_person;               /* standard input is a terminal */
    char data[TERMINAL_LINE_MAX]; /* read, but not asked for yet */
    size_t n;
};

void terminal_init(struct terminal *t);
/* One line, without its end, in `a`. `hidden`: it is not shown while it is typed. False: the input
 * ended, was broken off (Ctrl-C), or the line is too long or not UTF-8; a sentence about it is on
 * standard error. */
bool terminal_ask(struct terminal *t, struct arena *a, const char *prompt, bool hidden,
                  struct str *out) CHECKED;
