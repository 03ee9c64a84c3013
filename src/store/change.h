/* The log of durable changes: (shard, stamp, n) -> (kind, conversation, object, rev), written in the
 * transaction that makes the change; and where the shards are. Tailers read it; a client's catch-up
 * does not, so it may be cut. */
#pragma once

#include "base/position.h"
#include "db/db.h"
#include "store/model.h"

enum change_kind {
    CHANGE_MESSAGE = 1,      /* object: message id; new, edited, deleted, pinned */
    CHANGE_CONVERSATION = 2, /* title, metadata, closed */
    CHANGE_MEMBERSHIP = 3,   /* object: user id; begun, ended, another role. All memberships of a
                                deleted conversation are one change of CHANGE_ENDED */
    CHANGE_MINE = 4,         /* object: user id; muted, archived, pinned */
    CHANGE_READ = 5,         /* object: user id; not written for the sender of a message */
    CHANGE_USER = 6,         /* object: user id; profile, role, active, deleted */
    CHANGE_SESSIONS = 7,     /* object: user id; one of his sessions was revoked */
    CHANGE_ENDED = 8,        /* the conversation was deleted */
};

/* One on SQLite: its file has one writer. */
enum { STORE_SHARDS = 1 };

/* Where the changes of a conversation belong; those of nothing but a user: by his id. */
int store_shard_of(struct uuid id);
/* The stamp that counts for what belongs to that conversation or user. */
int64_t store_stamp_of(const struct position *position, struct uuid id);

struct change {
    int shard;
    int64_t stamp;
    enum change_kind kind;
    struct uuid conversation_id; /* zero: none */
    struct uuid object_id;
    int64_t rev; /* 0: none */
};

/* Appends; called by the functions of store/ that make the change, with the stamp they write. Within
 * a commit the rows are ordered by db_changes(), which grows with each row that the connection
 * changes, this one too, so that no two have the same number. */
enum err store_change_add(struct db *db, int64_t stamp, enum change_kind kind,
                          struct uuid conversation_id, struct uuid object_id, int64_t rev) CHECKED;

/* The newest positions of this snapshot. */
enum err store_position(struct db *db, struct position *out) CHECKED;

/* The changes behind `from`, shard by shard in order, whole commits only: about `most` of them, more
 * if one commit has more. *to: the position after them, or the present one if there are no more. */
enum err store_change_list(struct db *db, struct arena *a, const struct position *from,
                           int64_t most, struct change **rows, size_t *count, struct position *to)
    CHECKED;

/* Drops up to `most` changes from before `before_us`, oldest first. */
enum err store_change_cut(struct db *db, int64_t before_us, int64_t most, int64_t *dropped) CHECKED;

/* A life of the database: from a start of the server until the next one. */
struct incarnation {
    struct uuid id;
    struct position began;
};

/* The present one; *found is false in a new database. */
enum err store_incarnation_newest(struct db *db, struct uuid *id, bool *found) CHECKED;
/* Adds one that begins at the present positions; `identity` says what database it is. `went_back`: the
 * database is an older copy, so that nothing of the incarnation before counts any more. */
enum err store_incarnation_add(struct db *db, struct uuid id, struct str identity, bool went_back,
                               int64_t now_us) CHECKED;
/* Was `at` reached in the incarnation `id`, and does the database still hold it? False: unknown, or
 * the position lies beyond where the next incarnation began (or beyond the present). */
enum err store_incarnation_holds(struct db *db, struct uuid id, const struct position *at,
                                 bool *holds) CHECKED;
