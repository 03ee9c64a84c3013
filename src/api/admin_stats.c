/* admin/stats/: the numbers of the dashboard, which asks for them every few seconds. What only grows is
 * a total since the start: its differences are rates. Nothing here costs more in a larger database. */
#include "api/metrics.h"
#include "base/clock.h"
#include "live/bus.h"
#include "serve/app.h"
#include "serve/route.h"
#include "store/census.h"
#include "sync/sync.h"

/* ------- shapes ------- */

#define INT_FIELD(title)                                                                           \
    {                                                                                              \
        .name = (title), .type = SHAPE_INT                                                         \
    }
#define PART(title, shape)                                                                         \
    {                                                                                              \
        .name = (title), .type = SHAPE_OBJECT, .of = &(shape)                                      \
    }

static const struct shape_field user_fields[] = {
    INT_FIELD("total"),
    INT_FIELD("active"),
    INT_FIELD("inactive"),
    INT_FIELD("admin"),
    INT_FIELD("host"),
    INT_FIELD("guest"),
    {.name = "capped", .type = SHAPE_BOOL},
};
static const struct shape shape_users = {.name = "StatsUsers", FIELDS(user_fields)};

static const struct shape_field live_fields[] = {
    INT_FIELD("sockets"),      INT_FIELD("streams"), INT_FIELD("polls"),     INT_FIELD("users"),
    INT_FIELD("queued_bytes"), INT_FIELD("frames"),  INT_FIELD("overflows"), INT_FIELD("nodes"),
};
static const struct shape shape_live = {.name = "StatsLive", FIELDS(live_fields)};

static const struct shape_field answer_fields[] = {
    INT_FIELD("total"),     INT_FIELD("1xx"),       INT_FIELD("2xx"),
    INT_FIELD("3xx"),       INT_FIELD("4xx"),       INT_FIELD("5xx"),
    INT_FIELD("throttled"), INT_FIELD("under_way"), INT_FIELD("us"),
};
static const struct shape shape_answers = {.name = "StatsAnswers", FIELDS(answer_fields)};

static const struct shape_field queue_fields[] = {
    INT_FIELD("writes"),   INT_FIELD("reads"), INT_FIELD("hashes"),
    INT_FIELD("searches"), INT_FIELD("pages"),
};
static const struct shape shape_queues = {.name = "StatsQueues", FIELDS(queue_fields)};

static const struct shape_field write_fields[] = {
    INT_FIELD("commits"), INT_FIELD("requests"), INT_FIELD("failed"),
    INT_FIELD("changes"), INT_FIELD("lag"),
};
static const struct shape shape_writes = {.name = "StatsWrites", FIELDS(write_fields)};

static const struct shape_field job_fields[] = {
    INT_FIELD("waiting"),
    INT_FIELD("failed"),
};
static const struct shape shape_jobs = {.name = "StatsJobs", FIELDS(job_fields)};

static const struct shape_field database_fields[] = {
    {.name = "engine", .type = SHAPE_STRING},
    INT_FIELD("bytes"),
    INT_FIELD("log_bytes"),
};
static const struct shape shape_database = {.name = "StatsDatabase", FIELDS(database_fields)};

static const struct shape_field stats_fields[] = {
    {.name = "version", .type = SHAPE_STRING},
    {.name = "node_id", .type = SHAPE_UUID},
    {.name = "now", .type = SHAPE_TIME},
    {.name = "started_at", .type = SHAPE_TIME},
    INT_FIELD("uptime_s"),
    PART("users", shape_users),
    INT_FIELD("conversations"),
    INT_FIELD("messages"),
    PART("live", shape_live),
    PART("answers", shape_answers),
    PART("queues", shape_queues),
    PART("writes", shape_writes),
    PART("jobs", shape_jobs),
    PART("database", shape_database),
    INT_FIELD("memory_bytes"),
    INT_FIELD("cpu_us"),
};
static const struct shape shape_stats = {.name = "Stats", FIELDS(stats_fields)};

/* ------- parts ------- */

static void write_users(struct json_out *o, const struct census *census)
{
    json_field_open_object(o, "users");
    json_field_i64(o, "total", census->users);
    json_field_i64(o, "active", census->users - census->inactive);
    json_field_i64(o, "inactive", census->inactive);
    json_field_i64(o, "admin", census->admins);
    json_field_i64(o, "host", census->hosts);
    json_field_i64(o, "guest", census->users - census->admins - census->hosts);
    json_field_bool(o, "capped",
                    census->inactive == CENSUS_MAX || census->admins == CENSUS_MAX ||
                        census->hosts == CENSUS_MAX);
    json_close_object(o);
}

