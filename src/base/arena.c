#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 8 * 1024 - 64, ALIGN = 16 };

struct arena_block {
    struct arena_block *below; /* filled earlier */
    size_t size;
    _Alignas(ALIGN) char data[];
};

static _Noreturn void out_of_memory(void)
{
    fputs("confab: out of memory\n", stderr);
    abort();
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size == 0 ? 1 : size);
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *mem_alloc_zero(size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *mem_realloc(void *p, size_t size)
{
    void *moved = realloc(p, size == 0 ? 1 : size);
    if (moved == NULL) {
        out_of_memory();
    }
    return moved;
}

void arena_init(struct arena *a)
{
    *a = (struct arena){NULL, 0};
}

void arena_fini(struct arena *a)
{
    while (a->head != NULL) {
        struct arena_block *below = a->head->below;
        free(a->head);
        a->head = below;
    }
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    while (a->head != NULL && a->head->below != NULL) {
        struct arena_block *below = a->head->below;
        free(a->head);
        a->head = below;
    }
    if (a->head != NULL && a->head->size > BLOCK_SIZE) {
        arena_fini(a);
    }
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need < size) {
        out_of_memory();
    }
    if (a->head == NULL || a->head->size - a->used < need) {
        size_t room = need > BLOCK_SIZE ? need : BLOCK_SIZE;
        struct arena_block *block = mem_alloc(sizeof(*block) + room);
        block->below = a->head;
        block->size = room;
        a->head = block;
        a->used = 0;
    }
    void *p = a->head->data + a->used;
    a->used += need;
    return memset(p, 0, size);
}

struct str arena_copy(struct arena *a, struct str s)
{
    if (s.p == NULL) {
        return STR_NULL;
    }
    char *p = arena_alloc(a, s.n + 1);
    memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        return STR("");
    }
    char *p = arena_alloc(a, (size_t)n + 1);
    va_start(args, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return (struct str){p, (size_t)n};
}
