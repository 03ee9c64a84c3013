/* confab serve: puts the parts together, waits for a signal, takes them apart in order. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/realtime.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/database.h"
#include "cli/options.h"
#include "crypto/random.h"
#include "jobs/jobs.h"
#include "live/bus.h"
#include "serve/app.h"
#include "serve/router.h"
#include "serve/throttle.h"
#include "store/change.h"
#include "store/queries.h"
#include "sync/sync.h"
#include "web/openapi.h"
#include "web/page.h"
#include "web/routes.h"

enum {
    STOP_TIMEOUT_MS = 10000,
    DRAIN_TIMEOUT_MS = 5000,
    FILES_RESERVED = 32,
    FILES_PER_THREAD = 8,
    LIVE_THREADS_DEFAULT_MAX = 4,
    HASH_NICE = 15,
    PAGE_QUEUE_MAX = 1024,
    MIGRATION_WAIT_MS = 60000,
    MIGRATION_STEP_MS = 100
};

/* The settings that depend on the machine, as they are in force. */
struct capacity {
    int64_t http_threads;
    int64_t live_threads;
    int64_t connections_max;
    int64_t sockets_max;
};

static const char about[] =
    "Runs the server until SIGINT or SIGTERM; what it has accepted is finished first.";

static void log_step(const struct migration *m, bool up)
{
    log_info("migration %s name=%.*s", up ? "up" : "down", STR_ARG(m->name));
}

static enum err migrate(struct cli *cli, struct str *problem)
{
    struct db *db = NULL;
    struct migrations all;
    enum err e = migrate_open(cli_database_url(cli), cli->conf->db_busy_timeout_ms, &db, cli->arena,
                              problem);
    if (e == ERR_OK) {
        e = migrate_load(db, cli->arena, &all, problem);
    }
    if (e == ERR_OK && !cli->conf->auto_migrate && all.applied < all.count) {
        *problem = STR("The database is not migrated: run `confab migrate`, or set "
                       "AUTO_MIGRATE=true.");
        e = ERR_CONFLICT;
    }
    if (e == ERR_OK) {
        e = migrate_to(db, &all, all.count, log_step, cli->arena, problem);
    }
    if (e == ERR_OK) {
        e = cli_end_migrations(db, &all, cli->arena, problem);
    }
    db_close(db);
    return e;
}

/* Another node that starts may be migrating: that takes its time. Signals wait until it is over, so
 * one that has come ends the waiting. */
static enum err migrate_in_turn(struct cli *cli, struct str *problem)
{
    const struct timespec step = {.tv_nsec = MIGRATION_STEP_MS * 1000000L};
    int64_t until_us = clock_steady_us() + MIGRATION_WAIT_MS * INT64_C(1000);
    sigset_t waiting;
    enum err e = migrate(cli, problem);
    while (e == ERR_BUSY && clock_steady_us() < until_us && sigpending(&waiting) == 0 &&
           !sigismember(&waiting, SIGTERM) && !sigismember(&waiting, SIGINT)) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
        e = migrate(cli, problem);
    }
    return e;
}

/* Another file under the same name is another database. */
static struct str database_file(struct cli *cli)
{
    struct stat file;
    if (cli->conf->database_path == NULL || stat(cli->conf->database_path, &file) != 0) {
        return str_of(cli->conf->database_name);
    }
    return arena_printf(cli->arena, "sqlite %s %llu:%llu", cli->conf->database_path,
                        (unsigned long long)file.st_dev, (unsigned long long)file.st_ino);
}

static enum err open_sync(struct cli *cli, struct app *app, struct str *problem)
{
    bool is_file = cli->conf->database_path != NULL;
    const char *mark = cli_mark_path(cli, cli->conf->database_path);
    enum err e = sync_open(app->sync, database_file(cli), mark);
    if (e == ERR_CONFLICT) {
        *problem = is_file ? STR("Another server runs on this database.")
                           : STR("Another server uses this DATA_DIR: each needs one of its own.");
    } else if (e != ERR_OK) {
        *problem = arena_printf(cli->arena, "The file %s cannot be used; see the log.", mark);
    }
    return e;
}

static enum err connected(struct db *db, void *context)
{
    const struct app *app = context;
    return sync_connected(db, app->sync);
}

static void committed(const struct position *stamps, void *context)
{
    const struct app *app = context;
    sync_committed(stamps, app->sync);
    bus_poke(app->bus);
}

