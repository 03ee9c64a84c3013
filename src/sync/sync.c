#include "sync/sync.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "store/change.h"
#include "sync/page.h"
#include "sync/tailer.h"

struct sync {
    struct exec *exec;
    struct hub *hub;
    struct uuid incarnation;
    struct position began;
    _Atomic(struct tailer *)
        tailer; /* the writer pokes it from before it runs until after it ends */
};

struct sync *sync_new(void)
{
    return mem_alloc_zero(sizeof(struct sync));
}

enum err sync_register(struct sync *sync, struct db *writer, struct str identity)
{
    sync->incarnation = random_uuid_v7();
    enum err e = db_begin_write(writer);
    if (e != ERR_OK) {
        return e;
    }
    e = store_incarnation_add(writer, sync->incarnation, identity, clock_now_us());
    if (e == ERR_OK) {
        e = store_position(writer, &sync->began);
    }
    if (e == ERR_OK) {
        return db_commit(writer);
    }
    db_rollback(writer);
    return e;
}

void sync_start(struct sync *sync, struct exec *exec, struct hub *hub)
{
    sync->exec = exec;
    sync->hub = hub;
    hub_start(hub, sync->incarnation, &sync->began);
    atomic_store(&sync->tailer, tailer_start(exec, hub, &sync->began));
}

void sync_poke(void *context)
{
    struct sync *sync = context;
    struct tailer *tailer = atomic_load(&sync->tailer);
    if (tailer != NULL) {
        tailer_poke(tailer);
    }
}

void sync_stop(struct sync *sync)
{
    struct tailer *tailer = atomic_exchange(&sync->tailer, NULL);
    if (tailer != NULL) {
        tailer_stop(tailer);
    }
}

void sync_free(struct sync *sync)
{
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
