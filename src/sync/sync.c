#include "sync/sync.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/change.h"
#include "sync/mark.h"
#include "sync/page.h"
#include "sync/tailer.h"

struct sync {
    struct exec *exec;
    struct hub *hub;
    char *file; /* which one the database is */
    struct mark *mark;
    pthread_mutex_t lock; /* guards the next two and the mark's beginning */
    struct uuid incarnation;
    struct position began;

    _Atomic(struct tailer *)
        tailer; /* writers poke it, and /metrics reads it, from before it runs until after it ends */
};

struct sync *sync_new(void)
{
    struct sync *sync = mem_alloc_zero(sizeof(*sync));
    pthread_mutex_init(&sync->lock, NULL);
    return sync;
}

enum err sync_open(struct sync *sync, struct str file, const char *mark_path)
{
    sync->file = mem_alloc(file.n + 1);
    memcpy(sync->file, file.p, file.n);
    sync->file[file.n] = 0;
    return mark_open(mark_path, &sync->mark);
}

/* --- lives of the database ------------------------------------------------------------------ */

struct life {
    struct position present;
    struct uuid newest; /* zero: this is the first life */
    struct str identity;
    bool is_new;         /* by its identity */
    bool is_another;     /* a server of another history */
    bool is_behind_mark; /* an older copy than the one of which clients were told */
};

/* "<server>|<since>": the same server and history, the same start of it. */
static enum err identify(struct sync *sync, struct db *db, struct arena *a, struct str known,
                         struct life *out)
{
    struct str server = str_of(sync->file);
    struct str since = STR("");
    enum err e = ERR_OK;
    if (!db_is_embedded(db)) {
        e = store_server_identity(db, a, &server, &since);
    }
    out->identity = arena_printf(a, "%.*s|%.*s", STR_ARG(server), STR_ARG(since));
    out->is_new = db_is_embedded(db) || !str_eq(out->identity, known);
    /* What a server of another history lacks no position tells: the numbers may be there again. */
    out->is_another =
        !db_is_embedded(db) && !uuid_is_zero(out->newest) && !str_eq(str_cut(&known, '|'), server);
    return e;
}

static enum err compare_with_mark(struct sync *sync, struct db *db, struct life *out)
{
    struct uuid incarnation;
    struct position at;
    bool holds = true;
    enum err e = ERR_OK;
    if (mark_read(sync->mark, &incarnation, &at)) {
        e = store_incarnation_holds(db, incarnation, &at, &holds);
    } else if (db_is_embedded(db)) {
        holds = uuid_is_zero(out->newest); /* a copy of the file without what stood beside it */
    }
    out->is_behind_mark = !holds;
    return e;
}

static enum err recognise(struct sync *sync, struct db *db, struct arena *a, struct life *out)
{
    struct str known = STR("");
    bool found = false;
    enum err e = store_incarnation_newest(db, a, &out->newest, &known, &found);
    return e == ERR_OK ? identify(sync, db, a, known, out) : e;
}

static enum err look(struct sync *sync, struct db *db, struct arena *a, struct life *out)
{
    enum err e = store_position(db, &out->present, NULL);
    if (e == ERR_OK) {
        e = recognise(sync, db, a, out);
    }
    return e == ERR_OK ? compare_with_mark(sync, db, out) : e;
}

static bool went_back(const struct life *life)
{
    return life->is_another || life->is_behind_mark;
}

/* A node that comes second finds that another one has registered the new life. What the mark says was
 * asked before: holding the shards raises their numbers by one, which would hide one lost commit. */
static enum err add_life(struct sync *sync, struct db *db, struct arena *a, struct life *life)
{
    enum err e = store_hold_all(db);
    if (e == ERR_OK) {
        e = recognise(sync, db, a, life);
    }
    if (e != ERR_OK || (!life->is_new && !life->is_behind_mark)) {
        return e;
    }
    if (went_back(life)) {
        log_warning("the database is not as it was when clients were told of it last, an older "
                    "copy perhaps: they start afresh");
    }
    life->newest = random_uuid_v7();
    return store_incarnation_add(db, life->newest, life->identity, went_back(life), clock_now_us());
}

static enum err settle_life(struct sync *sync, struct db *db, struct life *life)
{
    struct arena a;
    enum err e = db_begin_write(db);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&a);
    e = look(sync, db, &a, life);
    if (e == ERR_OK && (life->is_new || life->is_behind_mark)) {
        e = add_life(sync, db, &a, life);
    }
    arena_fini(&a);
    if (e != ERR_OK) {
        db_rollback(db);
        return e;
    }
    return db_commit(db);
}

