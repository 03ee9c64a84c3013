/* Usernames, and the words that people are found by. */
#pragma once

#include "base/arena.h"

enum { USERNAME_LENGTH_MAX = 150, NAME_LENGTH_MAX = 150, PHONE_LENGTH_MAX = 20 };

/* Letters and digits of any script, and . + - _ as Django has them; but no '@', so that a name and
 * an e-mail address are never taken for each other, and nothing that reads as a UUID, so that it is
 * not taken for an id. Length 1..USERNAME_LENGTH_MAX. */
bool username_valid(struct str name);

/* What is unique: folded. In `a`. */
struct str username_key(struct arena *a, struct str name);

/* A username to begin with, made of an e-mail's local part: always valid, with room for digits
 * behind it. In `a`. */
struct str username_from_email(struct arena *a, struct str email);

enum { WORD_BYTES_MAX = 64 };

/* The folded words of `text`: runs of letters, marks and digits, cut at WORD_BYTES_MAX. Writes at
 * most `max` of them, in `a`, and returns how many. */
size_t name_words(struct arena *a, struct str text, struct str *words, size_t max);
