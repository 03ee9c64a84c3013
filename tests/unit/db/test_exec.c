/* db/exec.c: group commit, who fails with whom, bounds, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "db/exec.h"
#include "unit/support/database.h"

enum query { RAISE, CONNECT, ADD, COUNT, STAMPS, QUERIES };
static const char *const texts[] = {
    [RAISE] = "UPDATE counter SET stamp = stamp + 1 RETURNING stamp",
    [CONNECT] = "UPDATE counter SET connections = connections + 1",
    [ADD] = "INSERT INTO item (n, stamp) VALUES (?1, ?2)",
    [COUNT] = "SELECT count(*) FROM item",
    [STAMPS] = "SELECT count(DISTINCT stamp) FROM item",
};
static const char *const names[QUERIES] = {"raise", "connect", "add", "count", "stamps"};
static const struct db_queries queries = {texts, names, QUERIES};

enum { QUEUE_MAX = 32, BATCH_MAX = 8, POOL_QUEUE_MAX = 6 };

struct fixture {
    struct test_database t;
    struct exec *exec;
    atomic_int commits;
    int connections;
};

static enum err raise_stamp(struct db *db, int shard)
{
    assert_int_equal(shard, 0);
    return db_get_int(db, RAISE, NO_ARGS, &db_stamps(db)->at[0], NULL);
}

/* Writes as the start of a server does. */
static enum err count_connection(struct db *db, void *context)
{
    struct fixture *f = context;
    f->connections++;
    *db_shards(db) = 1;
    enum err e = db_begin_write(db);
    if (e == ERR_OK) {
        e = db_exec(db, CONNECT, NO_ARGS, NULL);
    }
    return e == ERR_OK ? db_commit(db) : e;
}

static void count_commit(const struct position *stamps, void *context)
{
    assert_true(stamps->at[0] > 0);
    struct fixture *f = context;
    atomic_fetch_add(&f->commits, 1);
}

/* Work that waits at a gate before it runs, so that a test decides what becomes one batch. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    bool reached;
};

static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};

static void gate_set(bool *what)
{
    pthread_mutex_lock(&gate.lock);
    *what = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_wait(const bool *what)
{
    pthread_mutex_lock(&gate.lock);
    while (!*what) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

enum manner { SUCCEEDS, REFUSES, WRITES_AND_FAILS, ENDS_THE_TRANSACTION, WAITS_AT_THE_GATE };

struct item {
    struct work work;
    enum manner manner;
    int64_t n;
    int runs;
    int64_t stamp;
    enum err told;
    bool batch_failed;
    atomic_int dones;
    struct fixture *f; /* NULL: does not ask for the next */
    int commits;       /* that were told of before `done` */
};

static enum err item_run(struct work *work, struct db *db)
{
    int64_t stamp = db_stamps(db)->at[0];
    struct item *item = (struct item *)work;
    item->runs++;
    item->stamp = stamp;
    if (item->manner == WAITS_AT_THE_GATE) {
        gate_set(&gate.reached);
        gate_wait(&gate.open);
    }
    if (item->manner == REFUSES) {
        return ERR_NOT_FOUND;
    }
    enum err e = db_exec(db, ADD, ARGS(V_INT(item->n), V_INT(stamp)), NULL);
    if (item->manner == ENDS_THE_TRANSACTION) {
        db_rollback(db); /* as a full disk does */
        return ERR_STORAGE_FULL;
    }
    return item->manner == WRITES_AND_FAILS ? ERR_FORBIDDEN : e;
}

static void item_done(struct work *work, enum err e, bool batch_failed)
{
    struct item *item = (struct item *)work;
    item->commits = item->f != NULL ? atomic_load(&item->f->commits) : 0;
    item->told = e;
    item->batch_failed = batch_failed;
    atomic_fetch_add(&item->dones, 1);
}

static struct item new_item(enum manner manner, int64_t n)
{
    return (struct item){
        .work = {.run = item_run, .done = item_done}, .manner = manner, .n = n, .told = ERR_COUNT};
}

