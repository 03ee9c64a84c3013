#include "jobs/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "chat/account.h"
#include "chat/participant.h"
#include "store/change.h"
#include "store/demotion.h"
#include "store/erasure.h"
#include "store/idempotency.h"
#include "store/job.h"
#include "store/ticket.h"

/* A piece of 500 messages takes the writer some milliseconds; then others have their turn. */
enum { PIECE = 500, CUT_PIECE = 4000, PAUSE_MS = 20, LOOK_MS = 2000, PURGE_MS = 60 * 1000 };

static const int64_t hour_us = 3600 * US_PER_SECOND;

struct jobs {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the fields up to the next blank line */
    pthread_cond_t changed;
    bool stopping;

    int64_t next_purge_us; /* steady clock; the thread's own */
};

/* One piece for the writer. The jobs' thread waits until it is done. */
struct piece {
    struct work work; /* first, so that the one is found from the other */
    struct jobs *jobs;
    struct arena arena;
    enum err (*run)(struct piece *piece, struct db *db);
    enum err (*note)(struct piece *piece, struct db *db); /* stores `failure`; NULL: nowhere */
    enum err failure;
    bool done; /* under jobs->lock */
    enum err result;

    struct uuid user_id;
    struct erasure erasure;
    struct list_key at;   /* all before it is erased and committed */
    struct list_key next; /* what `at` becomes with the commit */
    bool more;            /* there is another piece to do */
};

/* --- waiting -------------------------------------------------------------------------------- */

static struct timespec in_ms(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Until the time is over. False: it is time to stop. */
static bool wait(struct jobs *jobs, int64_t ms)
{
    struct timespec until = in_ms(ms);
    int code = 0;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping && code == 0) {
        code = pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until);
    }
    bool go_on = !jobs->stopping;
    pthread_mutex_unlock(&jobs->lock);
    return go_on;
}

/* --- one piece in the writer ---------------------------------------------------------------- */

static enum err piece_run(struct work *work, struct db *db)
{
    struct piece *piece = (struct piece *)work;
    arena_reset(&piece->arena);
    piece->next = piece->at;
    piece->more = false;
    return piece->run(piece, db);
}

static void piece_done(struct work *work, enum err e, bool batch_failed)
{
    struct piece *piece = (struct piece *)work;
    (void)batch_failed;
    pthread_mutex_lock(&piece->jobs->lock);
    piece->result = e;
    piece->done = true;
    pthread_cond_broadcast(&piece->jobs->changed);
    pthread_mutex_unlock(&piece->jobs->lock);
}

