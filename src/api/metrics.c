/* Numbers for Prometheus (text format 0.0.4): admins, and the addresses of METRICS_ALLOW. No name
 * and no id of anybody is in them. */
#include "api/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "live/bus.h"
#include "serve/app.h"
#include "serve/net.h"
#include "serve/route.h"
#include "sync/sync.h"

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_number(struct buf *out, const char *name, const char *type, const char *help,
                       int64_t n)
{
    add_head(out, name, type, help);
    buf_printf(out, "%s %" PRId64 "\n", name, n);
}

static void add_seconds(struct buf *out, const char *name, const char *type, const char *help,
                        int64_t us)
{
    add_head(out, name, type, help);
    buf_printf(out, "%s %" PRId64 ".%06" PRId64 "\n", name, us / US_PER_SECOND, us % US_PER_SECOND);
}

/* ------- the server ------- */

static void add_answers(struct buf *out, struct app_metrics *m)
{
    int64_t count = 0;
    add_head(out, "confab_answers_total", "counter", "Answers by class of their status.");
    for (size_t i = 1; i < COUNT_OF(m->answers); i++) {
        int64_t n = atomic_load(&m->answers[i]);
        buf_printf(out, "confab_answers_total{status=\"%zuxx\"} %" PRId64 "\n", i, n);
        count += n;
    }
    int64_t us = atomic_load(&m->answer_us);
    add_head(out, "confab_answer_seconds", "summary", "From the request line to the answer.");
    buf_printf(out, "confab_answer_seconds_sum %" PRId64 ".%06" PRId64 "\n", us / US_PER_SECOND,
               us % US_PER_SECOND);
    buf_printf(out, "confab_answer_seconds_count %" PRId64 "\n", count);
    add_number(out, "confab_throttled_total", "counter", "Requests that were throttled.",
               atomic_load(&m->throttled));
}

static void add_replica(struct buf *out, const struct exec_stats *stats)
{
    add_number(out, "confab_replica_up", "gauge", "Did the replica take the last search, 1 or 0.",
               stats->replica_is_used);
    add_number(out, "confab_replica_reads_total", "counter", "Searches that it answered.",
               stats->replica_reads);
    add_number(out, "confab_replica_missed_total", "counter",
               "Searches for which it was away or behind.", stats->replica_missed);
}

static void add_executor(struct buf *out, const struct app *app)
{
    struct exec_stats stats;
    exec_stats_get(app->exec, &stats);
    add_number(out, "confab_write_queue_length", "gauge", "Writes that wait for the writer.",
               stats.write_queued);
    add_number(out, "confab_hash_queue_length", "gauge", "Requests that wait for a password hash.",
               stats.pool_queued[EXEC_HASHES]);
    add_number(out, "confab_search_queue_length", "gauge", "Requests that wait for a search.",
               stats.pool_queued[EXEC_SEARCHES]);
    add_number(out, "confab_page_queue_length", "gauge", "Clients that wait for what they missed.",
               stats.pool_queued[EXEC_PAGES]);
    add_number(out, "confab_write_batches_total", "counter", "Transactions of the writer.",
               stats.batches);
    add_number(out, "confab_write_batched_total", "counter", "Writes in those transactions.",
               stats.batched);
    add_number(out, "confab_write_batches_failed_total", "counter",
               "Transactions that were undone as a whole.", stats.failed_batches);
    if (app->conf->database_replica_url[0] != '\0') {
        add_replica(out, &stats);
    }
}

/* ------- real time ------- */

static void add_clients(struct buf *out, const struct hub_stats *stats)
{
    add_head(out, "confab_live_clients", "gauge", "Clients that listen, by the way they do it.");
    buf_printf(out, "confab_live_clients{way=\"socket\"} %" PRId64 "\n", stats->sockets);
    buf_printf(out, "confab_live_clients{way=\"events\"} %" PRId64 "\n", stats->streams);
    buf_printf(out, "confab_live_clients{way=\"poll\"} %" PRId64 "\n", stats->polls);
}

static void add_hub(struct buf *out, struct hub *hub)
{
    struct hub_stats stats;
    hub_stats_get(hub, &stats);
    add_clients(out, &stats);
    add_number(out, "confab_live_users", "gauge", "Users with a client that listens.", stats.users);
    add_number(out, "confab_live_queued_bytes", "gauge", "Bytes that wait for slow clients.",
               stats.queued_bytes);
    add_number(out, "confab_live_frames_total", "counter", "Frames written to clients.",
               stats.frames);
    add_number(out, "confab_live_pulls_total", "counter", "Pages of what clients had missed.",
               stats.pulls);
    add_number(out, "confab_live_overflows_total", "counter",
               "Times that a client was too slow for its buffer.", stats.overflows);
    add_number(out, "confab_live_ring_joins_total", "counter",
               "Clients that came back so soon that they had missed nothing but the ring.",
               stats.ring_joins);
}