static int setup_with(void **state, int64_t busy_timeout_ms)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    struct str problem = STR("");
    gate.open = gate.reached = false;
    test_database_init(&f->t);
    struct db *db = test_database_open(&f->t, queries, false);
    test_database_script(&f->t, db,
                         "CREATE TABLE counter (stamp INTEGER, connections INTEGER);"
                         " INSERT INTO counter VALUES (0, 0);"
                         "CREATE TABLE item (n INTEGER PRIMARY KEY, stamp INTEGER)");
    db_close(db);
    const struct exec_options options = {.url = f->t.url,
                                         .queries = queries,
                                         .write_queue_max = QUEUE_MAX,
                                         .write_batch_max = BATCH_MAX,
                                         .pools = {[EXEC_HASHES] = {1, POOL_QUEUE_MAX, 15},
                                                   [EXEC_SEARCHES] = {1, POOL_QUEUE_MAX, 0},
                                                   [EXEC_PAGES] = {2, POOL_QUEUE_MAX, 0}},
                                         .busy_timeout_ms = busy_timeout_ms,
                                         .read_timeout_ms = 60000,
                                         .hold = raise_stamp,
                                         .connected = count_connection,
                                         .committed = count_commit,
                                         .context = f};
    assert_int_equal(exec_new(&options, &f->exec, &f->t.arena, &problem), ERR_OK);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

/* For tests with several connections at once, which are in each other's way for moments. */
static int setup_patient(void **state)
{
    return setup_with(state, 60000);
}

/* Everything that was queued is done afterwards. */
static void stop(struct fixture *f)
{
    gate_set(&gate.open);
    exec_stop(f->exec);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    exec_free(f->exec);
    test_database_fini(&f->t);
    free(f);
    return 0;
}

static int64_t get(struct fixture *f, int query)
{
    struct db *db;
    int64_t n = -1;
    assert_int_equal(exec_read_begin(f->exec, &db), ERR_OK);
    assert_int_equal(db_get_int(db, query, NO_ARGS, &n, NULL), ERR_OK);
    exec_read_end(f->exec, db);
    return n;
}

/* Holds the writer with one work at the gate; what is queued meanwhile comes together behind it. */
static void hold(struct fixture *f, struct item *item)
{
    *item = new_item(WAITS_AT_THE_GATE, -1);
    assert_true(exec_write(f->exec, &item->work));
    gate_wait(&gate.reached);
}

static void test_one_transaction_for_all_that_wait(void **state)
{
    struct fixture *f = *state;
    struct item first;
    struct item items[BATCH_MAX];
    hold(f, &first);
    for (int i = 0; i < BATCH_MAX; i++) {
        items[i] = new_item(SUCCEEDS, i);
        assert_true(exec_write(f->exec, &items[i].work));
    }
    stop(f);
    assert_int_equal(first.stamp, 1);
    for (int i = 0; i < BATCH_MAX; i++) {
        assert_int_equal(items[i].told, ERR_OK);
        assert_int_equal(items[i].dones, 1);
        assert_int_equal(items[i].runs, 1);
        assert_int_equal(items[i].stamp, 2);
    }
    assert_int_equal(get(f, COUNT), BATCH_MAX + 1);
    assert_int_equal(get(f, STAMPS), 2);
    struct exec_stats stats;
    exec_stats_get(f->exec, &stats);
    assert_int_equal(stats.batches, 2);
    assert_int_equal(stats.batched, BATCH_MAX + 1);
    assert_int_equal(stats.failed_batches, 0);
    assert_int_equal(stats.write_queued, 0);
}

static void test_batches_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct item first;
    struct item items[BATCH_MAX + 1];
    hold(f, &first);
    for (int i = 0; i <= BATCH_MAX; i++) {
        items[i] = new_item(SUCCEEDS, i);
        assert_true(exec_write(f->exec, &items[i].work));
    }
    stop(f);
    assert_int_equal(items[BATCH_MAX - 1].stamp, 2);
    assert_int_equal(items[BATCH_MAX].stamp, 3);
}

static void queue_all(struct fixture *f, struct item *items, size_t count)
{
    struct item first;
    hold(f, &first);
    for (size_t i = 0; i < count; i++) {
        assert_true(exec_write(f->exec, &items[i].work));
    }
    stop(f);
    assert_int_equal(first.told, ERR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(items[i].dones, 1);
    }
}

static int64_t failed_batches(struct fixture *f)
{
    struct exec_stats stats;
    exec_stats_get(f->exec, &stats);
    return stats.failed_batches;
}

