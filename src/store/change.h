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

/* Where the changes of a conversation belong; those of nothing but a user: by his id. How many shards
 * a database has is settled when it is made (migration 0005): one on SQLite, whose file has one writer,
 * SHARDS_MAX elsewhere. The connection knows it once it has called store_position() or store_stamp(). */
int store_shard_of(struct db *db, struct uuid id);
/* The same in a database of so many shards. */
static inline int store_shard_among(struct uuid id, int shards)
{
    return id.b[sizeof(id.b) - 1] % shards; /* the last byte is random in every version */
}
/* The stamp that counts for what belongs to that conversation or user. */
int64_t store_stamp_of(struct db *db, const struct position *position, struct uuid id);

/* Holds shards until the end of the transaction, by raising their counters: meanwhile nobody else
 * writes in them, on any node, and what is read was committed before. They are held in their order: else
 * two could wait for each other. Who holds one and wants another before it gets ERR_DB_ORDER, and is run
 * again by the executor, which holds all of them first. All do nothing in a transaction that only
 * reads. */
enum err store_hold_shard(struct db *db, int shard) CHECKED;
/* It will be called, before anything else of that transaction; see db_foresee(). */
void store_hold_foresee(struct db *db, int shard);
enum err store_hold_all(struct db *db) CHECKED;
/* The shard of that conversation or user, unless it is held. *late: it was not. NULL is fine. */
enum err store_hold(struct db *db, struct uuid id, bool *late) CHECKED;
/* Holds likewise. *stamp: the number of the commit under way in that shard. */
enum err store_stamp(struct db *db, struct uuid id, int64_t *stamp) CHECKED;
/* A new id (version 7) that belongs to a shard which is held. */
struct uuid store_new_id(struct db *db);
/* One that belongs to the shard of that conversation or user. */
struct uuid store_new_id_beside(struct db *db, struct uuid id);

struct change {
    int shard;
    int64_t stamp;
    enum change_kind kind;
    struct uuid conversation_id; /* zero: none */
    struct uuid object_id;
    int64_t rev; /* 0: none */
};

/* Appends; called by the functions of store/ that make the change, behind store_stamp(). Within
 * a commit the rows are ordered by db_changes(), which grows with each row that the connection
 * changes, this one too, so that no two have the same number. */
enum err store_change_add(struct db *db, enum change_kind kind, struct uuid conversation_id,
                          struct uuid object_id, int64_t rev) CHECKED;

/* The newest positions of this snapshot. *incarnation (may be NULL): the newest one, or zero. */
enum err store_position(struct db *db, struct position *out, struct uuid *incarnation) CHECKED;

/* The changes behind `from` up to `to`, which store_position() has said, shard by shard in order. */
enum err store_change_list(struct db *db, struct arena *a, const struct position *from,
                           const struct position *to, struct change **rows, size_t *count) CHECKED;

/* Drops up to `most` changes from before `before_us`, oldest first. */
enum err store_change_cut(struct db *db, int64_t before_us, int64_t most, int64_t *dropped) CHECKED;

/* A life of the database, in which nothing that was committed was lost: on SQLite from a start of
 * Confab until the next one, elsewhere of the database server. */
struct incarnation {
    struct uuid id;
    struct position began;
};

/* The present one; *found is false in a new database. */
enum err store_incarnation_newest(struct db *db, struct arena *a, struct uuid *id,
                                  struct str *identity, bool *found) CHECKED;
/* Which database server this is, its history included, and since when it runs; both empty where the
 * database is a file. */
enum err store_server_identity(struct db *db, struct arena *a, struct str *server,
                               struct str *since) CHECKED;
/* Adds one that begins at the present positions; `identity` says what database it is. `went_back`: the
 * database is an older copy, so that nothing of the incarnation before counts any more. */
enum err store_incarnation_add(struct db *db, struct uuid id, struct str identity, bool went_back,
                               int64_t now_us) CHECKED;
/* Was `at` reached in the incarnation `id`, and does the database still hold it? False: unknown, or
 * the position lies beyond where the next incarnation began (or beyond the present). */
enum err store_incarnation_holds(struct db *db, struct uuid id, const struct position *at,
                                 bool *holds) CHECKED;
