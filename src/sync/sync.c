#include "sync/sync.h"

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
    struct uuid incarnation;
    struct position began;
    struct mark *mark;
    _Atomic(struct tailer *)
        tailer; /* the writer pokes it, and /metrics reads it, from before it runs until after it ends */
};

struct sync *sync_new(void)
{
    return mem_alloc_zero(sizeof(struct sync));
}

/* Is it an older copy than the one of which clients were told? */
static enum err look_back(const struct sync *sync, struct db *db, bool *went_back)
{
    struct uuid last;
    bool found = false;
    enum err e = store_incarnation_newest(db, &last, &found);
    *went_back = e == ERR_OK && found && !mark_confirms(sync->mark, last, &sync->began);
    if (*went_back) {
        log_warning("the database is not as it was when the server ended, an older copy perhaps: "
                    "clients of that time start afresh");
    }
    return e;
}

static enum err add_life(struct sync *sync, struct db *db, struct str identity)
{
    bool went_back = false;
    enum err e = store_position(db, &sync->began);
    if (e == ERR_OK) {
        e = look_back(sync, db, &went_back);
    }
    return e == ERR_OK
               ? store_incarnation_add(db, sync->incarnation, identity, went_back, clock_now_us())
               : e;
}

enum err sync_register(struct sync *sync, struct db *writer, struct str identity,
                       const char *mark_path)
{
    sync->incarnation = random_uuid_v7();
    enum err e = mark_open(mark_path, &sync->mark);
    if (e == ERR_OK) {
        e = db_begin_write(writer);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = add_life(sync, writer, identity);
    if (e != ERR_OK) {
        db_rollback(writer);
        return e;
    }
    e = db_commit(writer);
    return e == ERR_OK ? mark_begin(sync->mark, sync->incarnation, &sync->began) : e;
}

void sync_start(struct sync *sync, struct exec *exec, struct hub *hub)
{
    sync->exec = exec;
    sync->hub = hub;
    hub_start(hub, sync->incarnation, &sync->began);
    atomic_store(&sync->tailer, tailer_start(exec, hub, sync->mark, &sync->began));
}

void sync_poke(int64_t stamp, void *context)
{
    struct sync *sync = context;
    mark_raise(sync->mark, &(struct position){{stamp}}); /* who wrote is told before the others */
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

static enum err pull_run(struct work *work, struct db *db, int64_t stamp)
{
    struct live_pull *pull = pull_of(work);
    struct sync *sync = work->context;
    (void)stamp;
    page_read(pull, db, sync->incarnation);
    struct position seen;
    if (pull->page.failure == ERR_OK) {
        pull->page.failure = store_position(db, &seen);
    }
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