/* One that has written nothing costs the others nothing. */
static void test_a_refusal_disturbs_nobody(void **state)
{
    struct fixture *f = *state;
    struct item items[] = {new_item(SUCCEEDS, 1), new_item(REFUSES, 2), new_item(SUCCEEDS, 1),
                           new_item(SUCCEEDS, 3)};
    queue_all(f, items, COUNT_OF(items));
    assert_int_equal(items[0].told, ERR_OK);
    assert_int_equal(items[1].told, ERR_NOT_FOUND);
    assert_false(items[1].batch_failed);
    assert_int_equal(items[2].told, ERR_DB_UNIQUE);
    assert_int_equal(items[3].told, ERR_OK);
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        assert_int_equal(items[i].runs, 1);
    }
    assert_int_equal(get(f, COUNT), 3);
    assert_int_equal(failed_batches(f), 0);
}

/* What it wrote is undone with the batch, and the others are run again without it. */
static void test_a_late_failure_is_undone(void **state)
{
    struct fixture *f = *state;
    struct item items[] = {new_item(SUCCEEDS, 1), new_item(WRITES_AND_FAILS, 2),
                           new_item(SUCCEEDS, 3)};
    queue_all(f, items, COUNT_OF(items));
    assert_int_equal(items[0].told, ERR_OK);
    assert_int_equal(items[0].runs, 2);
    assert_int_equal(items[1].told, ERR_FORBIDDEN);
    assert_int_equal(items[1].runs, 1);
    assert_false(items[1].batch_failed);
    assert_int_equal(items[2].told, ERR_OK);
    assert_int_equal(items[2].runs, 1);
    assert_int_equal(get(f, COUNT), 3);
    assert_int_equal(failed_batches(f), 1);
}

/* With many of them the batch falls apart into single ones; each still gets its own answer. */
static void test_many_late_failures(void **state)
{
    struct fixture *f = *state;
    struct item items[BATCH_MAX];
    for (int i = 0; i < BATCH_MAX; i++) {
        items[i] = new_item(i % 2 == 0 ? WRITES_AND_FAILS : SUCCEEDS, i);
    }
    queue_all(f, items, BATCH_MAX);
    for (int i = 0; i < BATCH_MAX; i++) {
        assert_int_equal(items[i].told, i % 2 == 0 ? ERR_FORBIDDEN : ERR_OK);
        assert_false(items[i].batch_failed);
    }
    assert_int_equal(get(f, COUNT), BATCH_MAX / 2 + 1);
}

/* As a full disk does it: the culprit fails, the others are stored, each once. */
static void test_an_ended_transaction_is_run_again(void **state)
{
    struct fixture *f = *state;
    struct item items[] = {new_item(SUCCEEDS, 1), new_item(ENDS_THE_TRANSACTION, 2),
                           new_item(SUCCEEDS, 3), new_item(WRITES_AND_FAILS, 4)};
    queue_all(f, items, COUNT_OF(items));
    assert_int_equal(items[0].told, ERR_OK);
    assert_int_equal(items[1].runs, 1);
    assert_int_equal(items[1].told, ERR_STORAGE_FULL);
    assert_true(items[1].batch_failed);
    assert_int_equal(items[2].told, ERR_OK);
    assert_int_equal(items[3].told, ERR_FORBIDDEN);
    assert_false(items[3].batch_failed);
    assert_int_equal(get(f, COUNT), 3);
    assert_int_equal(failed_batches(f), 2);
}

static void test_an_ended_transaction_of_one(void **state)
{
    struct fixture *f = *state;
    struct item item = new_item(ENDS_THE_TRANSACTION, 1);
    struct item next = new_item(SUCCEEDS, 2);
    assert_true(exec_write(f->exec, &item.work));
    assert_true(exec_write(f->exec, &next.work));
    stop(f);
    assert_int_equal(item.told, ERR_STORAGE_FULL);
    assert_true(item.batch_failed);
    assert_int_equal(next.told, ERR_OK);
    assert_int_equal(get(f, COUNT), 1);
}