static enum err start_executor(struct cli *cli, struct app *app, struct str *problem)
{
    const struct conf *conf = cli->conf;
    const struct exec_options options = {
        .url = cli_database_url(cli),
        .replica_url = conf->database_replica_url[0] != '\0' ? conf->database_replica_url : NULL,
        .queries = store_queries,
        .write_queue_max = conf->write_queue_max,
        .write_batch_max = conf->write_batch_max,
        .write_threads = conf->write_threads,
        .pools = {[EXEC_HASHES] = {conf->slow_threads, conf->slow_queue_max, HASH_NICE},
                  [EXEC_READS] = {conf->read_threads, conf->read_queue_max, 0},
                  [EXEC_SEARCHES] = {conf->search_threads, conf->search_queue_max, 0},
                  [EXEC_PAGES] = {conf->page_threads, PAGE_QUEUE_MAX, 0}},
        .busy_timeout_ms = conf->db_busy_timeout_ms,
        .read_timeout_ms = conf->read_timeout_ms,
        .hold = store_hold_shard,
        .foresee_hold = store_hold_foresee,
        .position = store_position,
        .connected = connected,
        .committed = committed,
        .context = app,
    };
    enum err e = open_sync(cli, app, problem);
    return e != ERR_OK ? e : exec_new(&options, &app->exec, cli->arena, problem);
}

static bool pull(struct live_pull *pull, void *context)
{
    const struct app *app = context;
    return sync_pull(pull, app->sync);
}

/* ------- other nodes ------- */

static void poked(void *context)
{
    const struct app *app = context;
    sync_look(app->sync);
}

static size_t tell_counts(struct bus_count *out, size_t max, void *context)
{
    const struct app *app = context;
    return throttle_tell(app->throttle, out, max);
}

static void hear_count(const struct bus_count *count, void *context)
{
    const struct app *app = context;
    throttle_hear(app->throttle, count);
}

/* Before the executor, which tells it of commits. */
static void make_bus(struct app *app)
{
    const struct bus_options options = {
        .url = app->conf->redis_url,
        .secret_key = app->limits.secret_key,
        .poked = poked,
        .typed = realtime_typing,
        .lost = realtime_lost,
        .counts = tell_counts,
        .counted = hear_count,
        .context = app,
    };
    app->bus = bus_new(&options);
}

static void start_live(struct cli *cli, struct app *app, const struct capacity *capacity)
{
    const struct conf *conf = cli->conf;
    const struct hub_options options = {
        .threads = capacity->live_threads,
        .buffer_max = conf->socket_buffer_max,
        .ring_max = conf->ring_size_max,
        .message_max = conf->socket_message_max,
        .clients_max = capacity->sockets_max,
        .clients_per_user_max = conf->sockets_per_user_max,
        .clients_per_address_max = conf->sockets_per_address_max,
        .heartbeat_s = conf->heartbeat_interval,
        .shards = exec_shards(app->exec),
        .pull = pull,
        .said = realtime_said,
        .here = realtime_here,
        .presence = realtime_presence,
        .context = app,
    };
    app->hub = hub_new(&options);
    sync_start(app->sync, app->exec, app->hub);
    bus_start(app->bus, app->hub);
}

/* ------- memory and descriptors ------- */

/* What a request needs is given back to the system only where it was much: taking it again costs more
 * than all the rest of a read, as each time every processor has to forget its addresses. */
static void keep_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

/* As many descriptors as the system lets us have: a connection takes one. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int64_t share(int64_t wanted, int64_t all_wanted, int64_t files, const char *setting)
{
    int64_t lowered = wanted * files / all_wanted;
    lowered = lowered > 1 ? lowered : 1;
    log_warning("%s is taken as %lld: the system allows too few open files (ulimit -n)", setting,
                (long long)lowered);
    return lowered;
}

/* The settings, or less: what clients open must leave descriptors for the database. */
static void fit_into_files(const struct conf *conf, struct capacity *capacity)
{
    int64_t threads = capacity->http_threads + capacity->live_threads + conf->slow_threads +
                      conf->search_threads + conf->page_threads;
    int64_t reserved = FILES_RESERVED + FILES_PER_THREAD * threads;
    int64_t wanted = conf->connections_max + conf->sockets_max;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= (rlim_t)(wanted + reserved)) {
        return;
    }
    int64_t all = (int64_t)limit.rlim_cur;
    int64_t files = all > 2 * reserved ? all - reserved : all / 2;
    capacity->connections_max = share(conf->connections_max, wanted, files, "CONNECTIONS_MAX");
    capacity->sockets_max = share(conf->sockets_max, wanted, files, "SOCKETS_MAX");
}

static struct capacity find_capacity(const struct conf *conf)
{
    int64_t cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t live = cores < LIVE_THREADS_DEFAULT_MAX ? cores : LIVE_THREADS_DEFAULT_MAX;
    struct capacity capacity = {
        .http_threads = conf->http_threads > 0 ? conf->http_threads : cores,
        .live_threads = conf->live_threads > 0 ? conf->live_threads : live,
        .connections_max = conf->connections_max,
        .sockets_max = conf->sockets_max,
    };
    fit_into_files(conf, &capacity);
    return capacity;
}