static void add_tailer(struct buf *out, struct sync *sync)
{
    struct sync_stats stats;
    sync_stats_get(sync, &stats);
    add_number(out, "confab_tailer_batches_total", "counter", "Runs of commits passed on.",
               stats.batches);
    add_number(out, "confab_tailer_changes_total", "counter", "Changes in them.", stats.changes);
    add_number(out, "confab_tailer_lag", "gauge",
               "Commits that it had to pass on at its last look.", stats.lag);
}

static void add_bus(struct buf *out, struct bus *bus)
{
    struct bus_stats stats;
    if (bus == NULL) {
        return;
    }
    bus_stats_get(bus, &stats);
    add_number(out, "confab_bus_up", "gauge", "Is Redis there, 1 or 0.", stats.is_up);
    add_number(out, "confab_bus_breaks_total", "counter", "Times that it went away.", stats.breaks);
    add_number(out, "confab_bus_nodes", "gauge", "Other nodes that are heard.", stats.nodes);
    add_number(out, "confab_bus_sent_total", "counter", "Messages to them.", stats.sent);
    add_number(out, "confab_bus_received_total", "counter", "Messages from them.", stats.received);
    add_number(out, "confab_bus_bad_total", "counter", "Messages that were not understood.",
               stats.bad);
    add_number(out, "confab_bus_dropped_total", "counter",
               "Signs of typing and presence that had no room.", stats.dropped);
}

/* 0: no such file. */
static int64_t file_size(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (int64_t)about.st_size : 0;
}

int64_t api_log_bytes(struct req *r)
{
    const char *path = r->app->conf->database_path;
    return path == NULL ? 0 : file_size(arena_printf(r->arena, "%s-wal", path).p);
}

static void add_files(struct req *r, struct buf *out)
{
    const char *path = r->app->conf->database_path;
    if (path == NULL) {
        return;
    }
    add_number(out, "confab_database_bytes", "gauge", "Size of the database file.",
               file_size(path));
    add_number(out, "confab_database_wal_bytes", "gauge", "Size of its write-ahead log.",
               api_log_bytes(r));
}

/* ------- the process ------- */

int64_t api_resident_bytes(void)
{
    long long pages = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (in == NULL) {
        return 0;
    }
    if (fscanf(in, "%*s %lld", &pages) != 1) {
        pages = 0;
    }
    (void)fclose(in);
    return pages * sysconf(_SC_PAGESIZE);
}

int64_t api_cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return 0;
    }
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US_PER_SECOND +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int64_t api_up_us(const struct app *app, int64_t now_us)
{
    int64_t up_us = now_us - app->metrics.started_us;
    return up_us > 0 ? up_us : 0; /* somebody may have set the clock back */
}

static void add_process(struct buf *out, const struct app *app)
{
    add_seconds(out, "confab_uptime_seconds", "gauge", "Since the server was started.",
                api_up_us(app, clock_now_us()));
    add_seconds(out, "process_start_time_seconds", "gauge", "When it was started.",
                app->metrics.started_us);
    add_seconds(out, "process_cpu_seconds_total", "counter", "Processor time.", api_cpu_us());
    add_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
               api_resident_bytes());
}

/* ------- the route ------- */

static enum err may_read_metrics(struct req *r)
{
    if (call_is_admin(&r->call) || net_address_in(r->address, r->app->conf->metrics_allow)) {
        return ERR_OK;
    }
    return r->call.me == NULL ? ERR_NOT_AUTHENTICATED : ERR_FORBIDDEN;
}

static enum err show_metrics(struct req *r)
{
    struct buf *out = &r->x->out;
    add_head(out, "confab_info", "gauge", "The version that runs.");
    buf_printf(out, "confab_info{version=\"%s\"} 1\n", CONFAB_VERSION);
    add_answers(out, &r->app->metrics);
    add_number(out, "confab_active_requests", "gauge", "Requests under way, this one too.",
               http_server_active(r->app->server));
    add_executor(out, r->app);
    add_hub(out, r->app->hub);
    add_tailer(out, r->app->sync);
    add_bus(out, r->app->bus);
    add_files(r, out);
    add_process(out, r->app);
    r->content_type_out = "text/plain; version=0.0.4; charset=utf-8";
    return ERR_OK;
}

static const struct renderer metrics_text[] = {RENDERER("text/plain", "")};

const struct resource api_metrics_resource = {
    .name = "Metrics",
    .description = "Numbers about the server, as Prometheus reads them.",
    .paths = {"/metrics/"},
    .methods =
        {
            {"GET", ACCESS_ANYONE, ROUTE_NONE, THROTTLE_NEVER, .object = may_read_metrics,
             .handle = show_metrics, .fails = FAILS(ERR_NOT_AUTHENTICATED, ERR_FORBIDDEN),
             .status = 200, .renders = FIELDS(metrics_text)},
        },
};
