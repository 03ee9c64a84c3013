/* How far something has come in the order of commits: a stamp for each shard of the database. Where
 * there is one shard (SQLite) only at[0] counts; the others are 0 on both sides of a comparison. */
#pragma once

#include "base/str.h"

enum { SHARDS_MAX = 8 };

struct position {
    int64_t at[SHARDS_MAX];
};

/* Has `a` come at least as far as `b` in every shard? */
static inline bool position_covers(const struct position *a, const struct position *b)
{
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        if (a->at[i] < b->at[i]) {
            return false;
        }
    }
    return true;
}

static inline bool position_eq(const struct position *a, const struct position *b)
{
    return position_covers(a, b) && position_covers(b, a);
}

/* The farther of both, shard by shard. */
static inline struct position position_max(struct position a, const struct position *b)
{
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        a.at[i] = a.at[i] > b->at[i] ? a.at[i] : b->at[i];
    }
    return a;
}

/* The shorter of both, shard by shard. */
static inline struct position position_min(struct position a, const struct position *b)
{
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        a.at[i] = a.at[i] < b->at[i] ? a.at[i] : b->at[i];
    }
    return a;
}
