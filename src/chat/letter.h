/* What Unicode calls a letter. Text must be valid UTF-8. */
#pragma once

#include "base/str.h"

/* The first code point of `text`, which is not empty; returns its length in bytes. */
size_t letter_next(struct str text, uint32_t *point);

/* Letters, digits and '_': Python's \w. */
bool letter_is_name(uint32_t point);
/* Letters, digits and the marks that belong to letters: what words are made of. */
bool letter_is_word(uint32_t point);
