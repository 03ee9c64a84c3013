#include "store/ticket.h"

#include "store/queries.h"

enum err store_ticket_use(struct db *db, struct uuid id, int64_t expires_at, bool *first)
{
    int64_t added = 0;
    enum err e = db_exec(db, Q_TICKET_USE, ARGS(V_UUID(id), V_TIME(expires_at)), &added);
    *first = added > 0;
    return e;
}

enum err store_ticket_purge(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
{
    return db_exec(db, Q_TICKET_PURGE, ARGS(V_TIME(before_us), V_INT(most)), dropped);
}
