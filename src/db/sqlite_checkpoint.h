/* Carries the write-ahead log over into the database's file beside the writer instead of inside one of
 * its commits: SQLite's own way makes whoever commits wait for it, several times a second under load
 * (https://sqlite.org/wal.html, "Checkpointing").
 *
 * Once the log is CHECKPOINT_FRAMES long, a thread with a connection of its own copies it (PASSIVE,
 * which waits for nobody), again and again, each time what came during the time before. The log begins
 * again at its front only when all of it has been copied, which never happens while somebody writes;
 * so the writer copies the little that is left then, after one of its commits. The thread takes its
 * time; where more is written than it copies, it hurries from CHECKPOINT_HURRY_FRAMES on, and at
 * CHECKPOINT_WAIT_FRAMES the writer waits for it. */
#pragma once

#include <sqlite3.h>

enum {
    CHECKPOINT_FRAMES = 16000, /* pages of 4 KiB */
    CHECKPOINT_HURRY_FRAMES = 20000,
    CHECKPOINT_WAIT_FRAMES = 32000,
};

struct checkpointer;

/* Takes the place of `writer`'s automatic checkpoints; busy_timeout_ms: what it has set for itself.
 * NULL, with a line in the log: it cannot, and they go on as they were. */
struct checkpointer *checkpointer_start(sqlite3 *writer, int busy_timeout_ms);
/* Before `writer` is closed. NULL is fine. */
void checkpointer_stop(struct checkpointer *checkpointer);
