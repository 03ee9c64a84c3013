/* Random bytes from OpenSSL's generator, which reseeds itself and knows of fork(). Not for what
 * need only look random (jitter, sampling). Any thread. Without entropy the process ends. */
#pragma once

#include "base/arena.h"
#include "base/uuid.h"

void random_bytes(void *out, size_t n);
/* A new id: the clock's milliseconds and 74 random bits. Ids are not secrets: what must not be
 * guessed is made by token_new(). */
struct uuid random_uuid_v7(void);
/* 2 * bytes lower-case hexadecimal digits, in `a`. */
struct str random_hex(struct arena *a, size_t bytes);
