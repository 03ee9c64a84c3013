/* What is wrong with an input: texts by field, all of them at once, in the order found. */
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
};

static inline void problems_init(struct problems *p, struct arena *a)
{
    p->arena = a;
    p->first = NULL;
    p->last = &p->first;
}

/* `field` is a literal; `text` lives as long as the arena, or is a literal. */
static inline void problems_add(struct problems *p, const char *field, struct str text)
{
    struct problem *problem = ARENA_NEW(p->arena, struct problem);
    problem->field = field;
    problem->text = text;
    *p->last = problem;
    p->last = &problem->next;
}
