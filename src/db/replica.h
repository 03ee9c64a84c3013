/* A read-only copy of the database, kept by its server, for reads that take long. It lags behind, so
 * it is asked only once it has all that the database itself had when the read began: then nothing that
 * it answers is older than a read of the database would have been, rights included. Where it has not
 * caught up in a moment, is away, or is a copy of something else, the database itself is asked.
 *
 * One for each thread that reads. */
#pragma once

#include "db/db.h"

struct replica;

struct replica_options {
    const char *url;
    struct db_options db;
    /* How far a database has come, and in which of its lives it is (store_position()). */
    enum err (*position)(struct db *db, struct position *out, struct uuid *life);
};

/* Nothing is opened yet. The options must outlive it. */
struct replica *replica_new(const struct replica_options *options);
void replica_free(struct replica *replica);

/* How far the database has come, to be asked for in a transaction on it. */
struct replica_goal {
    struct position at;
    struct uuid life;
};
enum err replica_goal(const struct replica_options *options, struct db *db,
                      struct replica_goal *out) CHECKED;
/* Begins a snapshot, which *out is in, that has all of `goal`; waits for it for some 100 ms, unless the
 * last one was missed too, and not beyond `deadline_us` (steady clock), which is that of the reads. */
enum err replica_begin(struct replica *replica, const struct replica_goal *goal,
                       int64_t deadline_us, struct db **out) CHECKED;
