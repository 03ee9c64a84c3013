/* Not a log file and no rotation: whoever starts the server owns standard error. There is no lock:
 * one write(2) per line, and the only shared state is the level, which is set before threads. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_BYTES = 4096 };

static enum log_level lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    lowest = level;
}

/* Nothing in the text may end the line or speak to a terminal: C0, DEL, and C1, which in UTF-8 is
 * C2 80 to C2 9F. */
static void mask_controls(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F) {
            text[i] = '?';
        } else if (c == 0xC2 && i + 1 < n && ((unsigned char)text[i + 1] & 0xE0) == 0x80) {
            text[i] = '?';
            text[i + 1] = '?';
        }
    }
}

static size_t put_head(char *line, enum log_level level)
{
    static const char *const names[] = {" debug ", " info ", " warning ", " error "};
    size_t n = time_format(clock_now_us(), line);
    size_t name_n = strlen(names[level]);
    memcpy(line + n, names[level], name_n);
    return n + name_n;
}

/* The end of a text that was cut to n bytes, without half a character. */
static size_t whole_characters(const char *text, size_t n)
{
    while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80) {
        n--;
    }
    return n > 0 && (unsigned char)text[n - 1] >= 0xC0 ? n - 1 : n;
}

static void write_line(const char *line, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDERR_FILENO, line, n);
        if (written < 0 && errno != EINTR) {
            return; /* nobody is left to be told */
        }
        if (written > 0) {
            line += written;
            n -= (size_t)written;
        }
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level < lowest) {
        return;
    }
    int errno_before = errno;
    char line[LINE_MAX_BYTES];
    size_t head = put_head(line, level);
    size_t room = sizeof(line) - head - 1; /* the line end */
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(line + head, room, fmt, args);
    va_end(args);
    size_t n = wanted < 0 ? 0 : (size_t)wanted;
    if (n >= room) {
        n = whole_characters(line + head, room - 4);
        memcpy(line + head + n, "...", 3);
        n += 3;
    }
    mask_controls(line + head, n);
    line[head + n] = '\n';
    write_line(line, head + n + 1);
    errno = errno_before;
}
