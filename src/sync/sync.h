/* From commits to the hub and from cursors to pages: starts and stops the tailer, answers the hub's
 * pulls on the executor's page pool. */
#pragma once

#include "db/exec.h"
#include "live/hub.h"

struct sync;

struct sync *sync_new(void);
/* Registers this life of the database (store/change.h: incarnation) and reads where it stands; on
 * the writer's connection, before the executor takes work. `mark_path`: the file of sync/mark.h. */
enum err sync_register(struct sync *sync, struct db *writer, struct str identity,
                       const char *mark_path) CHECKED;
/* Starts the hub at that position, and the tailer that feeds it. */
void sync_start(struct sync *sync, struct exec *exec, struct hub *hub);
/* A commit was made: for exec_options.committed. Any thread; never waits. */
void sync_poke(int64_t stamp, void *sync);
/* Another node, perhaps, has made one. Any thread; never waits. */
void sync_look(struct sync *sync);
/* For hub_options.pull. */
bool sync_pull(struct live_pull *pull, void *sync);
/* Once the tailer has passed on what was committed before this call, it ends. */
void sync_stop(struct sync *sync);
void sync_free(struct sync *sync); /* NULL is fine */

struct sync_stats {
    int64_t batches;
    int64_t changes;
    int64_t lag; /* commits that it found at its last look */
};
void sync_stats_get(struct sync *sync, struct sync_stats *out);
