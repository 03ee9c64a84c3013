/* WebSocket frames (RFC 6455), and a look into their JSON: as much as both ends of a benchmark
 * need. The server's tests judge its frames; here only what is looked for has to be found. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_TEXT = 1, FRAME_CLOSE = 8, FRAME_HEADER_MAX = 14 };
enum { MARK_SIZE = 32 }; /* with its 0 */

struct frame {
    int opcode;
    char *text;
    size_t n;
};

/* What a message carries in its body, so that who receives it knows which one it is, and since when
 * it has been due. */
struct mark {
    int64_t due_ns;
    uint32_t number;
};

/* Takes the frame at the front of bytes[0..n), unmasked in place: its size with the header, or 0:
 * it is not all there. */
size_t frame_take(char *bytes, size_t n, struct frame *out);
/* `out` has room for n + FRAME_HEADER_MAX. Returns the size. */
size_t frame_write(char *out, int opcode, bool is_masked, const char *text, size_t n);

/* Is its "type" this one? */
bool frame_is(const struct frame *frame, const char *type);
/* The first field of that name, wherever it stands: -1, false: there is none. */
int64_t frame_number(const struct frame *frame, const char *name);
bool frame_string(const struct frame *frame, const char *name, char *out, size_t size);

void mark_write(char out[MARK_SIZE], struct mark mark);
bool mark_find(const struct frame *frame, struct mark *out);
