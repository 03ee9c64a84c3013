#include "lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

static void keep(struct lines *lines, const char *text)
{
    if ((lines->count & (lines->count - 1)) == 0) { /* full: 0, 1, 2, 4, 8 ... */
        size_t room = lines->count == 0 ? 1 : 2 * lines->count;
        lines->line = realloc(lines->line, room * sizeof(*lines->line));
    }
    char *copy = strdup(text);
    if (lines->line == NULL || copy == NULL) {
        fail("out of memory");
    }
    lines->line[lines->count++] = copy;
}

struct lines lines_read(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fail("%s: %s", path, strerror(errno));
    }
    struct lines lines = {NULL, 0};
    char *text = NULL;
    size_t size = 0;
    while (getline(&text, &size, file) > 0) {
        text[strcspn(text, "\r\n")] = '\0';
        keep(&lines, text);
    }
    free(text);
    (void)fclose(file);
    if (lines.count == 0) {
        fail("%s is empty", path);
    }
    return lines;
}
