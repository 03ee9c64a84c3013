#include "store/idempotency.h"

#include "store/queries.h"

enum err store_idempotency_get(struct db *db, struct arena *a, struct uuid user_id,
                               struct str request_digest, struct kept_answer *out, bool *found)
{
    struct db_rows rows;
    enum err e =
        db_query(db, Q_IDEMPOTENCY_GET, ARGS(V_UUID(user_id), V_BLOB(request_digest)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        out->body_digest = arena_copy(a, db_blob(&rows, 0));
        out->status = db_int(&rows, 1);
        out->answer = arena_copy(a, db_text(&rows, 2));
        out->object_id = db_uuid(&rows, 3);
    }
    return db_end(&rows, e);
}

enum err store_idempotency_add(struct db *db, struct uuid user_id, struct str request_digest,
                               const struct kept_answer *kept, int64_t now_us)
{
    return db_exec(db, Q_IDEMPOTENCY_ADD,
                   ARGS(V_UUID(user_id), V_BLOB(request_digest), V_BLOB(kept->body_digest),
                        V_INT(kept->status), V_TEXT(kept->answer), V_TIME(now_us),
                        V_UUID(kept->object_id)),
                   NULL);
}

enum err store_idempotency_purge(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
{
    return db_exec(db, Q_IDEMPOTENCY_PURGE, ARGS(V_TIME(before_us), V_INT(most)), dropped);
}
