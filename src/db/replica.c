#include "db/replica.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "db/backoff.h"

enum { WAIT_US = 100 * 1000, STEP_US = 2 * 1000 };

struct replica {
    const struct replica_options *options;
    struct db *db; /* NULL: it could not be opened yet */
    struct backoff backoff;
    bool was_missed; /* the last goal */
};

struct replica *replica_new(const struct replica_options *options)
{
    struct replica *replica = mem_alloc_zero(sizeof(*replica));
    replica->options = options;
    return replica;
}

void replica_free(struct replica *replica)
{
    if (replica != NULL) {
        db_close(replica->db);
        free(replica);
    }
}

static enum err open_if_closed(struct replica *replica)
{
    struct arena a;
    struct str problem = STR("");
    if (replica->db != NULL) { /* a connection that is lost is made again by its driver */
        return ERR_OK;
    }
    if (!backoff_is_over(&replica->backoff)) {
        return ERR_UNAVAILABLE;
    }
    arena_init(&a);
    enum err e =
        db_open(replica->options->url, &replica->options->db, &replica->db, &a, &problem);
    if (e != ERR_OK) {
        replica->db = NULL;
        log_warning("cannot open the replica: %.*s", STR_ARG(problem));
    }
    arena_fini(&a);
    backoff_note(&replica->backoff, e == ERR_OK);
    return e;
}

enum err replica_goal(const struct replica_options *options, struct db *db,
                      struct replica_goal *out)
{
    return options->position(db, &out->at, &out->life);
}

/* ERR_BUSY: it has not come so far. */
static enum err try_now(struct replica *replica, const struct replica_goal *goal)
{
    struct replica_goal there = {.at = {{0}}};
    enum err e = db_begin_read(replica->db);
    if (e == ERR_OK) {
        e = replica_goal(replica->options, replica->db, &there);
    }
    bool is_there = uuid_eq(there.life, goal->life) && position_covers(&there.at, &goal->at);
    if (e == ERR_OK && !is_there) {
        e = ERR_BUSY;
    }
    if (e != ERR_OK) {
        db_rollback(replica->db);
    }
    return e;
}

enum err replica_begin(struct replica *replica, const struct replica_goal *goal,
                       int64_t deadline_us, struct db **out)
{
    const struct timespec step = {.tv_nsec = STEP_US * 1000};
    int64_t until_us = clock_steady_us() + (replica->was_missed ? 0 : WAIT_US);
    enum err e = open_if_closed(replica);
    if (e != ERR_OK) {
        return e;
    }
    db_set_deadline(replica->db, deadline_us);
    e = try_now(replica, goal);
    while (e == ERR_BUSY && clock_steady_us() < until_us) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
        e = try_now(replica, goal);
    }
    replica->was_missed = e != ERR_OK;
    *out = replica->db;
    return e;
}
