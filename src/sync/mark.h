/* How far clients may have been told by this node, in a small file beside the database, or in DATA_DIR
 * where that is a server. A cursor alone does not say it: what a client shows is ahead of the cursor
 * that it has stored. If the database does not hold what the mark says, it is an older copy, and
 * whoever listened in its last life starts afresh.
 *
 * The file is mapped and written without fsync(): it survives the end of the process. After a power cut
 * it may be behind, never ahead, which is the harmless side. Any thread may raise it. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/position.h"
#include "base/uuid.h"

struct mark;

/* Opens or makes the file, and locks it until the end: of two servers on one database each would take
 * the other for its next life. ERR_CONFLICT: another one has it; ERR_UNAVAILABLE; with a line in the
 * log. */
enum err mark_open(const char *path, struct mark **out) CHECKED;
void mark_close(struct mark *mark); /* NULL is fine */

/* What it says: so far was told in that incarnation. False: nothing, the file is new. */
bool mark_read(const struct mark *mark, struct uuid *incarnation, struct position *at);
/* A new life, on disk when it returns. Of two threads one after the other. */
enum err mark_begin(struct mark *mark, struct uuid incarnation, const struct position *at) CHECKED;
/* Clients are about to be told of `at`. */
void mark_raise(struct mark *mark, const struct position *at);