static void test_a_full_queue_refuses(void **state)
{
    struct fixture *f = *state;
    struct item first;
    struct item items[QUEUE_MAX];
    struct item refused = new_item(SUCCEEDS, 1000);
    hold(f, &first);
    for (int i = 0; i < QUEUE_MAX; i++) {
        items[i] = new_item(SUCCEEDS, i);
        assert_true(exec_write(f->exec, &items[i].work));
    }
    assert_false(exec_write(f->exec, &refused.work));
    struct exec_stats stats;
    exec_stats_get(f->exec, &stats);
    assert_int_equal(stats.write_queued, QUEUE_MAX);
    stop(f);
    assert_int_equal(refused.runs, 0);
    assert_int_equal(refused.dones, 0);
    assert_int_equal(get(f, COUNT), QUEUE_MAX + 1);
}

static void test_a_locked_database_fails_the_batch(void **state)
{
    struct fixture *f = *state;
    struct item item = new_item(SUCCEEDS, 1);
    struct db *other = test_database_open(&f->t, queries, false);
    assert_int_equal(db_begin_write(other), ERR_OK);
    assert_true(exec_write(f->exec, &item.work));
    stop(f);
    db_rollback(other);
    db_close(other);
    assert_int_equal(item.told, ERR_BUSY);
    assert_true(item.batch_failed);
    assert_int_equal(item.runs, 0);
    assert_int_equal(get(f, COUNT), 0);
}

static void test_stopped(void **state)
{
    struct fixture *f = *state;
    struct item item = new_item(SUCCEEDS, 1);
    stop(f);
    assert_false(exec_write(f->exec, &item.work));
    assert_false(exec_run(f->exec, EXEC_HASHES, &item.work));
    assert_int_equal(get(f, COUNT), 0); /* reads go on */
}

/* ------- pools ------- */

struct hand_over {
    struct work work;
    struct fixture *f;
    struct item item; /* queued to the writer once the pool is done with it */
    int64_t seen;
    atomic_bool begun;
    enum err told;
};

static enum err hand_over_run(struct work *work, struct db *db)
{
    struct hand_over *h = (struct hand_over *)work;
    const struct timespec pause = {.tv_nsec = 50 * 1000000};
    atomic_store(&h->begun, true);
    nanosleep(&pause, NULL); /* long enough for the executor to be told to stop */
    return db_get_int(db, COUNT, NO_ARGS, &h->seen, NULL);
}

static void hand_over_done(struct work *work, enum err e, bool batch_failed)
{
    struct hand_over *h = (struct hand_over *)work;
    h->told = e;
    assert_int_equal(batch_failed, e != ERR_OK);
    if (e == ERR_OK) {
        assert_true(exec_write(h->f->exec, &h->item.work));
    }
}

static struct hand_over new_hand_over(struct fixture *f, int n)
{
    return (struct hand_over){.work = {.run = hand_over_run, .done = hand_over_done},
                              .f = f,
                              .item = new_item(SUCCEEDS, n),
                              .seen = -1};
}

/* Also while the executor stops: work of a pool that has begun still gets to the writer. What waits
 * is turned away, for there may be half a minute of it. */
static void test_pool_work_goes_on_to_the_writer(void **state)
{
    struct fixture *f = *state;
    struct hand_over first = new_hand_over(f, 1);
    struct hand_over second = new_hand_over(f, 2);
    assert_true(exec_run(f->exec, EXEC_HASHES, &first.work));
    while (!atomic_load(&first.begun)) {
        sched_yield();
    }
    assert_true(exec_run(f->exec, EXEC_HASHES, &second.work));
    stop(f);
    assert_int_equal(first.seen, 0);
    assert_int_equal(first.item.told, ERR_OK);
    assert_int_equal(second.told, ERR_BUSY);
    assert_int_equal(second.seen, -1);
    assert_int_equal(get(f, COUNT), 1);
}

/* Work of a pool that notes when it was its turn; the first one waits at the gate. */
struct guesses {
    int run;         /* the pool's thread */
    atomic_int done; /* those among them that are done with */
};

struct guess {
    struct work work;
    struct guesses *all;
    int place; /* 1: it ran first */
    enum err told;
};

static enum err guess_run(struct work *work, struct db *db)
{
    struct guess *guess = (struct guess *)work;
    (void)db;
    guess->place = ++guess->all->run;
    if (guess->place == 1) {
        gate_set(&gate.reached);
        gate_wait(&gate.open);
    }
    return ERR_OK;
}

