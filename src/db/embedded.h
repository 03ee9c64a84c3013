/* Files that the build puts into the program (scripts/embed.py), sorted by name. Read-only, for the
 * life of the process. */
#pragma once

#include <stddef.h>

struct embedded_file {
    const char *name; /* without its folder: "0001_initial.sql" */
    const char *data; /* as in the file, with a zero byte behind (not counted in size) */
    size_t size;
};

/* migrations/ */
extern const struct embedded_file embedded_migrations[];
extern const size_t embedded_migrations_count;
