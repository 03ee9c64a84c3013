/* What somebody types to search by, as words. */
#pragma once

#include "chat/call.h"

/* The words of `text`, folded, as db_vals; blanks and commas part them, as in DRF's SearchFilter.
 * Absent text has none. ERR_INVALID: more than `most`, which is a problem of `search`. */
enum err chat_search_words(struct call *call, struct str text, struct db_val *words, size_t most,
                           size_t *count) CHECKED;