static void guess_done(struct work *work, enum err e, bool batch_failed)
{
    struct guess *guess = (struct guess *)work;
    (void)batch_failed;
    guess->told = e;
    atomic_fetch_add(&guess->all->done, 1);
}

static struct guess new_guess(uint64_t turn, struct guesses *all)
{
    return (struct guess){.work = {.run = guess_run, .done = guess_done, .turn = turn},
                          .all = all,
                          .told = ERR_COUNT};
}

/* What is queued waits until the gate is opened. */
static void hold_pool(struct fixture *f, struct guess *first)
{
    assert_true(exec_run(f->exec, EXEC_HASHES, &first->work));
    gate_wait(&gate.reached);
}

static void finish_pool(struct fixture *f, struct guesses *all, int count)
{
    gate_set(&gate.open);
    while (atomic_load(&all->done) < count) {
        sched_yield();
    }
    stop(f);
}

/* Who comes alone stands behind one work of the one who came with many, not behind all. */
static void test_turns(void **state)
{
    struct fixture *f = *state;
    struct guesses all = {0};
    struct guess many[4] = {new_guess(1, &all), new_guess(1, &all), new_guess(1, &all),
                            new_guess(1, &all)};
    struct guess one = new_guess(2, &all);
    struct guess other[2] = {new_guess(3, &all), new_guess(3, &all)};
    hold_pool(f, &many[0]);
    for (int i = 1; i < 4; i++) {
        assert_true(exec_run(f->exec, EXEC_HASHES, &many[i].work));
    }
    assert_true(exec_run(f->exec, EXEC_HASHES, &one.work));
    assert_true(exec_run(f->exec, EXEC_HASHES, &other[0].work));
    assert_true(exec_run(f->exec, EXEC_HASHES, &other[1].work));
    finish_pool(f, &all, 7);
    assert_int_equal(many[0].place, 1);
    assert_int_equal(one.place, 2); /* the last was of turn 1, so another goes first */
    assert_int_equal(many[1].place + other[0].place, 3 + 4);
    assert_int_equal(many[2].place + other[1].place, 5 + 6);
    assert_int_equal(many[3].place, 7);
}

/* Whoever fills the queue keeps nobody else out of it. */
static void test_a_full_pool_displaces_the_greedy(void **state)
{
    struct fixture *f = *state;
    struct guesses all = {0};
    struct guess many[POOL_QUEUE_MAX + 2];
    struct guess one = new_guess(2, &all);
    for (int i = 0; i < POOL_QUEUE_MAX + 2; i++) {
        many[i] = new_guess(1, &all);
    }
    hold_pool(f, &many[0]);
    for (int i = 1; i <= POOL_QUEUE_MAX; i++) {
        assert_true(exec_run(f->exec, EXEC_HASHES, &many[i].work));
    }
    assert_false(exec_run(f->exec, EXEC_HASHES, &many[POOL_QUEUE_MAX + 1].work));
    assert_true(exec_run(f->exec, EXEC_HASHES, &one.work));
    assert_int_equal(many[POOL_QUEUE_MAX].told, ERR_BUSY);
    finish_pool(f, &all, POOL_QUEUE_MAX + 2);
    assert_int_equal(one.told, ERR_OK);
    assert_int_equal(one.place, 2);
    assert_int_equal(many[POOL_QUEUE_MAX].place, 0);
    assert_int_equal(many[POOL_QUEUE_MAX - 1].told, ERR_OK);
}

/* ------- sharing a snapshot ------- */

/* What happened to the works of a list, in order. */
struct sharer {
    struct work work;
    struct guesses *all;
    char *steps;
    char name;
};

static void note_step(struct work *work, char step)
{
    struct sharer *sharer = work->context;
    char *end = sharer->steps + strlen(sharer->steps);
    end[0] = step;
    end[1] = sharer->name;
    end[2] = '\0';
}

static void sharer_foresee(struct work *work, struct db *db)
{
    assert_true(db_in_transaction(db));
    note_step(work, 'f');
}

