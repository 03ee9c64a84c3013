#include "store/job.h"

#include "store/queries.h"

static void read_job(struct db_rows *rows, struct arena *a, struct job *out)
{
    *out = (struct job){
        .kind = arena_copy(a, db_text(rows, 0)),
        .id = db_uuid(rows, 1),
        .requested_at = db_int(rows, 2),
        .done = db_int(rows, 3),
        .error = db_is_null(rows, 4) ? STR_NULL : arena_copy(a, db_text(rows, 4)),
        .failed_at = db_int(rows, 5),
    };
}

enum err store_job_list(struct db *db, struct arena *a, const struct window *window,
                        struct job **rows, size_t *count)
{
    struct db_rows found;
    *rows = ARENA_ARRAY(a, struct job, (size_t)window->limit + 1);
    *count = 0;
    enum err e = db_query(db, window->descending ? Q_JOBS_DOWN : Q_JOBS,
                          ARGS(V_TIME(window->after.n), V_UUID(window->after.id),
                               V_INT(window->limit), V_INT(window->offset)),
                          &found);
    while (e == ERR_OK && *count < (size_t)window->limit && db_next(&found)) {
        read_job(&found, a, &(*rows)[(*count)++]);
    }
    return db_end(&found, e);
}

enum err store_job_count(struct db *db, int64_t most, int64_t *out)
{
    return db_get_int(db, Q_JOBS_COUNT, ARGS(V_INT(most)), out, NULL);
}

enum err store_job_count_failed(struct db *db, int64_t most, int64_t *out)
{
    return db_get_int(db, Q_JOBS_FAILED_COUNT, ARGS(V_INT(most)), out, NULL);
}

enum err store_job_get(struct db *db, struct arena *a, struct uuid id, struct job *out, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_JOB_GET, ARGS(V_UUID(id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        read_job(&rows, a, out);
    }
    return db_end(&rows, e);
}

enum err store_job_retry(struct db *db, struct uuid id)
{
    enum err e = db_exec(db, Q_ERASURE_RETRY, ARGS(V_UUID(id)), NULL);
    return e == ERR_OK ? db_exec(db, Q_DEMOTION_RETRY, ARGS(V_UUID(id)), NULL) : e;
}

enum err store_erasure_failed(struct db *db, const struct erasure *erasure, enum err failure,
                              int64_t now_us)
{
    struct str kind = erasure->kind == ERASE_USER ? STR("user") : STR("conversation");
    return db_exec(
        db, Q_ERASURE_FAILED,
        ARGS(V_TEXT(kind), V_UUID(erasure->id), V_TEXT(str_of(err_code(failure))), V_TIME(now_us)),
        NULL);
}

enum err store_demotion_failed(struct db *db, struct uuid user_id, enum err failure, int64_t now_us)
{
    return db_exec(db, Q_DEMOTION_FAILED,
                   ARGS(V_UUID(user_id), V_TEXT(str_of(err_code(failure))), V_TIME(now_us)), NULL);
}