static enum err do_piece(struct piece *piece)
{
    struct jobs *jobs = piece->jobs;
    piece->done = false;
    piece->result = ERR_BUSY;
    piece->work = (struct work){.run = piece_run, .done = piece_done, .shard = EXEC_ANY_SHARD};
    if (!exec_write(jobs->app->exec, &piece->work)) {
        return ERR_BUSY;
    }
    pthread_mutex_lock(&jobs->lock);
    while (!piece->done) {
        pthread_cond_wait(&jobs->changed, &jobs->lock);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (piece->result == ERR_OK) {
        piece->at = piece->next;
    }
    return piece->result;
}

/* Says in the database why it was put off, if that can be written at all. */
static void note_failure(struct piece *piece, enum err failure)
{
    piece->failure = failure;
    if (piece->note == NULL || !wait(piece->jobs, 0)) {
        return;
    }
    piece->run = piece->note;
    if (do_piece(piece) != ERR_OK) {
        log_warning("the failure of background work is not noted code=%s", err_code(failure));
    }
}

/* Piece after piece until there are no more. What fails is tried again the next time. */
static enum err do_pieces(struct jobs *jobs, struct piece *piece, const char *what)
{
    enum err e = ERR_OK;
    piece->jobs = jobs;
    arena_init(&piece->arena);
    do {
        e = do_piece(piece);
    } while (e == ERR_OK && piece->more && wait(jobs, PAUSE_MS));
    if (e != ERR_OK) {
        log_warning("background work put off what=%s code=%s", what, err_code(e));
        note_failure(piece, e);
    }
    arena_fini(&piece->arena);
    return e;
}

/* --- what there is to do -------------------------------------------------------------------- */

/* Of a deleted user who was in more conversations than can be left at once. */
static enum err leave_piece(struct piece *piece, struct db *db, bool *over)
{
    struct call call = {.db = db, .arena = &piece->arena, .now_us = clock_now_us()};
    return chat_participant_leave_some(&call, piece->erasure.id, PIECE, over);
}

static enum err erase_piece(struct piece *piece, struct db *db)
{
    bool over = true;
    enum err e = ERR_OK;
    if (piece->erasure.kind == ERASE_USER) {
        e = leave_piece(piece, db, &over);
    }
    if (e != ERR_OK || !over) {
        piece->more = true;
        return e;
    }
    e = store_erasure_step(db, &piece->arena, clock_now_us(), &piece->erasure, PIECE, &piece->next,
                           &over);
    piece->more = !over;
    return e;
}

static enum err note_erasure(struct piece *piece, struct db *db)
{
    return store_erasure_failed(db, &piece->erasure, piece->failure, clock_now_us());
}

static bool find_erasure(struct jobs *jobs, struct erasure *out)
{
    struct db *db;
    bool found = false;
    enum err e = exec_read_begin(jobs->app->exec, &db);
    if (e == ERR_OK) {
        e = store_erasure_next(db, out, &found);
        exec_read_end(jobs->app->exec, db);
    }
    return e == ERR_OK && found;
}

/* One request; true if it is done, and there may be another. */
static bool erase_one(struct jobs *jobs)
{
    struct piece piece = {.run = erase_piece, .note = note_erasure, .at = {.n = INT64_MIN}};
    if (!find_erasure(jobs, &piece.erasure)) {
        return false;
    }
    return do_pieces(jobs, &piece, "erasure") == ERR_OK && !piece.more;
}

/* An ended session is still worth an answer of its own for a while. */
static struct purge_times purge_before(const struct jobs *jobs)
{
    const struct conf *conf = jobs->app->conf;
    int64_t now_us = clock_now_us();
    return (struct purge_times){
        .answers_us = now_us - conf->idempotency_hours * hour_us,
        .sessions_us = now_us - 24 * hour_us,
        .tickets_us = now_us - hour_us, /* whatever the clock does meanwhile */
        .changes_us = now_us - conf->changes_keep_days * 24 * hour_us,
    };
}

static enum err demote_piece(struct piece *piece, struct db *db)
{
    struct call call = {.db = db, .arena = &piece->arena, .now_us = clock_now_us()};
    bool over = true;
    enum err e = chat_account_demote_step(&call, piece->user_id, PIECE, &over);
    piece->more = !over;
    return e;
}

static enum err note_demotion(struct piece *piece, struct db *db)
{
    return store_demotion_failed(db, piece->user_id, piece->failure, clock_now_us());
}

static bool find_demotion(struct jobs *jobs, struct uuid *user_id)
{
    struct db *db;
    bool found = false;
    enum err e = exec_read_begin(jobs->app->exec, &db);
    if (e == ERR_OK) {
        e = store_demotion_next(db, user_id, &found);
        exec_read_end(jobs->app->exec, db);
    }
    return e == ERR_OK && found;
}

static bool demote_one(struct jobs *jobs)
{
    struct piece piece = {.run = demote_piece, .note = note_demotion};
    if (!find_demotion(jobs, &piece.user_id)) {
        return false;
    }
    return do_pieces(jobs, &piece, "demotion") == ERR_OK && !piece.more;
}

static enum err purge_piece(struct piece *piece, struct db *db)
{
    const struct purge_times before = purge_before(piece->jobs);
    int64_t answers = 0;
    int64_t sessions = 0;
    int64_t tickets = 0;
    int64_t changes = 0;
    enum err e = store_idempotency_purge(db, before.answers_us, PIECE, &answers);
    if (e == ERR_OK) {
        e = store_purge_sessions(db, before.sessions_us, PIECE, &sessions);
    }
    if (e == ERR_OK) {
        e = store_ticket_purge(db, before.tickets_us, PIECE, &tickets);
    }
    if (e == ERR_OK) {
        e = store_change_cut(db, before.changes_us, CUT_PIECE, &changes);
    }
    piece->more = answers == PIECE || sessions == PIECE || tickets == PIECE || changes == CUT_PIECE;
    return e;
}

static bool is_purge_due(struct jobs *jobs)
{
    struct db *db;
    bool any = false;
    int64_t now_us = clock_steady_us();
    if (now_us < jobs->next_purge_us) {
        return false;
    }
    jobs->next_purge_us = now_us + PURGE_MS * INT64_C(1000);
    enum err e = exec_read_begin(jobs->app->exec, &db);
    if (e == ERR_OK) {
        const struct purge_times before = purge_before(jobs);
        e = store_purge_any(db, &before, &any);
        exec_read_end(jobs->app->exec, db);
    }
    return e == ERR_OK && any;
}

static void *jobs_main(void *arg)
{
    struct jobs *jobs = arg;
    do { /* at once: an earlier process may have left something */
        while (erase_one(jobs) && wait(jobs, PAUSE_MS)) {
        }
        while (demote_one(jobs) && wait(jobs, PAUSE_MS)) {
        }
        if (is_purge_due(jobs)) {
            struct piece piece = {.run = purge_piece};
            (void)do_pieces(jobs, &piece, "purge");
        }
    } while (wait(jobs, LOOK_MS));
    return NULL;
}

/* --- start and stop ------------------------------------------------------------------------- */

struct jobs *jobs_start(struct app *app)
{
    struct jobs *jobs = mem_alloc_zero(sizeof(*jobs));
    pthread_condattr_t steady;
    jobs->app = app;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->changed, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&jobs->thread, NULL, jobs_main, jobs) != 0) {
        abort();
    }
    return jobs;
}

void jobs_stop(struct jobs *jobs)
{
    if (jobs == NULL) {
        return;
    }
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    pthread_join(jobs->thread, NULL);
    pthread_cond_destroy(&jobs->changed);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
