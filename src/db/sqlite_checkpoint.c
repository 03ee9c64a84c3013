#include "db/sqlite_checkpoint.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/priority.h"
#include "db/sqlite_vfs.h"

enum { NICE = 10, READERS_MS = 100 };

struct checkpointer {
    sqlite3 *writer;     /* the writer's thread's */
    int busy_timeout_ms; /* the writer's own */
    sqlite3 *own;        /* this thread's */
    atomic_int *pause_us;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    int frames;         /* the log's, after the last commit */
    int next_frames;    /* a copy is due when the log is so long */
    bool is_asked;      /* until the copy has ended */
    bool is_unfinished; /* a copy just ended: the writer's turn */
    bool is_stopping;
};

/* *copied: how many of its frames are in the database's file now. */
static bool copy_log(sqlite3 *db, int *copied)
{
    int code = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, copied);
    if (code != SQLITE_OK && code != SQLITE_BUSY) {
        log_warning("the write-ahead log cannot be copied: it grows meanwhile code=%d message=%s",
                    code, sqlite3_errmsg(db));
    }
    return code == SQLITE_OK;
}

/* The lock is held, so that who is in a hurry comes before or after it. */
static void set_pause(struct checkpointer *c, int pause_us)
{
    bool hurries = c->is_stopping || c->frames >= CHECKPOINT_HURRY_FRAMES;
    atomic_store(c->pause_us, hurries ? 0 : pause_us);
}

/* Each time there is less to copy, and less time for more to come. The lock is held, but not while it
 * copies.
 *
 * Of a log that has been copied wholly no further copy may begin: SQLite before 3.51.3 may take frames
 * of the next log for copied if the writer begins it at that moment, and loses them
 * (https://sqlite.org/wal.html#walresetbug). While one frame is left the writer cannot begin it. */
static void copy_gently(struct checkpointer *c)
{
    static const int pauses_us[] = {1000, 500, 200, 0};
    bool more = true;
    for (size_t i = 0; i < COUNT_OF(pauses_us) && more; i++) {
        int copied = 0;
        set_pause(c, pauses_us[i]);
        pthread_mutex_unlock(&c->lock);
        bool went = copy_log(c->own, &copied);
        pthread_mutex_lock(&c->lock);
        more = went && c->frames > copied && !c->is_stopping;
    }
}

static void *checkpointer_main(void *arg)
{
    struct checkpointer *c = arg;
    priority_give_way(NICE);
    pthread_mutex_lock(&c->lock);
    while (!c->is_stopping) {
        if (!c->is_asked) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        copy_gently(c);
        c->is_asked = false;
        c->is_unfinished = true;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* The writer's turn. With one reader after the other in it a log never begins again by itself; when it
 * has grown long for that, the writer waits for those who read in it now (RESTART): who comes later
 * reads in the file, where everything is by then. */
static void finish(const struct checkpointer *c, int frames)
{
    if (frames < CHECKPOINT_WAIT_FRAMES) {
        (void)copy_log(c->writer, NULL);
        return;
    }
    (void)sqlite3_busy_timeout(c->writer, READERS_MS);
    int code = sqlite3_wal_checkpoint_v2(c->writer, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    (void)sqlite3_busy_timeout(c->writer, c->busy_timeout_ms);
    if (code != SQLITE_OK) {
        log_info("the write-ahead log cannot begin again yet code=%d frames=%d", code, frames);
    }
}

/* After each commit, on the writer's thread: the log has so many frames. If it does not begin again
 * after a copy because somebody reads in it, the next copy is due when it has grown as much again. */
static int on_commit(void *arg, sqlite3 *writer, const char *name, int frames)
{
    struct checkpointer *c = arg;
    (void)writer;
    (void)name;
    pthread_mutex_lock(&c->lock);
    c->frames = frames;
    if (frames < c->next_frames - CHECKPOINT_FRAMES) {
        c->next_frames = CHECKPOINT_FRAMES;
    }
    if (!c->is_asked && frames >= c->next_frames) {
        c->next_frames = frames + CHECKPOINT_FRAMES;
        c->is_asked = true;
        pthread_cond_broadcast(&c->changed);
    }
    if (frames >= CHECKPOINT_HURRY_FRAMES) {
        set_pause(c, 0);
    }
    while (c->is_asked && frames >= CHECKPOINT_WAIT_FRAMES) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    bool my_turn = c->is_unfinished && !c->is_asked; /* two copies at once: as in copy_gently() */
    c->is_unfinished = false;
    pthread_mutex_unlock(&c->lock);
    if (my_turn) {
        finish(c, frames);
    }
    return SQLITE_OK;
}

/* A connection that has not read yet knows of no log, and would copy nothing. */
static int open_own(struct checkpointer *c)
{
    int code =
        sqlite3_open_v2(sqlite3_db_filename(c->writer, "main"), &c->own,
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, sqlite_vfs_checkpointing());
    if (code == SQLITE_OK) {
        code = sqlite3_exec(c->own, "PRAGMA synchronous=FULL; SELECT count(*) FROM sqlite_schema;",
                            NULL, NULL, NULL);
    }
    return code;
}

struct checkpointer *checkpointer_start(sqlite3 *writer, int busy_timeout_ms)
{
    struct checkpointer *c = mem_alloc_zero(sizeof(*c));
    c->writer = writer;
    c->busy_timeout_ms = busy_timeout_ms;
    c->next_frames = CHECKPOINT_FRAMES;
    int code = open_own(c);
    if (code != SQLITE_OK) {
        log_error("cannot open a connection for checkpoints: %s", sqlite3_errstr(code));
        sqlite3_close(c->own);
        free(c);
        return NULL;
    }
    c->pause_us = sqlite_vfs_pause(c->own);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    if (pthread_create(&c->thread, NULL, checkpointer_main, c) != 0) {
        abort();
    }
    sqlite3_wal_hook(writer, on_commit, c); /* and no automatic checkpoints */
    return c;
}

void checkpointer_stop(struct checkpointer *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->is_stopping = true;
    set_pause(c, 0);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    sqlite3_wal_hook(c->writer, NULL, NULL);
    sqlite3_close(c->own);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