static void write_live(struct json_out *o, const struct app *app)
{
    struct hub_stats hub;
    struct bus_stats bus = {0};
    hub_stats_get(app->hub, &hub);
    if (app->bus != NULL) {
        bus_stats_get(app->bus, &bus);
    }
    json_field_open_object(o, "live");
    json_field_i64(o, "sockets", hub.sockets);
    json_field_i64(o, "streams", hub.streams);
    json_field_i64(o, "polls", hub.polls);
    json_field_i64(o, "users", hub.users);
    json_field_i64(o, "queued_bytes", hub.queued_bytes);
    json_field_i64(o, "frames", hub.frames);
    json_field_i64(o, "overflows", hub.overflows);
    json_field_i64(o, "nodes", bus.nodes + 1);
    json_close_object(o);
}

static void write_answers(struct json_out *o, struct app *app)
{
    struct app_metrics *m = &app->metrics;
    int64_t total = 0;
    for (size_t i = 0; i < COUNT_OF(m->answers); i++) {
        total += atomic_load(&m->answers[i]);
    }
    json_field_open_object(o, "answers");
    json_field_i64(o, "total", total);
    json_field_i64(o, "1xx", atomic_load(&m->answers[1]));
    json_field_i64(o, "2xx", atomic_load(&m->answers[2]));
    json_field_i64(o, "3xx", atomic_load(&m->answers[3]));
    json_field_i64(o, "4xx", atomic_load(&m->answers[4]));
    json_field_i64(o, "5xx", atomic_load(&m->answers[5]));
    json_field_i64(o, "throttled", atomic_load(&m->throttled));
    json_field_i64(o, "under_way", http_server_active(app->server));
    json_field_i64(o, "us", atomic_load(&m->answer_us));
    json_close_object(o);
}

static void write_executor(struct json_out *o, const struct app *app)
{
    struct exec_stats exec;
    struct sync_stats sync;
    exec_stats_get(app->exec, &exec);
    sync_stats_get(app->sync, &sync);
    json_field_open_object(o, "queues");
    json_field_i64(o, "writes", exec.write_queued);
    json_field_i64(o, "reads", exec.pool_queued[EXEC_READS]);
    json_field_i64(o, "hashes", exec.pool_queued[EXEC_HASHES]);
    json_field_i64(o, "searches", exec.pool_queued[EXEC_SEARCHES]);
    json_field_i64(o, "pages", exec.pool_queued[EXEC_PAGES]);
    json_close_object(o);
    json_field_open_object(o, "writes");
    json_field_i64(o, "commits", exec.batches);
    json_field_i64(o, "requests", exec.batched);
    json_field_i64(o, "failed", exec.failed_batches);
    json_field_i64(o, "changes", sync.changes);
    json_field_i64(o, "lag", sync.lag);
    json_close_object(o);
}

static const char *engine_of(const struct conf *conf)
{
    struct str url = str_of(conf->database_url);
    if (conf->database_path != NULL) {
        return "sqlite";
    }
    return str_starts(url, STR("postgres")) ? "postgresql" : "mysql";
}

static void write_stored(struct req *r, const struct census *census)
{
    struct json_out *o = &r->out;
    json_field_open_object(o, "jobs");
    json_field_i64(o, "waiting", census->jobs);
    json_field_i64(o, "failed", census->jobs_failed);
    json_close_object(o);
    json_field_open_object(o, "database");
    json_field_str(o, "engine", str_of(engine_of(r->app->conf)));
    json_field_i64(o, "bytes", census->database_bytes);
    json_field_i64(o, "log_bytes", api_log_bytes(r));
    json_close_object(o);
}

static enum err show_stats(struct req *r)
{
    struct json_out *o = &r->out;
    struct app *app = r->app;
    struct census census;
    int64_t now_us = clock_now_us();
    enum err e = store_census(r->call.db, &census);
    if (e != ERR_OK) {
        return e;
    }
    json_open_object(o);
    json_field_str(o, "version", STR(CONFAB_VERSION));
    json_field_uuid(o, "node_id", app->node_id);
    json_field_time(o, "now", now_us);
    json_field_time(o, "started_at", app->metrics.started_us);
    json_field_i64(o, "uptime_s", api_up_us(app, now_us) / US_PER_SECOND);
    write_users(o, &census);
    json_field_i64(o, "conversations", census.conversations);
    json_field_i64(o, "messages", census.messages);
    write_live(o, app);
    write_answers(o, app);
    write_executor(o, app);
    write_stored(r, &census);
    json_field_i64(o, "memory_bytes", api_resident_bytes());
    json_field_i64(o, "cpu_us", api_cpu_us());
    json_close_object(o);
    return ERR_OK;
}

const struct resource api_admin_stats_resource = {
    .name = "Admin Stats",
    .description = "Numbers about the server and what it holds.",
    .paths = {"admin/stats/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_READ,
                 .handle = show_stats,
                 .out = &shape_stats,
                 .status = 200}},
};