/* The first one ends the transaction; the next one still has one. */
static enum err sharer_run(struct work *work, struct db *db)
{
    struct sharer *sharer = work->context;
    assert_true(db_in_transaction(db));
    note_step(work, 'r');
    if (sharer->name == '1') {
        db_rollback(db);
        return ERR_BUSY;
    }
    return ERR_OK;
}

static void sharer_done(struct work *work, enum err e, bool batch_failed)
{
    const struct sharer *sharer = work->context;
    assert_int_equal(e, sharer->name == '1' ? ERR_BUSY : ERR_OK);
    assert_false(batch_failed);
    note_step(work, 'd');
    atomic_fetch_add(&sharer->all->done, 1);
}

static void sharer_release(struct work *work)
{
    note_step(work, 'R');
}

static void test_sharing_a_snapshot(void **state)
{
    struct fixture *f = *state;
    struct guesses all = {0};
    struct guess first = new_guess(0, &all);
    struct sharer sharers[3];
    char steps[40] = "";
    hold_pool(f, &first);
    for (int i = 0; i < 3; i++) {
        sharers[i] = (struct sharer){.all = &all, .steps = steps, .name = (char)('1' + i)};
        sharers[i].work = (struct work){.run = sharer_run,
                                        .done = sharer_done,
                                        .release = sharer_release,
                                        .foresee = sharer_foresee,
                                        .context = &sharers[i]};
        assert_true(exec_run(f->exec, EXEC_HASHES, &sharers[i].work));
    }
    finish_pool(f, &all, 4);
    assert_string_equal(steps, "f1f2f3r1d1r2d2r3d3R1R2R3");
}

static void guess_foresee(struct work *work, struct db *db)
{
    (void)work;
    assert_true(db_in_transaction(db));
}

static int64_t count_waiting(struct fixture *f)
{
    struct exec_stats stats;
    exec_stats_get(f->exec, &stats);
    return stats.pool_queued[EXEC_PAGES];
}

/* Each of the two threads of the pool has one. */
struct meeting {
    struct work works[2];
    atomic_int come;
    atomic_int gone;
};

static enum err meet(struct work *work, struct db *db)
{
    struct meeting *meeting = work->context;
    (void)db;
    atomic_fetch_add(&meeting->come, 1);
    while (atomic_load(&meeting->come) < 2) {
        sched_yield();
    }
    return ERR_OK;
}

static void met(struct work *work, enum err e, bool batch_failed)
{
    struct meeting *meeting = work->context;
    assert_int_equal(e, ERR_OK);
    assert_false(batch_failed);
    atomic_fetch_add(&meeting->gone, 1);
}

/* Both threads have begun: one that comes late takes what waits. */
static void wait_for_threads(struct fixture *f, const struct timespec *pause)
{
    struct meeting meeting = {0};
    for (int i = 0; i < 2; i++) {
        meeting.works[i] = (struct work){.run = meet, .done = met, .context = &meeting};
        assert_true(exec_run(f->exec, EXEC_PAGES, &meeting.works[i]));
    }
    while (atomic_load(&meeting.gone) < 2) {
        sched_yield();
    }
    nanosleep(pause, NULL);
}

/* Of two threads, one at works that share a snapshot, the other begins when four wait, or one that does not
 * share. */
static void check_gathering(struct fixture *f, int waiting, bool last_shares)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};
    struct guesses all = {0};
    struct guess guesses[5];
    wait_for_threads(f, &pause);
    for (int i = 0; i <= waiting; i++) {
        guesses[i] = new_guess(0, &all);
        guesses[i].work.foresee = i < waiting || last_shares ? guess_foresee : NULL;
    }
    assert_true(exec_run(f->exec, EXEC_PAGES, &guesses[0].work));
    gate_wait(&gate.reached);
    for (int i = 1; i < waiting; i++) {
        assert_true(exec_run(f->exec, EXEC_PAGES, &guesses[i].work));
    }
    nanosleep(&pause, NULL);
    assert_int_equal(count_waiting(f), waiting - 1);
    assert_true(exec_run(f->exec, EXEC_PAGES, &guesses[waiting].work));
    while (atomic_load(&all.done) < waiting) {
        sched_yield();
    }
    finish_pool(f, &all, waiting + 1);
    assert_int_equal(guesses[waiting].told, ERR_OK);
}

static void test_four_that_share_are_worth_a_thread(void **state)
{
    check_gathering(*state, 4, true);
}