static enum err start_http(struct cli *cli, struct app *app, const struct capacity *capacity,
                           struct str *problem)
{
    const struct conf *conf = cli->conf;
    const struct http_options options = {
        .host = conf->host,
        .port = conf->port,
        .threads = capacity->http_threads,
        .connections_max = capacity->connections_max,
        .connections_per_address_max = conf->connections_per_address_max,
        .connection_timeout_s = conf->connection_timeout,
        .request_timeout_s = conf->request_timeout,
        .connection_memory_max = conf->connection_memory_max,
        .body_size_max = conf->body_size_max,
        .memory_max = conf->request_memory_max,
        .handle = serve_handle,
        .sent = serve_sent,
        .context = app,
    };
    return http_server_new(&options, &app->server, cli->arena, problem);
}

/* ------- start and stop ------- */

static void set_limits(struct app *app, struct str secret_key)
{
    const struct conf *conf = app->conf;
    app->limits = (struct chat_limits){
        .participants_max = conf->participants_max,
        .sessions_per_user_max = conf->sessions_per_user_max,
        .access_lifetime_s = conf->access_token_lifetime,
        .refresh_lifetime_s = conf->refresh_token_lifetime,
        .cookie_lifetime_s = conf->session_cookie_age,
        .refresh_grace_s = conf->refresh_grace,
        .password_iterations = conf->password_iterations,
        .contacts_for_members = strcmp(conf->contacts_visible, "members") == 0,
        .secret_key = secret_key,
    };
}

static void wait_for_signal(const sigset_t *signals)
{
    int caught = 0;
    while (sigwait(signals, &caught) != 0) {
    }
    log_info("stopping signal=%s", strsignal(caught));
}

static enum err start(struct cli *cli, struct app *app, struct str *problem)
{
    struct str secret_key;
    if (!cli_replica_fits(cli->conf, problem) || !cli_data_dir(cli, problem) ||
        !cli_secret_key(cli, &secret_key, problem)) {
        return ERR_UNAVAILABLE;
    }
    const struct capacity capacity = find_capacity(cli->conf);
    set_limits(app, secret_key);
    app->throttle = throttle_new(secret_key);
    make_bus(app);
    enum err e = migrate_in_turn(cli, problem);
    if (e == ERR_OK) {
        e = start_executor(cli, app, problem);
    }
    if (e != ERR_OK) {
        return e;
    }
    start_live(cli, app, &capacity);
    return start_http(cli, app, &capacity, problem);
}

/* Accepted requests are finished, those of sockets too: nothing new is taken; then the writes; then
 * what they changed is passed on, behind their answers; then clients are told to come back. */
static void stop(struct app *app, struct jobs *jobs)
{
    atomic_store(&app->stopping, true);
    if (app->server != NULL) {
        http_server_quiesce(app->server);
    }
    if (app->hub != NULL) {
        hub_quiesce(app->hub);
    }
    jobs_stop(jobs);
    if (app->exec != NULL) {
        exec_stop(app->exec);
    }
    sync_stop(app->sync);
    bus_stop(app->bus);
    if (app->hub != NULL) {
        hub_stop(app->hub, DRAIN_TIMEOUT_MS);
    }
    http_server_free(app->server, STOP_TIMEOUT_MS);
    exec_free(app->exec);
    bus_free(app->bus);
    hub_free(app->hub);
    sync_free(app->sync);
}

static struct router *make_router(struct arena *a)
{
    size_t count = api_resource_count + web_resource_count;
    const struct resource **all = ARENA_ARRAY(a, const struct resource *, count);
    memcpy(all, api_resources, api_resource_count * sizeof(*all));
    memcpy(all + api_resource_count, web_resources, web_resource_count * sizeof(*all));
    return router_new(all, count);
}

int cli_serve(struct cli *cli)
{
    struct app app = {.conf = cli->conf};
    struct str problem = STR("");
    sigset_t signals;
    const struct cli_usage usage = {.command = "serve", .about = about};
    int code = 0;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    /* Before any thread starts, so that all of them leave these signals to this one. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    keep_memory();
    raise_file_limit();

    app.metrics.started_us = clock_now_us();
    app.router = make_router(cli->arena);
    app.page = browse_page;
    app.openapi = openapi_new(cli->conf);
    app.sync = sync_new();
    random_bytes(&app.seed, sizeof(app.seed));
    app.node_id = random_uuid_v7();
    struct jobs *jobs = NULL;
    if (start(cli, &app, &problem) == ERR_OK) {
        jobs = jobs_start(&app);
        log_info("listening url=http://%s:%d database=%s", cli->conf->host,
                 http_server_port(app.server), cli->conf->database_name);
        wait_for_signal(&signals);
    } else {
        code = cli_fail(1, "%.*s", STR_ARG(problem));
    }
    stop(&app, jobs);
    throttle_free(app.throttle);
    openapi_free(app.openapi);
    router_free(app.router);
    return code;
}
