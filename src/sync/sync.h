/* From commits to the hub and from cursors to pages: starts and stops the tailer, answers the hub's
 * pulls on the executor's page pool. */
#pragma once

#include "db/exec.h"
#include "live/hub.h"

struct sync;

struct sync *sync_new(void);
/* `file`: which file the database is (copied); where it is a server that says who it is by itself.
 * `mark_path`: the file of sync/mark.h. ERR_CONFLICT: another server has it. */
enum err sync_open(struct sync *sync, struct str file, const char *mark_path) CHECKED;
/* For exec_options.connected: registers a new life of the database (store/change.h: incarnation),
 * unless another connection, of whichever node, has done so. Writers' threads. */
enum err sync_connected(struct db *db, void *sync) CHECKED;
/* For a database that is copied while no server runs. Would one that starts on it find that it is an
 * older copy than the one of which clients were told? */
enum err sync_went_back(struct sync *sync, struct db *db, bool *is_older) CHECKED;
/* Registers a life of a copy that has the incarnations of the other one: its clients go on in it, unless
 * they could not have gone on there. Begins and ends a transaction. */
enum err sync_adopt(struct sync *sync, struct db *copy, bool is_older) CHECKED;
/* Starts the hub at the position that the first of those calls found, and the tailer that feeds it. */
void sync_start(struct sync *sync, struct exec *exec, struct hub *hub);
/* A commit was made: for exec_options.committed. Any thread; never waits. */
void sync_committed(const struct position *stamps, void *sync);
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
