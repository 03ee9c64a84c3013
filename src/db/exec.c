#include "db/exec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "db/replica.h"

enum {
    POOL_THREADS_MAX = 16,
    BATCH_RUNS_MAX = 3,
    SHARED_MAX = 8,
    GATHERED_MAX = 4,
    FORESEEN_AT_ONCE = 32, /* works of a batch */
};

/* Works in the order in which they came. A pool does not take them in that order but by
 * `work->order`, see pool_put(). */
struct queue {
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t filled;
    struct work *first;
    struct work **last;
    int64_t length;
    int64_t max;
    bool stopping;
    uint64_t taken_order; /* of the work that was taken last; pools only, as the next one */
    uint64_t taken_turn;
    int64_t sharing; /* threads whose works share a snapshot; pools only */
};

struct pool {
    struct exec *exec;
    const struct exec_pool_options *options;
    struct queue works;
    pthread_t threads[POOL_THREADS_MAX];
    int64_t started;
};

struct writer {
    struct exec *exec;
    bool is_apart; /* the one for what belongs to several shards, or to nobody knows which */
    struct queue works;
    struct db *db;      /* the thread's */
    int64_t connection; /* its number when options.connected was called last */
    bool was_ended;     /* the database has ended the last transaction */
    pthread_t thread;
};

struct exec {
    struct exec_options options;
    struct pool pools[EXEC_POOL_COUNT];
    struct writer writers[SHARDS_MAX + 1]; /* shards take turns; behind them the one apart */
    int shards;
    int shared_count; /* of the writers, those that have shards */
    int writer_count;
    pthread_key_t reader_key; /* each thread's read connection; closed when the thread ends */
    atomic_int_fast64_t batches;
    atomic_int_fast64_t batched;
    atomic_int_fast64_t failed_batches;
    struct replica_options replica; /* url NULL: there is none */
    atomic_bool replica_is_used;
    atomic_int_fast64_t replica_reads;
    atomic_int_fast64_t replica_missed;
};

/* ------- queues ------- */

static void queue_init(struct queue *q, int64_t max)
{
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->filled, NULL);
    q->first = NULL;
    q->last = &q->first;
    q->length = 0;
    q->max = max;
    q->stopping = false;
    q->sharing = 0;
}

static void queue_fini(struct queue *q)
{
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
}

/* The lock is held. */
static void append(struct queue *q, struct work *work)
{
    work->next = NULL;
    *q->last = work;
    q->last = &work->next;
    q->length++;
}

/* The lock is held. `at`: the link to it. */
static struct work *unlink_work(struct queue *q, struct work **at)
{
    struct work *work = *at;
    *at = work->next;
    if (*at == NULL) {
        q->last = at;
    }
    work->next = NULL;
    q->length--;
    return work;
}

