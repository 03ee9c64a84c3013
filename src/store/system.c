#include "store/system.h"

#include "crypto/random.h"
#include "store/queries.h"

enum err store_tally_add(struct db *db, enum tally which, int64_t n)
{
    static const int queries[] = {[TALLY_USERS] = Q_TALLY_ADD_USERS,
                                  [TALLY_CONVERSATIONS] = Q_TALLY_ADD_CONVERSATIONS,
                                  [TALLY_MESSAGES] = Q_TALLY_ADD_MESSAGES};
    int64_t shard = 0; /* one that is held, so that nobody waits for it */
    while (shard + 1 < *db_shards(db) && db_stamps(db)->at[shard] == 0) {
        shard++;
    }
    return db_exec(db, queries[which], ARGS(V_INT(n), V_INT(shard)), NULL);
}

enum err store_tally_get(struct db *db, enum tally which, int64_t *out)
{
    static const int queries[] = {[TALLY_USERS] = Q_TALLY_GET_USERS,
                                  [TALLY_CONVERSATIONS] = Q_TALLY_GET_CONVERSATIONS,
                                  [TALLY_MESSAGES] = Q_TALLY_GET_MESSAGES};
    return db_get_int(db, queries[which], NO_ARGS, out, NULL);
}

enum err store_audit_add(struct db *db, int64_t now_us, struct uuid actor, const char *action,
                         struct uuid object_id, struct str detail)
{
    return db_exec(db, Q_AUDIT_ADD,
                   ARGS(V_UUID(random_uuid_v7()), V_TIME(now_us), V_UUID(actor),
                        V_TEXT(str_of(action)), V_UUID_OR_NULL(object_id), V_TEXT(detail)),
                   NULL);
}

enum err store_erasure_add(struct db *db, const char *kind, struct uuid id, int64_t now_us)
{
    return db_exec(db, Q_ERASURE_ADD, ARGS(V_TEXT(str_of(kind)), V_UUID(id), V_TIME(now_us)), NULL);
}
