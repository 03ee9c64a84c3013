#include "db/exec.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"

enum { POOL_THREADS_MAX = 16, BATCH_RUNS_MAX = 3 };

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
};

struct pool {
    struct exec *exec;
    const struct exec_pool_options *options;
    struct queue works;
    pthread_t threads[POOL_THREADS_MAX];
    int64_t started;
};

struct exec {
    struct exec_options options;
    struct queue writes;
    struct pool pools[EXEC_POOL_COUNT];
    struct db *writer; /* the writer thread's */
    pthread_t writer_thread;
    pthread_key_t reader_key; /* each thread's read connection; closed when the thread ends */
    atomic_int_fast64_t batches;
    atomic_int_fast64_t batched;
    atomic_int_fast64_t failed_batches;
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
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

/* NULL: stopped, and nothing is left. */
static struct work *pool_take(struct queue *q)
{
    struct work *taken = NULL;
    pthread_mutex_lock(&q->lock);
    wait_filled(q);
    if (q->first != NULL) {
        taken = unlink_work(q, find_foremost(q));
        q->taken_order = taken->order;
        q->taken_turn = taken->turn;
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

/* ------- the writer ------- */

/* Runs one work inside the transaction; its failure is its own result. False: it wrote before it
 * failed, or ended the transaction, so that the batch cannot go on. */
static bool run_one(struct exec *exec, struct work *work, int64_t stamp)
{
    struct db *db = exec->writer;
    int64_t before = db_changes(db);
    work->order = (uint64_t)before;
    work->result = work->run(work, db, stamp);
    return db_in_transaction(db) && (work->result == ERR_OK || db_changes(db) == before);
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

/* One transaction for the whole list. If nothing of it is stored, either the failure is returned,
 * or *culprit is the work that could not stay (its own result says why). */
static enum err run_batch(struct exec *exec, struct work *list, struct work **culprit)
{
    struct db *db = exec->writer;
    int64_t stamp = 0;
    struct work *last = NULL;
    *culprit = NULL;
    enum err e = db_begin_write(db);
    if (e != ERR_OK) {
        return e;
    }
    e = db_get_int(db, exec->options.query_raise_stamp, NO_ARGS, &stamp, NULL);
    for (struct work *w = list; w != NULL && e == ERR_OK && *culprit == NULL; w = w->next) {
        last = w;
        if (!run_one(exec, w, stamp)) {
            struct work *found = find_culprit(db, list, w);
            *culprit = found != NULL ? found : w;
        }
    }
    if (e == ERR_OK && *culprit == NULL) {
        e = db_commit(db);
        *culprit = e != ERR_OK ? find_culprit(db, list, last) : NULL;
        if (e == ERR_OK && exec->options.committed != NULL) {
            exec->options.committed(stamp, exec->options.committed_context);
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

static void finish(struct work *list, enum err batch)
{
    struct work *to_release = NULL;
    struct work **last = &to_release;
    while (list != NULL) {
        struct work *work = list;
        bool stays = work->release != NULL; /* else `done` may free it */
        list = work->next;
        work->done(work, batch != ERR_OK ? batch : work->result, batch != ERR_OK);
        if (stays) {
            *last = work;
            last = &work->next;
        }
    }
    *last = NULL;
    while (to_release != NULL) {
        struct work *work = to_release;
        to_release = work->next;
        work->release(work);
    }
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

/* In a transaction of its own, `runs` times at most: one that met what somebody else had just stored
 * sees it when it runs again, and answers accordingly. */
static void run_alone(struct exec *exec, struct work *work, int runs)
{
    struct work *culprit;
    enum err e;
    work->next = NULL;
    do {
        e = run_batch(exec, work, &culprit);
    } while (--runs > 0 && culprit != NULL && work->result == ERR_DB_UNIQUE);
    if (culprit != NULL) {
        finish_culprit(work);
    } else {
        finish(work, e);
    }
}

static void run_apart(struct exec *exec, struct work *list)
{
    while (list != NULL) {
        struct work *next = list->next;
        run_alone(exec, list, 2);
        list = next;
    }
}

/* A request that writes and then fails costs its batch a second run without it; from the third on
 * they run apart, so that a client who provokes it slows others down by so much and no more. */
static void run_list(struct exec *exec, struct work *list)
{
    for (int runs = 0; list != NULL; runs++) {
        struct work *culprit;
        if (runs == BATCH_RUNS_MAX) {
            run_apart(exec, list);
            return;
        }
        enum err e = run_batch(exec, list, &culprit);
        if (culprit == NULL) {
            if (e != ERR_OK) {
                atomic_fetch_add(&exec->failed_batches, 1);
                log_warning("batch undone code=%s", err_code(e));
            }
            finish(list, e);
            return;
        }
        atomic_fetch_add(&exec->failed_batches, 1);
        log_warning("batch undone by a request that wrote before it failed code=%s",
                    err_code(culprit->result));
        list = without(list, culprit);
        if (culprit->result == ERR_DB_UNIQUE) {
            run_alone(exec, culprit, 1);
        } else {
            finish_culprit(culprit);
        }
    }
}

static void *writer_main(void *arg)
{
    struct exec *exec = arg;
    struct work *list;
    while ((list = queue_take(&exec->writes, exec->options.write_batch_max)) != NULL) {
        int64_t length = 0;
        for (struct work *w = list; w != NULL; w = w->next) {
            length++;
        }
        run_list(exec, list);
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

static void *pool_main(void *arg)
{
    struct pool *pool = arg;
    struct exec *exec = pool->exec;
    if (pool->options->nice > 0) {
        priority_give_way(pool->options->nice);
    }
    struct work *work;
    while ((work = pool_take(&pool->works)) != NULL) {
        struct db *db;
        /* Nothing was promised yet, and a queue of hashes would take half a minute. */
        enum err e = queue_is_stopping(&pool->works) ? ERR_BUSY : exec_read_begin(exec, &db);
        bool failed = e != ERR_OK;
        if (!failed) {
            db_set_deadline(db, 0);
            e = work->run(work, db, 0);
            exec_read_end(exec, db);
        }
        work->done(work, e, failed);
    }
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

static enum err open_connection(struct exec *exec, bool read_only, struct db **db, struct arena *a,
                                struct str *problem)
{
    struct db_options options = {.queries = exec->options.queries,
                                 .read_only = read_only,
                                 .same_as = read_only ? exec->writer : NULL,
                                 .writes_steadily = !read_only,
                                 .busy_timeout_ms = exec->options.busy_timeout_ms};
    return db_open(exec->options.url, &options, db, a, problem);
}

enum err exec_new(const struct exec_options *options, struct exec **out, struct arena *a,
                  struct str *problem)
{
    struct exec *exec = mem_alloc_zero(sizeof(*exec));
    exec->options = *options;
    enum err e = open_connection(exec, false, &exec->writer, a, problem);
    if (e == ERR_OK) {
        e = db_prepare_all(exec->writer);
        if (e != ERR_OK) {
            *problem = STR("A query does not fit the database; see the log.");
        }
    }
    if (e != ERR_OK) {
        db_close(exec->writer);
        free(exec);
        return e;
    }
    queue_init(&exec->writes, options->write_queue_max);
    pthread_key_create(&exec->reader_key, reader_close);
    if (pthread_create(&exec->writer_thread, NULL, writer_main, exec) != 0) {
        abort();
    }
    if (exec_reads_here(exec)) {
        exec->options.pools[EXEC_READS].threads = 0; /* nothing is queued there */
    }
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) {
        pool_start(exec, &exec->pools[i], &exec->options.pools[i]);
    }
    *out = exec;
    return ERR_OK;
}

struct db *exec_writer(struct exec *exec)
{
    return exec->writer;
}

void exec_stop(struct exec *exec)
{
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) { /* their work may still queue writes */
        pool_stop(&exec->pools[i]);
    }
    queue_stop(&exec->writes);
    pthread_join(exec->writer_thread, NULL);
}

void exec_free(struct exec *exec)
{
    if (exec == NULL) {
        return;
    }
    db_close(pthread_getspecific(exec->reader_key)); /* the calling thread's own */
    pthread_key_delete(exec->reader_key);
    db_close(exec->writer);
    queue_fini(&exec->writes);
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) {
        queue_fini(&exec->pools[i].works);
    }
    free(exec);
}

bool exec_write(struct exec *exec, struct work *work)
{
    return queue_put(&exec->writes, work);
}

bool exec_run(struct exec *exec, enum exec_pool pool, struct work *work)
{
    struct work *displaced;
    bool taken = pool_put(&exec->pools[pool].works, work, &displaced);
    if (displaced != NULL) {
        displaced->done(displaced, ERR_BUSY, true);
    }
    return taken;
}

bool exec_reads_here(const struct exec *exec)
{
    return db_is_embedded(exec->writer);
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
    enum err e = db_begin_read(db);
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
        .write_queued = queue_length(&exec->writes),
        .batches = atomic_load(&exec->batches),
        .batched = atomic_load(&exec->batched),
        .failed_batches = atomic_load(&exec->failed_batches),
    };
    for (size_t i = 0; i < EXEC_POOL_COUNT; i++) {
        out->pool_queued[i] = queue_length(&exec->pools[i].works);
    }
}