static bool queue_put(struct queue *q, struct work *work)
{
    pthread_mutex_lock(&q->lock);
    bool room = !q->stopping && q->length < q->max;
    if (room) {
        append(q, work);
        if (q->length == 1) {
            pthread_cond_signal(&q->filled);
        }
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

/* The lock is held. Waits for work or the end. */
static void wait_filled(struct queue *q)
{
    while (q->first == NULL && !q->stopping) {
        pthread_cond_wait(&q->filled, &q->lock);
    }
}

/* Waits for work; up to `most` of it as a list. NULL: stopped, and nothing is left. */
static struct work *queue_take(struct queue *q, int64_t most)
{
    pthread_mutex_lock(&q->lock);
    wait_filled(q);
    struct work *taken = q->first;
    struct work **end = &q->first;
    for (int64_t n = 0; n < most && *end != NULL; n++) {
        end = &(*end)->next;
        q->length--;
    }
    q->first = *end;
    *end = NULL;
    if (q->first == NULL) {
        q->last = &q->first;
    } else {
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

static void queue_stop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

static bool queue_is_stopping(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool stopping = q->stopping;
    pthread_mutex_unlock(&q->lock);
    return stopping;
}

static int64_t queue_length(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    int64_t length = q->length;
    pthread_mutex_unlock(&q->lock);
    return length;
}

/* ------- turns ------- */

/* Start-time fair queueing: the n-th work of a turn that waits stands beside the n-th of every
 * other. The lock is held; the queue is short. */
static uint64_t next_order(const struct queue *q, uint64_t turn)
{
    uint64_t last = q->taken_order;
    for (const struct work *w = q->first; w != NULL; w = w->next) {
        if (w->turn == turn && w->order > last) {
            last = w->order;
        }
    }
    return last + 1;
}

/* The link to the work that stands farthest behind: the newest of whoever has queued most. */
static struct work **find_hindmost(struct queue *q)
{
    struct work **found = &q->first;
    for (struct work **at = &q->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->order >= (*found)->order) {
            found = at;
        }
    }
    return found;
}

/* The link to the work whose turn it is. Of equals, one of another turn than the last. */
static struct work **find_foremost(struct queue *q)
{
    struct work **found = &q->first;
    for (struct work **at = &q->first; *at != NULL; at = &(*at)->next) {
        bool is_next = (*at)->order < (*found)->order ||
                       ((*at)->order == (*found)->order && (*found)->turn == q->taken_turn &&
                        (*at)->turn != q->taken_turn);
        found = is_next ? at : found;
    }
    return found;
}

/* May what waits be left to a thread that is at works which share a snapshot? They take a moment; what
 * gathers meanwhile goes out together then, which costs less than another thread. The lock is held. */
static bool may_gather(const struct queue *q, const struct work *work)
{
    return work->foresee != NULL && q->sharing > 0 && q->length < GATHERED_MAX;
}

/* In a full queue the work that stands farthest behind gives way to one that would stand before it:
 * who fills the queue keeps nobody else out. *displaced: that work, or NULL. */
static bool pool_put(struct queue *q, struct work *work, struct work **displaced)
{
    *displaced = NULL;
    pthread_mutex_lock(&q->lock);
    work->order = next_order(q, work->turn);
    bool room = !q->stopping && q->length < q->max;
    if (!room && !q->stopping && q->first != NULL) {
        struct work **hindmost = find_hindmost(q);
        room = (*hindmost)->order > work->order;
        *displaced = room ? unlink_work(q, hindmost) : NULL;
    }
    if (room) {
        append(q, work);
        if (!may_gather(q, work) && (q->length == 1 || q->sharing > 0)) {
            pthread_cond_signal(&q->filled);
        }
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

/* The lock is held, and the queue is not empty. */
static struct work *take_foremost(struct queue *q)
{
    struct work *taken = unlink_work(q, find_foremost(q));
    q->taken_order = taken->order;
    q->taken_turn = taken->turn;
    return taken;
}

/* One, or a list of such as may share a snapshot. NULL: nothing is there, and with `waits` it is
 * stopped. *is_sharing is the thread's own: false, before it takes for the first time. */
static struct work *pool_take(struct queue *q, bool waits, bool *is_sharing)
{
    struct work *taken = NULL;
    pthread_mutex_lock(&q->lock);
    q->sharing -= *is_sharing ? 1 : 0;
    if (waits) {
        wait_filled(q);
    }
    if (q->first != NULL) {
        struct work *last = taken = take_foremost(q);
        for (int n = 1; n < SHARED_MAX && last->foresee != NULL && q->first != NULL &&
                        (*find_foremost(q))->foresee != NULL;
             n++) {
            last = last->next = take_foremost(q);
        }
    }
    *is_sharing = taken != NULL && taken->foresee != NULL;
    q->sharing += *is_sharing ? 1 : 0;
    if (q->first != NULL && !may_gather(q, *find_foremost(q))) {
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

/* ------- writers ------- */

static bool is_known(const struct exec *exec, int shard)
{
    return shard >= 0 && shard < exec->shards;
}

/* What the first `most` of them will ask. Returns the one behind, or NULL. */
static struct work *foresee_first(struct work *list, int most, struct db *db)
{
    for (; list != NULL && most > 0; list = list->next, most--) {
        if (list->foresee != NULL) {
            list->foresee(list, db);
        }
    }
    return list;
}

/* Rows that were changed, but for the counters of the shards that are held. */
static int64_t written(struct db *db)
{
    return db_changes(db) - __builtin_popcount(db_held(db));
}

/* Runs one work inside the transaction; its failure is its own result. False: it wrote before it
 * failed, or ended the transaction, so that the batch cannot go on. */
static bool run_one(struct writer *writer, struct work *work)
{
    struct db *db = writer->db;
    int64_t before = written(db);
    work->order = (uint64_t)db_changes(db);
    work->result = work->run(work, db);
    if (work->result == ERR_DB_ORDER) {
        work->shards = db_held(db) | *db_wanted(db);
    }
    writer->was_ended = !db_in_transaction(db);
    return !writer->was_ended && (work->result == ERR_OK || written(db) == before);
}

/* Begins a transaction; on a new connection says so first. */
static enum err begin(struct writer *writer)
{
    const struct exec_options *options = &writer->exec->options;
    struct db *db = writer->db;
    enum err e = db_begin_write(db);
    if (e != ERR_OK || db_connection_number(db) == writer->connection) {
        return e;
    }
    db_rollback(db);
    e = options->connected != NULL ? options->connected(db, options->context) : ERR_OK;
    if (e != ERR_OK) {
        return e;
    }
    writer->connection = db_connection_number(db);
    return db_begin_write(db);
}

/* Whose statement ended the transaction, if that is known; `last` was the last to run, but nobody may
 * have waited for a statement of one before. That one gets its failure. */
static struct work *find_culprit(struct db *db, struct work *list, const struct work *last)
{
    int64_t at;
    struct work *found = list;
    enum err e = db_failure(db, &at);
    if (e == ERR_OK || at < 0) {
        return NULL;
    }
    while (found != last && found->next->order <= (uint64_t)at) {
        found = found->next;
    }
    if (found != last || found->result == ERR_OK) {
        found->result = e;
    }
    return found;
}

/* The shards that the works belong to, and those that they are known to want besides. */
static unsigned shards_of(const struct exec *exec, const struct work *list)
{
    unsigned shards = 0;
    for (const struct work *w = list; w != NULL; w = w->next) {
        shards |= w->shards | (is_known(exec, w->shard) ? 1U << w->shard : 0);
    }
    return shards;
}

static void foresee_hold(struct writer *writer, unsigned shards)
{
    for (int i = 0; shards >> i != 0; i++) {
        if ((shards >> i & 1) != 0 && writer->exec->options.foresee_hold != NULL) {
            writer->exec->options.foresee_hold(writer->db, i);
        }
    }
}

static enum err hold(struct writer *writer, unsigned shards)
{
    enum err e = ERR_OK;
    for (int i = 0; shards >> i != 0 && e == ERR_OK; i++) {
        e = (shards >> i & 1) != 0 ? writer->exec->options.hold(writer->db, i) : ERR_OK;
    }
    return e;
}

/* One transaction for the whole list. If nothing of it is stored, either the failure is returned,
 * or *culprit is the work that could not stay (its own result says why). */
static enum err run_batch(struct writer *writer, struct work *list, struct work **culprit)
{
    const struct exec_options *options = &writer->exec->options;
    struct db *db = writer->db;
    struct work *last = NULL;
    struct work *unforeseen = NULL;
    *culprit = NULL;
    enum err e = begin(writer);
    if (e == ERR_OK) {
        unsigned shards = shards_of(writer->exec, list);
        foresee_hold(writer, shards); /* one round trip with what the first works ask */
        unforeseen = foresee_first(list, FORESEEN_AT_ONCE, db);
        e = hold(writer, shards);
    }
    for (struct work *w = list; w != NULL && e == ERR_OK && *culprit == NULL; w = w->next) {
        if (w == unforeseen) {
            unforeseen = foresee_first(w, FORESEEN_AT_ONCE, db);
        }
        last = w;
        if (!run_one(writer, w)) {
            struct work *found = find_culprit(db, list, w);
            *culprit = found != NULL ? found : w;
        }
    }
    if (e == ERR_OK && *culprit == NULL) {
        e = db_commit(db);
        *culprit = e != ERR_OK ? find_culprit(db, list, last) : NULL;
        writer->was_ended = *culprit != NULL;
        if (e == ERR_OK && options->committed != NULL) {
            options->committed(db_stamps(db), options->context);
        }
    } else {
        db_rollback(db);
    }
    if (e == ERR_OUTCOME_UNKNOWN && db_is_embedded(db)) {
        /* Nobody can say what is on disk: end, start afresh, clients retry by client_id. */
        log_error("commit failed with an I/O error: the outcome is open, stopping");
        _exit(EXIT_FAILURE);
    }
    return e;
}

/* Works that are done and to be released. */
struct done {
    struct work *first;
    struct work **last;
};

static void note_done(struct done *done, struct work *work, enum err e, bool batch_failed)
{
    bool stays = work->release != NULL; /* else `done` may free it */
    work->done(work, e, batch_failed);
    if (stays) {
        work->next = NULL;
        *done->last = work;
        done->last = &work->next;
    }
}

static void release_all(struct work *list)
{
    while (list != NULL) {
        struct work *work = list;
        list = work->next;
        work->release(work);
    }
}

static void finish(struct work *list, enum err batch)
{
    struct done done = {NULL, &done.first};
    while (list != NULL) {
        struct work *work = list;
        list = work->next;
        note_done(&done, work, batch != ERR_OK ? batch : work->result, batch != ERR_OK);
    }
    release_all(done.first);
}

/* The failures of the database itself are those of the batch; a request's own are its answer. */
static bool is_database_failure(enum err e)
{
    return e == ERR_OK || e == ERR_STORAGE_FULL || e == ERR_UNAVAILABLE || e == ERR_BUSY;
}

static void finish_culprit(struct work *culprit)
{
    bool databases = is_database_failure(culprit->result);
    enum err e = culprit->result != ERR_OK ? culprit->result : ERR_UNAVAILABLE;
    culprit->next = NULL;
    finish(culprit, databases ? e : ERR_OK);
}

static struct work *without(struct work *list, const struct work *one)
{
    struct work **at = &list;
    while (*at != one) {
        at = &(*at)->next;
    }
    *at = one->next;
    return list;
}

/* A server ends a transaction for each failure: for a row that somebody has just written in another
 * shard, or since two waited for each other. Who runs again meets neither. */
static bool may_run_again(const struct writer *writer)
{
    return writer->was_ended && !db_is_embedded(writer->db);
}

/* In a transaction of its own, `runs` times at most, but for those in which it found that it wants
 * more shards. */
static void run_alone(struct writer *writer, struct work *work, int runs)
{
    struct work *culprit;
    enum err e;
    work->next = NULL;
    do {
        work->result = ERR_OK;
        e = run_batch(writer, work, &culprit);
    } while (work->result == ERR_DB_ORDER ||
             (--runs > 0 && culprit != NULL && may_run_again(writer)));
    if (culprit != NULL) {
        finish_culprit(work);
    } else {
        finish(work, e);
    }
}

static void run_apart(struct writer *writer, struct work *list)
{
    while (list != NULL) {
        struct work *next = list->next;
        run_alone(writer, list, 2);
        list = next;
    }
}

/* Takes those out that want more shards. */
static struct work *take_unordered(struct work **list)
{
    struct work *taken = NULL;
    struct work **last = &taken;
    for (struct work **at = list; *at != NULL;) {
        struct work *work = *at;
        if (work->result == ERR_DB_ORDER) {
            *at = work->next;
            *last = work;
            last = &work->next;
        } else {
            at = &work->next;
        }
    }
    *last = NULL;
    return taken;
}

/* A request that writes and then fails costs its batch a second run without it; from the third on
 * they run apart, so that a client who provokes it slows others down by so much and no more. */
static void run_list(struct writer *writer, struct work *list)
{
    struct exec *exec = writer->exec;
    for (int runs = 0; list != NULL; runs++) {
        struct work *culprit;
        if (runs == BATCH_RUNS_MAX) {
            run_apart(writer, list);
            return;
        }
        enum err e = run_batch(writer, list, &culprit);
        if (culprit == NULL) {
            struct work *unordered = e == ERR_OK ? take_unordered(&list) : NULL;
            if (e != ERR_OK) {
                atomic_fetch_add(&exec->failed_batches, 1);
                log_warning("batch undone code=%s", err_code(e));
            }
            finish(list, e);
            run_apart(writer, unordered);
            return;
        }
        struct work *unordered = take_unordered(&list);
        if (culprit->result != ERR_DB_ORDER) {
            list = without(list, culprit);
            atomic_fetch_add(&exec->failed_batches, 1);
            log_warning("batch undone by a request that wrote before it failed code=%s",
                        err_code(culprit->result));
            if (may_run_again(writer)) {
                run_alone(writer, culprit, 1);
            } else {
                finish_culprit(culprit);
            }
        }
        run_apart(writer, unordered);
    }
}

static void *writer_main(void *arg)
{
    struct writer *writer = arg;
    struct exec *exec = writer->exec;
    /* Who holds several shards for one work holds them shortly. */
    int64_t most = writer->is_apart ? 1 : exec->options.write_batch_max;
    struct work *list;
    while ((list = queue_take(&writer->works, most)) != NULL) {
        int64_t length = 0;
        for (struct work *w = list; w != NULL; w = w->next) {
            length++;
        }
        run_list(writer, list);
        atomic_fetch_add(&exec->batches, 1);
        atomic_fetch_add(&exec->batched, length);
    }
    return NULL;
}

/* ------- pools ------- */

static void reader_close(void *db)
{
    db_close(db);
}

static void note_replica(struct exec *exec, bool is_used)
{
    atomic_fetch_add(is_used ? &exec->replica_reads : &exec->replica_missed, 1);
    if (atomic_exchange(&exec->replica_is_used, is_used) != is_used) {
        log_warning(is_used ? "searches go to the replica"
                            : "the replica is away or behind: searches go to the database itself");
    }
}

/* The replica if it has all that the database has, else the database. */
static enum err begin_search(struct exec *exec, struct replica *replica, struct db **db)
{
    struct replica_goal goal;
    struct db *copy;
    int64_t deadline_us = clock_steady_us() + exec->options.read_timeout_ms * 1000;
    enum err e = exec_read_begin(exec, db);
    if (e != ERR_OK) {
        return e;
    }
    e = replica_goal(&exec->replica, *db, &goal);
    if (e != ERR_OK) {
        exec_read_end(exec, *db);
        return e;
    }
    bool is_used = replica_begin(replica, &goal, deadline_us, &copy) == ERR_OK;
    note_replica(exec, is_used);
    if (is_used) {
        exec_read_end(exec, *db);
        *db = copy;
    }
    return ERR_OK;
}

/* *db: the snapshot that was read last, or NULL; then that for the next work. None once the pool is to
 * stop: nothing was promised yet, and a queue of hashes would take half a minute. */
static enum err pool_begin(struct pool *pool, struct replica *replica, struct db **db)
{
    if (queue_is_stopping(&pool->works)) {
        return ERR_BUSY;
    }
    return replica != NULL ? begin_search(pool->exec, replica, db)
                           : exec_read_begin(pool->exec, db);
}

static void pool_end(struct pool *pool, struct db **db)
{
    if (*db != NULL) {
        exec_read_end(pool->exec, *db);
    }
    *db = NULL;
}

/* A snapshot that was read ends with the beginning of the next one, unless nothing waits. */
static struct work *next_work(struct pool *pool, struct db **last, bool *is_sharing)
{
    struct work *work = *last != NULL ? pool_take(&pool->works, false, is_sharing) : NULL;
    if (work == NULL) {
        pool_end(pool, last);
        work = pool_take(&pool->works, true, is_sharing);
    }
    return work;
}

/* One by one in the snapshot that they share. Where it breaks the next one gets another. */
static void run_shared(struct pool *pool, struct replica *replica, struct work *list,
                       struct db **db)
{
    struct done done = {NULL, &done.first};
    enum err begun = pool_begin(pool, replica, db);
    if (begun == ERR_OK) {
        (void)foresee_first(list, SHARED_MAX, *db);
    }
    while (list != NULL) {
        struct work *work = list;
        list = work->next;
        enum err e = begun;
        if (begun == ERR_OK) {
            db_set_deadline(*db, 0);
            e = work->run(work, *db);
        }
        if (begun != ERR_OK || pool != &pool->exec->pools[EXEC_READS]) {
            pool_end(pool, db); /* it was held for long, or such works are seldom */
        }
        note_done(&done, work, e, begun != ERR_OK);
        if (list != NULL && (*db == NULL || !db_in_transaction(*db))) {
            begun = pool_begin(pool, replica, db);
        }
    }
    release_all(done.first);
}

static void *pool_main(void *arg)
{
    struct pool *pool = arg;
    struct exec *exec = pool->exec;
    bool is_for_searches = pool == &exec->pools[EXEC_SEARCHES];
    struct replica *replica =
        is_for_searches && exec->replica.url != NULL ? replica_new(&exec->replica) : NULL;
    if (pool->options->nice > 0) {
        priority_give_way(pool->options->nice);
    }
    struct work *work;
    struct db *db = NULL;
    bool is_sharing = false;
    while ((work = next_work(pool, &db, &is_sharing)) != NULL) {
        run_shared(pool, replica, work, &db);
    }
    replica_free(replica);
    return NULL;
}

static void pool_start(struct exec *exec, struct pool *pool,
                       const struct exec_pool_options *options)
{
    pool->exec = exec;
    pool->options = options;
    queue_init(&pool->works, options->queue_max);
    while (pool->started < options->threads && pool->started < POOL_THREADS_MAX) {
        if (pthread_create(&pool->threads[pool->started++], NULL, pool_main, pool) != 0) {
            abort();
        }
    }
}

static void pool_stop(struct pool *pool)
{
    queue_stop(&pool->works);
    for (int64_t i = 0; i < pool->started; i++) {
        pthread_join(pool->threads[i], NULL);
    }
}

/* ------- start and stop ------- */

static struct replica_options replica_of(const struct exec_options *options)
{
    return (struct replica_options){.url = options->replica_url,
                                    .db = {.queries = options->queries,
                                           .read_only = true,
                                           .busy_timeout_ms = options->busy_timeout_ms},
                                    .position = options->position};
}

static enum err open_connection(struct exec *exec, bool read_only, struct db **db, struct arena *a,
                                struct str *problem)
{
    struct db_options options = {.queries = exec->options.queries,
                                 .read_only = read_only,
                                 .same_as = read_only ? exec->writers[0].db : NULL,
                                 .writes_steadily = !read_only,
                                 .busy_timeout_ms = exec->options.busy_timeout_ms};
    return db_open(exec->options.url, &options, db, a, problem);
}

/* Where a batch waits for a few round trips, few writers make large ones. Where each statement is waited
 * for, as many as can work side by side. */
static int writers_wanted(const struct exec *exec)
{
    int64_t wanted = exec->options.write_threads;
    if (wanted == 0) {
        wanted = db_foresees(exec->writers[0].db) ? (sysconf(_SC_NPROCESSORS_ONLN) + 1) / 2
                                                  : exec->shards;
    }
    return wanted < 1 ? 1 : wanted < exec->shards ? (int)wanted : exec->shards;
}

/* The first one is there: how many shards there are it has counted. */
static enum err open_writers(struct exec *exec, struct arena *a, struct str *problem)
{
    struct db *first = exec->writers[0].db;
    enum err e = ERR_OK;
    exec->shards = *db_shards(first) > 1 ? *db_shards(first) : 1;
    exec->shared_count = writers_wanted(exec);
    exec->writer_count = exec->shards > 1 ? exec->shared_count + 1 : 1;
    for (int i = 0; i < exec->writer_count && e == ERR_OK; i++) {
        struct writer *writer = &exec->writers[i];
        writer->is_apart = i == exec->shared_count;
        e = i > 0 ? open_connection(exec, false, &writer->db, a, problem) : ERR_OK;
    }
    return e;
}

static enum err open_first(struct exec *exec, struct arena *a, struct str *problem)
{
    const struct exec_options *options = &exec->options;
    struct writer *first = &exec->writers[0];
    enum err e = open_connection(exec, false, &first->db, a, problem);
    if (e != ERR_OK) {
        return e;
    }
    e = db_prepare_all(first->db);
    if (e != ERR_OK) {
        *problem = STR("A query does not fit the database; see the log.");
        return e;
    }
    e = options->connected != NULL ? options->connected(first->db, options->context) : ERR_OK;
    if (e != ERR_OK) {
        *problem = STR("The start of the server cannot be written down; see the log.");
    }
    first->connection = db_connection_number(first->db);
    return e;
}

static void start_writers(struct exec *exec)
{
    for (int i = 0; i < exec->writer_count; i++) {
        struct writer *writer = &exec->writers[i];
        writer->exec = exec;
        queue_init(&writer->works, exec->options.write_queue_max);
        if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
            abort();
        }
    }
}

static void close_writers(struct exec *exec)
{
    for (size_t i = 0; i < COUNT_OF(exec->writers); i++) {
        db_close(exec->writers[i].db);
    }
}

enum err exec_new(const struct exec_options *options, struct exec **out, struct arena *a,
                  struct str *problem)
{
    struct exec *exec = mem_alloc_zero(sizeof(*exec));
    exec->options = *options;
    exec->replica = replica_of(options);
    atomic_init(&exec->replica_is_used, true);
    enum err e = open_first(exec, a, problem);
    if (e == ERR_OK) {
        e = open_writers(exec, a, problem);
    }
    if (e != ERR_OK) {
        close_writers(exec);
        free(exec);
        return e;
    }
    pthread_key_create(&exec->reader_key, reader_close);
    start_writers(exec);
    if (exec_reads_here(exec)) {
        exec->options.pools[EXEC_READS].threads = 0; /* nothing is queued there */
    }
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) {
        pool_start(exec, &exec->pools[i], &exec->options.pools[i]);
    }
    *out = exec;
    return ERR_OK;
}

int exec_shards(const struct exec *exec)
{
    return exec->shards;
}

void exec_stop(struct exec *exec)
{
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) { /* their work may still queue writes */
        pool_stop(&exec->pools[i]);
    }
    for (int i = 0; i < exec->writer_count; i++) {
        queue_stop(&exec->writers[i].works);
    }
    for (int i = 0; i < exec->writer_count; i++) {
        pthread_join(exec->writers[i].thread, NULL);
    }
}

void exec_free(struct exec *exec)
{
    if (exec == NULL) {
        return;
    }
    db_close(pthread_getspecific(exec->reader_key)); /* the calling thread's own */
    pthread_key_delete(exec->reader_key);
    close_writers(exec);
    for (int i = 0; i < exec->writer_count; i++) {
        queue_fini(&exec->writers[i].works);
    }
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) {
        queue_fini(&exec->pools[i].works);
    }
    free(exec);
}

bool exec_write(struct exec *exec, struct work *work)
{
    int last = exec->writer_count - 1;
    bool known = is_known(exec, work->shard);
    work->shards = 0;
    work->result = ERR_OK;
    return queue_put(&exec->writers[known ? work->shard % exec->shared_count : last].works, work);
}

bool exec_run(struct exec *exec, enum exec_pool pool, struct work *work)
{
    struct work *displaced;
    bool taken = pool_put(&exec->pools[pool].works, work, &displaced);
    if (displaced != NULL) {
        displaced->next = NULL;
        displaced->result = ERR_OK;
        finish(displaced, ERR_BUSY);
    }
    return taken;
}

bool exec_reads_here(const struct exec *exec)
{
    return db_is_embedded(exec->writers[0].db);
}

enum err exec_read_begin(struct exec *exec, struct db **out)
{
    struct db *db = pthread_getspecific(exec->reader_key);
    if (db == NULL) {
        struct arena a;
        struct str problem = STR("");
        arena_init(&a);
        enum err e = open_connection(exec, true, &db, &a, &problem);
        if (e != ERR_OK) {
            log_error("cannot open a connection for reading: %.*s", STR_ARG(problem));
        }
        arena_fini(&a);
        if (e != ERR_OK) {
            return e;
        }
        pthread_setspecific(exec->reader_key, db);
    }
    db_set_deadline(db, clock_steady_us() + exec->options.read_timeout_ms * 1000);
    enum err e = db_begin_read_again(db);
    *out = db;
    return e;
}

void exec_read_end(struct exec *exec, struct db *db)
{
    (void)exec;
    if (db_in_transaction(db) && db_commit(db) != ERR_OK) {
        db_rollback(db);
    }
    db_set_deadline(db, 0);
}

void exec_stats_get(struct exec *exec, struct exec_stats *out)
{
    *out = (struct exec_stats){
        .batches = atomic_load(&exec->batches),
        .batched = atomic_load(&exec->batched),
        .failed_batches = atomic_load(&exec->failed_batches),
        .replica_is_used = atomic_load(&exec->replica_is_used),
        .replica_reads = atomic_load(&exec->replica_reads),
        .replica_missed = atomic_load(&exec->replica_missed),
    };
    for (int i = 0; i < exec->writer_count; i++) {
        out->write_queued += queue_length(&exec->writers[i].works);
    }
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) {
        out->pool_queued[i] = queue_length(&exec->pools[i].works);
    }
}
