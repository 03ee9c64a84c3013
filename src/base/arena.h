/* Memory with the life of one request (or one command): taken in order, given back all at once.
 * Not for long-lived data. One thread at a time. Running out of memory ends the process; the
 * limits on bodies, pages and fields see to it that a client cannot make an arena grow far. */
#pragma once

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* the block that is being filled */
    size_t used;              /* bytes of it that are taken */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);
/* Gives everything back but keeps the first block, so that a reused arena costs no malloc. */
void arena_reset(struct arena *a);
/* Zeroed, aligned for any type. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);
/* Copies, with a zero byte behind (not counted in n). An absent str stays absent. */
struct str arena_copy(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc((a), sizeof(type) * (count)))

/* malloc and calloc that end the process instead of returning NULL; free() gives back. */
void *mem_alloc(size_t size);
void *mem_alloc_zero(size_t size);
void *mem_realloc(void *p, size_t size);
