/* Two SQLite VFSes (https://sqlite.org/vfs.html) that differ from the default one in how they write.
 *
 * For the connection that commits: what a commit appends to the write-ahead log goes out in one write
 * instead of two for each page. SQLite flushes the log in every commit (synchronous=FULL), so that what
 * is gathered is written before anybody else can learn of it: at the latest in xSync, before anything
 * that looks at the file, and before the lock of those who write is let go. A failure to write is then
 * one of xSync, with the code that xWrite would have had.
 *
 * For the connection that checkpoints: pages of the database are flushed a few at a time, with a pause
 * behind them. Flushed at once, a thousand of them would stand in the disk's queue before the
 * commits. */
#pragma once

#include <sqlite3.h>
#include <stdatomic.h>

/* Names for sqlite3_open_v2(). Any thread. */
const char *sqlite_vfs_committing(void);
const char *sqlite_vfs_checkpointing(void);

/* For a connection opened with the second: how long the pauses are, in microseconds, to be changed while
 * it is open by any thread, also amid a checkpoint. 0: none, and nothing is flushed but what SQLite
 * flushes. Borrowed from the connection. */
atomic_int *sqlite_vfs_pause(sqlite3 *db);
