/* Every row of one database into another, whatever their engines: for `confab move`. Both are opened
 * with move_queries(). Rows go in the order of their primary keys, so that the greatest key in the
 * target says how far an earlier move has come. */
#pragma once

#include "base/position.h"
#include "store/tables.h"

/* All that store/ has, too. In `a`. */
struct db_queries move_queries(struct arena *a);

/* Has it no rows but those that a database has from its migrations and from a server's start? */
enum err move_is_empty(struct db *to, bool *empty) CHECKED;
/* Takes away what a server's start has left; in a transaction that writes. */
enum err move_clear(struct db *to) CHECKED;
/* Is the number of shards the same? Then positions mean the same in both, and old cursors stay good. */
enum err move_keeps_positions(struct db *from, struct db *to, bool *keeps) CHECKED;
/* Without the positions neither the log of changes nor the incarnations are copied. */
bool move_copies(enum table_number table, bool keeps_positions);

/* Copies the next rows of a table, `most` at most, in a transaction of its own. *copied: 0 at its end. */
enum err move_page(struct db *from, struct db *to, enum table_number table, int64_t most,
                   int64_t *copied) CHECKED;
/* The counters, in a transaction that writes: as they are, or, where shards differ, each at the greatest
 * of the source's, so that no stamp is beyond them, and what is counted in the first. */
enum err move_shards(struct db *from, struct db *to) CHECKED;

/* What all rows of a table come to, in whatever order, the same on every engine: their number, and the
 * sum of the SHA-256 of each. */
struct move_sum {
    int64_t rows;
    uint64_t parts[4];
};

/* `page`: rows that are read at once. */
enum err move_sum_table(struct db *db, enum table_number table, int64_t page, struct move_sum *out)
    CHECKED;
/* What the target's counters have to come to. */
enum err move_sum_shards(struct db *from, struct db *to, struct move_sum *out) CHECKED;
bool move_sum_eq(const struct move_sum *a, const struct move_sum *b);