static void test_who_does_not_share_is_worth_a_thread(void **state)
{
    check_gathering(*state, 2, false);
}

/* One pool that is busy is not in the way of another. */
static void test_pools_are_apart(void **state)
{
    struct fixture *f = *state;
    struct guesses all = {0};
    struct guess first = new_guess(1, &all);
    struct hand_over search = new_hand_over(f, 1);
    hold_pool(f, &first);
    assert_true(exec_run(f->exec, EXEC_SEARCHES, &search.work));
    while (!atomic_load(&search.begun)) {
        sched_yield();
    }
    finish_pool(f, &all, 1);
    assert_int_equal(search.told, ERR_OK);
    assert_int_equal(search.item.told, ERR_OK);
}

/* ------- commits are told ------- */

static void test_commits_are_told_before_answers(void **state)
{
    struct fixture *f = *state;
    struct item items[] = {new_item(SUCCEEDS, 1), new_item(WRITES_AND_FAILS, 2),
                           new_item(SUCCEEDS, 3)};
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        items[i].f = f;
    }
    queue_all(f, items, COUNT_OF(items));
    assert_int_equal(atomic_load(&f->commits), 2); /* the gate's, and that of those two */
    assert_int_equal(items[0].commits, 2);
    assert_int_equal(items[1].commits, 1); /* told at once; its batch was undone */
    assert_int_equal(items[2].commits, 2);
}

/* Told once for a connection, before anything else is written on it. */
static void test_a_new_connection(void **state)
{
    struct fixture *f = *state;
    struct item items[] = {new_item(SUCCEEDS, 7), new_item(SUCCEEDS, 8)};
    assert_int_equal(f->connections, 1);
    assert_int_equal(exec_shards(f->exec), 1);
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        assert_true(exec_write(f->exec, &items[i].work));
    }
    stop(f);
    assert_int_equal(f->connections, 1);
    assert_int_equal(get(f, COUNT), 2);
}

/* ------- many at once ------- */

enum { THREADS = 4, EACH = 200 };

struct sender {
    pthread_t thread;
    struct fixture *f;
    struct item items[EACH];
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < EACH; i++) {
        while (!exec_write(s->f->exec, &s->items[i].work)) {
            (void)get(s->f, COUNT); /* full: look at something meanwhile */
        }
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct fixture *f = *state;
    struct sender *senders = mem_alloc_zero(THREADS * sizeof(*senders));
    for (int t = 0; t < THREADS; t++) {
        senders[t].f = f;
        for (int i = 0; i < EACH; i++) {
            senders[t].items[i] = new_item(i % 10 == 9 ? REFUSES : SUCCEEDS, t * EACH + i);
        }
        assert_int_equal(pthread_create(&senders[t].thread, NULL, send_all, &senders[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(senders[t].thread, NULL);
    }
    stop(f);
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < EACH; i++) {
            assert_int_equal(senders[t].items[i].dones, 1);
            assert_int_equal(senders[t].items[i].told, i % 10 == 9 ? ERR_NOT_FOUND : ERR_OK);
        }
    }
    assert_int_equal(get(f, COUNT), THREADS * EACH * 9 / 10);
    free(senders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_one_transaction_for_all_that_wait),
        TEST(test_batches_are_bounded),
        TEST(test_a_refusal_disturbs_nobody),
        TEST(test_a_late_failure_is_undone),
        TEST(test_many_late_failures),
        TEST(test_an_ended_transaction_is_run_again),
        TEST(test_an_ended_transaction_of_one),
        TEST(test_a_full_queue_refuses),
        TEST(test_a_locked_database_fails_the_batch),
        TEST(test_stopped),
        TEST(test_pool_work_goes_on_to_the_writer),
        TEST(test_turns),
        TEST(test_a_full_pool_displaces_the_greedy),
        TEST(test_sharing_a_snapshot),
        TEST(test_four_that_share_are_worth_a_thread),
        TEST(test_who_does_not_share_is_worth_a_thread),
        TEST(test_pools_are_apart),
        TEST(test_commits_are_told_before_answers),
        TEST(test_a_new_connection),
#undef TEST
        cmocka_unit_test_setup_teardown(test_many_threads, setup_patient, teardown),
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
