#include "store/demotion.h"

#include "store/queries.h"

enum err store_demotion_add(struct db *db, struct uuid user_id, int64_t now_us)
{
    return db_exec(db, Q_DEMOTION_ADD, ARGS(V_UUID(user_id), V_TIME(now_us)), NULL);
}

enum err store_demotion_next(struct db *db, struct uuid *user_id, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_DEMOTION_NEXT, NO_ARGS, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        *user_id = db_uuid(&rows, 0);
    }
    return db_end(&rows, e);
}

enum err store_demotion_end(struct db *db, struct uuid user_id)
{
    return db_exec(db, Q_DEMOTION_END, ARGS(V_UUID(user_id)), NULL);
}
