/* UTF-8 (RFC 3629) and Unicode folding (utf8proc). */
#pragma once

#include "base/arena.h"

/* Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF. *bad_at (may be NULL): where
 * the first wrong byte is. */
bool utf8_valid(struct str s, size_t *bad_at);
/* Code points of valid text. */
size_t utf8_length(struct str s);
/* Without Unicode white space around, as Python's str.strip(). */
struct str utf8_trim(struct str s);
/* For comparing and searching whatever the case: NFKC with full case folding. Lives in `a`. Text
 * that cannot be folded is returned as it is. */
struct str utf8_fold(struct arena *a, struct str s);
