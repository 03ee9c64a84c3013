/* What is wrong with an input: texts by field, all of them at once, in the order found. What comes
 * after the first hundred is not kept: no person wrote that, and telling it costs its square. */
#pragma once

#include "base/arena.h"

struct problem {
    struct problem *next;
    const char *field; /* "non_field_errors" for the whole */
    struct str text;
};

struct problems {
    struct arena *arena;
    struct problem *first;
    struct problem **last;
    int count;
};

enum { PROBLEMS_MAX = 100 };

static inline void problems_init(struct problems *p, struct arena *a)
{
    p->arena = a;
    p->first = NULL;
    p->last = &p->first;
    p->count = 0;
}

/* `field` is a literal; `text` lives as long as the arena, or is a literal. */
static inline void problems_add(struct problems *p, const char *field, struct str text)
{
    if (p->count == PROBLEMS_MAX) {
        return;
    }
    p->count++;
    struct problem *problem = ARENA_NEW(p->arena, struct problem);
    problem->field = field;
    problem->text = text;
    *p->last = problem;
    p->last = &problem->next;
}
