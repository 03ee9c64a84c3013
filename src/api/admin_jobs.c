/* admin/jobs/: background work that waits, and putting what failed back in its place. */
#include "api/admin.h"
#include "chat/admin.h"
#include "store/job.h"

static const struct shape_field job_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "kind", .type = SHAPE_STRING},
    {.name = "state", .type = SHAPE_STRING},
    {.name = "requested_at", .type = SHAPE_TIME},
    {.name = "done", .type = SHAPE_INT},
    {.name = "error", .type = SHAPE_STRING, .nullable = true},
    {.name = "failed_at", .type = SHAPE_TIME, .nullable = true},
};
static const struct shape shape_job = {.name = "Job", FIELDS(job_fields)};
static const struct shape shape_job_page = {.name = "Job", FIELDS(job_fields), .paged = true};

static const struct field list_query[] = {PAGE_FIELDS};

struct jobs_listed {
    struct job *rows;
};

static const char *state_of(const struct job *job)
{
    if (job->failed_at != 0) {
        return "failed";
    }
    return job->done > 0 ? "running" : "waiting";
}

static void write_one(struct req *r, const struct job *job)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_uuid(o, "id", job->id);
    json_field_str(o, "kind", job->kind);
    json_field_str(o, "state", str_of(state_of(job)));
    json_field_time(o, "requested_at", job->requested_at);
    json_field_i64(o, "done", job->done);
    json_field_str_or_null(o, "error", job->error);
    json_field_time_or_null(o, "failed_at", job->failed_at);
    json_close_object(o);
}

static enum err count_jobs(struct req *r, void *of, int64_t *count, bool *capped)
{
    (void)of;
    enum err e = store_job_count(r->call.db, PAGER_COUNT_MAX + 1, count);
    *capped = *count > PAGER_COUNT_MAX;
    return e;
}

static enum err read_jobs(struct req *r, void *of, const struct window *window, size_t *n)
{
    struct jobs_listed *list = of;
    return store_job_list(r->call.db, r->arena, window, &list->rows, n);
}

static struct list_key key_of(const void *of, size_t i)
{
    const struct job *job = &((const struct jobs_listed *)of)->rows[i];
    return (struct list_key){.n = job->requested_at, .id = job->id};
}

static enum err write_job(struct req *r, void *of, size_t i)
{
    write_one(r, &((const struct jobs_listed *)of)->rows[i]);
    return ERR_OK;
}

static enum err list_jobs(struct req *r)
{
    static const struct admin_list list = {
        .name = "jobs", .count = count_jobs, .read = read_jobs, .key = key_of, .write = write_job};
    struct jobs_listed jobs = {NULL};
    return api_admin_page(r, &list, 'j', false, &jobs);
}

static enum err find_job(struct req *r)
{
    struct job *job = ARENA_NEW(r->arena, struct job);
    bool found = false;
    r->object = job;
    enum err e = store_job_get(r->call.db, r->arena, r->path_ids[0].id, job, &found);
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

static enum err retry_job(struct req *r)
{
    struct job *job = r->object;
    enum err e = chat_admin_retry(&r->call, job->id);
    job->error = STR_NULL;
    job->failed_at = 0;
    write_one(r, job);
    return e;
}

const struct resource api_admin_job_list_resource = {
    .name = "Admin Job List",
    .description = "Background work that is not done yet: what was deleted is erased in pieces.",
    .paths = {"admin/jobs/"},
    .methods = {ADMIN_LIST_ROUTE(list_query, list_jobs, shape_job_page)},
};

const struct resource api_admin_job_retry_resource = {
    .name = "Admin Job Retry",
    .description = "What failed is tried again next, not behind all others.",
    .paths = {"admin/jobs/{id}/retry/"},
    .within = WITHIN_MANY,
    .methods = {{.method = "POST",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_WRITE,
                 .object = find_job,
                 .handle = retry_job,
                 .out = &shape_job,
                 .status = 200}},
};
