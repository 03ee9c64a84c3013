#include "store/health.h"

#include "db/embedded.h"
#include "store/queries.h"

static int64_t known_migrations(void)
{
    int64_t n = 0;
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        n += str_ends(str_of(embedded_migrations[i].name), STR(".up.sql")) ? 1 : 0;
    }
    return n;
}

enum err store_is_migrated(struct db *db, bool *yes)
{
    int64_t applied;
    enum err e = db_get_int(db, Q_MIGRATION_COUNT, NO_ARGS, &applied, NULL);
    *yes = e == ERR_OK && applied == known_migrations();
    return e;
}
