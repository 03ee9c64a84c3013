/* Bodies in another character set than UTF-8, as `charset=` of the Content-Type names it. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* `text` as UTF-8, in the arena or `text` itself. An absent or empty charset is UTF-8, and UTF-8 is
 * handed on unchecked: json_read and the form readers have their own answers. ERR_PARSE: `problem`
 * says why, in Python's words. */
enum err charset_to_utf8(struct arena *a, struct str charset, struct str text, struct str *out,
                         struct str *problem) CHECKED;

/* With U+FFFD for what is no UTF-8, as Python's errors="replace". Valid text is returned itself. */
struct str charset_repair(struct arena *a, struct str s);