enum err sync_connected(struct db *db, void *context)
{
    struct sync *sync = context;
    struct life life = {.is_new = false};
    struct uuid marked;
    struct position at;
    pthread_mutex_lock(&sync->lock);
    enum err e = settle_life(sync, db, &life);
    if (e == ERR_OK) {
        sync->incarnation = life.newest;
        sync->began = life.present;
        bool goes_on = mark_read(sync->mark, &marked, &at) && uuid_eq(marked, life.newest);
        e = goes_on ? ERR_OK : mark_begin(sync->mark, life.newest, &life.present);
    }
    pthread_mutex_unlock(&sync->lock);
    return e;
}

enum err sync_went_back(struct sync *sync, struct db *db, bool *is_older)
{
    struct arena a;
    struct life life = {.is_new = false};
    arena_init(&a);
    enum err e = look(sync, db, &a, &life);
    *is_older = went_back(&life);
    arena_fini(&a);
    return e;
}

enum err sync_adopt(struct sync *sync, struct db *copy, bool is_older)
{
    struct arena a;
    struct life life = {.is_new = false};
    enum err e = db_begin_write(copy);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&a);
    e = look(sync, copy, &a, &life);
    bool was_served = !uuid_is_zero(life.newest);
    life.newest = random_uuid_v7();
    if (e == ERR_OK && was_served) {
        e = store_incarnation_add(copy, life.newest, life.identity, is_older, clock_now_us());
    }
    arena_fini(&a);
    if (e != ERR_OK) {
        db_rollback(copy);
        return e;
    }
    e = db_commit(copy);
    return e == ERR_OK && was_served ? mark_begin(sync->mark, life.newest, &life.present) : e;
}

void sync_start(struct sync *sync, struct exec *exec, struct hub *hub)
{
    sync->exec = exec;
    sync->hub = hub;
    hub_start(hub, sync->incarnation, &sync->began);
    atomic_store(&sync->tailer,
                 tailer_start(exec, hub, sync->mark, sync->incarnation, &sync->began));
}

void sync_committed(const struct position *stamps, void *context)
{
    struct sync *sync = context;
    mark_raise(sync->mark, stamps); /* who wrote is told before the others */
    sync_look(sync);
}

void sync_look(struct sync *sync)
{
    struct tailer *tailer = atomic_load(&sync->tailer);
    if (tailer != NULL) {
        tailer_poke(tailer);
    }
}

void sync_stop(struct sync *sync)
{
    struct tailer *tailer = atomic_load(&sync->tailer);
    if (tailer != NULL) {
        tailer_stop(tailer);
    }
}

void sync_free(struct sync *sync)
{
    if (sync != NULL) {
        tailer_free(atomic_load(&sync->tailer));
        mark_close(sync->mark);
        pthread_mutex_destroy(&sync->lock);
        free(sync->file);
    }
    free(sync);
}

void sync_stats_get(struct sync *sync, struct sync_stats *out)
{
    struct tailer *tailer = atomic_load(&sync->tailer);
    *out = (struct sync_stats){0};
    if (tailer != NULL) {
        tailer_stats_get(tailer, out);
    }
}

/* --- pages ---------------------------------------------------------------------------------- */

static struct live_pull *pull_of(struct work *work)
{
    return (struct live_pull *)((char *)work - offsetof(struct live_pull, work));
}

static enum err pull_run(struct work *work, struct db *db)
{
    struct live_pull *pull = pull_of(work);
    struct sync *sync = work->context;
    struct position seen;
    page_read(pull, db, &seen);
    if (pull->page.failure == ERR_OK) {
        mark_raise(sync->mark, &seen);
    }
    return pull->page.failure;
}

static void pull_done(struct work *work, enum err e, bool batch_failed)
{
    struct live_pull *pull = pull_of(work);
    if (batch_failed) { /* no connection, or the pool ends */
        pull->page.failure = e;
    }
    hub_pulled(pull);
}

/* Users take turns. */
static uint64_t turn_of(struct uuid user_id)
{
    uint64_t turn;
    memcpy(&turn, user_id.b + sizeof(user_id.b) - sizeof(turn), sizeof(turn));
    return turn;
}

bool sync_pull(struct live_pull *pull, void *context)
{
    struct sync *sync = context;
    pull->work = (struct work){
        .run = pull_run, .done = pull_done, .context = sync, .turn = turn_of(pull->user_id)};
    return exec_run(sync->exec, EXEC_PAGES, &pull->work);
}
