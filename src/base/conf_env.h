/* Reads the text of a .env file as django-environ does, a pair at a time. Pure text work: opening
 * the file, and what `$NAME` stands for, is conf.c's. */
#pragma once

#include "base/arena.h"

struct env_reader {
    struct str rest; /* STR_NULL at the end */
    int line;        /* the number of the line that was read last */
};

enum env_kind {
    ENV_PAIR,
    ENV_BAD /* a line that is neither a pair, nor a comment, nor empty */
};

struct env_line {
    enum env_kind kind;
    int line;
    struct str name;
    struct str value; /* in the arena or in the text; may hold any byte but a line end */
};

void env_init(struct env_reader *reader, struct str text);
/* The next line that is not empty and not a comment; false at the end. */
bool env_next(struct env_reader *reader, struct arena *a, struct env_line *out) CHECKED;
