#include "store/census.h"

#include "store/job.h"
#include "store/queries.h"
#include "store/system.h"

static enum err count_roles(struct db *db, struct census *out)
{
    enum err e = db_get_int(db, Q_USERS_OF_ROLE, ARGS(V_TEXT(STR("admin")), V_INT(CENSUS_MAX)),
                            &out->admins, NULL);
    if (e == ERR_OK) {
        e = db_get_int(db, Q_USERS_OF_ROLE, ARGS(V_TEXT(STR("host")), V_INT(CENSUS_MAX)),
                       &out->hosts, NULL);
    }
    return e == ERR_OK
               ? db_get_int(db, Q_USERS_INACTIVE, ARGS(V_INT(CENSUS_MAX)), &out->inactive, NULL)
               : e;
}

static enum err count_kept(struct db *db, struct census *out)
{
    enum err e = store_tally_get(db, TALLY_USERS, &out->users);
    if (e == ERR_OK) {
        e = store_tally_get(db, TALLY_CONVERSATIONS, &out->conversations);
    }
    return e == ERR_OK ? store_tally_get(db, TALLY_MESSAGES, &out->messages) : e;
}

static enum err count_jobs(struct db *db, struct census *out)
{
    enum err e = store_job_count(db, CENSUS_MAX, &out->jobs);
    return e == ERR_OK ? store_job_count_failed(db, CENSUS_MAX, &out->jobs_failed) : e;
}

enum err store_census(struct db *db, struct census *out)
{
    *out = (struct census){0};
    enum err e = count_kept(db, out);
    if (e == ERR_OK) {
        e = count_roles(db, out);
    }
    if (e == ERR_OK) {
        e = count_jobs(db, out);
    }
    return e == ERR_OK ? db_get_int(db, Q_CENSUS_SIZE, NO_ARGS, &out->database_bytes, NULL) : e;
}
