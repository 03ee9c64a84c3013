/* A file of lines: tokens of users, ids of conversations. Kept until the program ends. */
#pragma once

#include <stddef.h>

struct lines {
    char **line;
    size_t count;
};

/* Fails if there is none. */
struct lines lines_read(const char *path);
