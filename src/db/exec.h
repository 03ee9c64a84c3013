/* The executor: the one place where threads, connections and transactions meet.
 *
 *   reads   on SQLite on the caller's thread, on that thread's own read-only connection, in one
 *           snapshot; on a database server likewise on the threads of a pool, where those that wait
 *           and say ahead what they will ask share a snapshot: one round trip serves them all
 *           (while a thread is at such, the next few are left to gather)
 *   writes  queued to a writer: one thread, one connection, one transaction for all that wait
 *           (group commit). One that fails before it has written anything simply fails; one that
 *           has written undoes the batch, and the others run again without it. The shards of the
 *           database are dealt out to the writers, and where there is more than one shard another
 *           writer does what belongs to several or to nobody knows which, one by one. A batch begins
 *           with one round trip: the shards of its works, and what they have said ahead they will
 *           ask. What turns out to want a shard before one that it holds (ERR_DB_ORDER) is run again
 *           alone, holding all of them from its beginning: shards are held in their order, so that no
 *           two writers wait for each other
 *   pools   threads of their own with connections for reading, for what takes long: password
 *           hashes, searches, pages of catching up. A pool takes turns between the `turn`s of its
 *           works, so that nobody waits behind all that one client has queued
 *
 * A queue is bounded: submitting to a full one is refused at once. (In a full pool the newest work
 * of whoever has most queued gives way to another's first: it is done with ERR_BUSY, on the thread
 * that submits.) `done` is called after the commit is on disk, on the executor's thread, exactly
 * once for each accepted work.
 *
 * Locks: one mutex a queue, held only to link and unlink. */
#pragma once

#include "db/db.h"

struct exec;

struct work {
    struct work *next;
    /* May be called more than once: a batch that was abandoned is run again, so run starts from
     * nothing each time. Anything but ERR_OK undoes what it wrote. */
    enum err (*run)(struct work *work, struct db *db);
    /* What run will ask first, as db_foresee() has it; of a write before those before it have run. In
     * EXEC_READS for works that take a moment: with NULL the work gets a snapshot of its own. */
    void (*foresee)(struct work *work, struct db *db);
    /* `e`: what run said, or the failure of the whole batch (`batch_failed`). */
    void (*done)(struct work *work, enum err e, bool batch_failed);
    /* After `done` of the whole batch, or of all that shared a snapshot; NULL: the work is gone with its
     * `done`. What wakes other threads belongs here: one wake-up then finds a batch of answers. */
    void (*release)(struct work *work);
    enum err result; /* the executor's own note between run and done */
    void *context;   /* of who made it */
    int shard;       /* for exec_write: that writes in it only, or EXEC_ANY_SHARD */
    uint64_t turn;   /* for pools: whose it is, such as a hash of the client's address */
    uint64_t order;  /* the executor's own: in a pool's queue; for writes db_changes() before it */
    unsigned shards; /* the executor's own: others to hold before it runs, as bits */
};

enum { EXEC_ANY_SHARD = -1 };

enum exec_pool { EXEC_READS, EXEC_HASHES, EXEC_SEARCHES, EXEC_PAGES, EXEC_POOL_COUNT };

struct exec_pool_options {
    int64_t threads;
    int64_t queue_max;
    int nice; /* 0: as everybody; more: it gives way */
};

struct exec_options {
    const char *url;
    const char *replica_url; /* for EXEC_SEARCHES (replica.h); NULL: none */
    struct db_queries queries;
    int64_t write_queue_max;
    int64_t write_batch_max;
    int64_t write_threads; /* beside the one apart, at most one a shard; 0: as the engine needs */
    struct exec_pool_options pools[EXEC_POOL_COUNT];
    int64_t busy_timeout_ms;
    int64_t read_timeout_ms;
    /* Holds a shard (store_hold_shard()): what a batch begins with. */
    enum err (*hold)(struct db *db, int shard);
    /* Foresees that; NULL: it is not foreseen. */
    void (*foresee_hold)(struct db *db, int shard);
    /* How far a database has come; with replica_url only. */
    enum err (*position)(struct db *db, struct position *out, struct uuid *life);
    /* The rest on the writers' threads; NULL: nobody. A connection for writing is new, or was lost
     * and made again: before anything else is done on it; in no transaction. It has counted the
     * shards (*db_shards()) when it is back. */
    enum err (*connected)(struct db *db, void *context);
    /* After each commit, before its replies go out. `stamps`: of the shards that it has held. */
    void (*committed)(const struct position *stamps, void *context);
    void *context;
};

/* The database must exist and be migrated. */
enum err exec_new(const struct exec_options *options, struct exec **out, struct arena *a,
                  struct str *problem) CHECKED;
int exec_shards(const struct exec *exec);
/* Takes no more work, finishes the writes that are queued, turns work of the pools away that has
 * not begun (ERR_BUSY), joins the threads. Reads go on. */
void exec_stop(struct exec *exec);
/* After exec_stop, when no thread reads any more. */
void exec_free(struct exec *exec);

bool exec_write(struct exec *exec, struct work *work) CHECKED;
bool exec_run(struct exec *exec, enum exec_pool pool, struct work *work) CHECKED;

/* Does a read cost no waiting, so that the caller's thread may do it? Else EXEC_READS is for it. */
bool exec_reads_here(const struct exec *exec);
/* Begins a snapshot on this thread's connection, with the time limit for reads. */
enum err exec_read_begin(struct exec *exec, struct db **db) CHECKED;
void exec_read_end(struct exec *exec, struct db *db);

struct exec_stats {
    int64_t write_queued;
    int64_t pool_queued[EXEC_POOL_COUNT];
    int64_t batches;
    int64_t batched;
    int64_t failed_batches;
    bool replica_is_used;   /* by the last search */
    int64_t replica_reads;  /* searches that the replica answered */
    int64_t replica_missed; /* those that it should have, and the database itself did */
};
void exec_stats_get(struct exec *exec, struct exec_stats *out);
