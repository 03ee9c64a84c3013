#include "store/statistics.h"

enum err store_statistics_renew(struct db *db, struct arena *a, struct str *problem)
{
    return db_script(db, "X_ANALYZE{}{ account, session, conversation, participant, message}", a,
                     problem);
}
