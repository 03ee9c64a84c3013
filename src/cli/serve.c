/* confab serve: puts the parts together, waits for a signal, takes them apart in order. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/options.h"
#include "jobs/jobs.h"
#include "serve/app.h"
#include "serve/router.h"
#include "serve/throttle.h"
#include "store/queries.h"

enum { STOP_TIMEOUT_MS = 10000, FILES_RESERVED = 32, FILES_PER_THREAD = 8 };

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
    db_close(db);
    return e;
}

static enum err start_executor(struct cli *cli, struct app *app, struct str *problem)
{
    const struct conf *conf = cli->conf;
    const struct exec_options options = {.url = cli_database_url(cli),
                                         .queries = store_queries,
                                         .write_queue_max = conf->write_queue_max,
                                         .write_batch_max = conf->write_batch_max,
                                         .slow_queue_max = conf->slow_queue_max,
                                         .slow_threads = conf->slow_threads,
                                         .busy_timeout_ms = conf->db_busy_timeout_ms,
                                         .read_timeout_ms = conf->read_timeout_ms,
                                         .query_raise_stamp = Q_STAMP_RAISE};
    return exec_new(&options, &app->exec, cli->arena, problem);
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

/* The setting, or less: what clients open must leave descriptors for the database. */
static int64_t connections_max(const struct conf *conf, int64_t threads)
{
    int64_t reserved = FILES_RESERVED + FILES_PER_THREAD * (threads + conf->slow_threads);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur >= (rlim_t)(conf->connections_max + reserved)) {
        return conf->connections_max;
    }
    int64_t files = (int64_t)limit.rlim_cur;
    int64_t lowered = files > 2 * reserved ? files - reserved : files / 2;
    if (lowered >= conf->connections_max) {
        return conf->connections_max;
    }
    log_warning("CONNECTIONS_MAX is taken as %lld: the system allows %lld open files (ulimit -n)",
                (long long)lowered, (long long)files);
    return lowered;
}

static enum err start_http(struct cli *cli, struct app *app, struct str *problem)
{
    const struct conf *conf = cli->conf;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t threads = conf->http_threads > 0 ? conf->http_threads : cores;
    const struct http_options options = {
        .host = conf->host,
        .port = conf->port,
        .threads = threads,
        .connections_max = connections_max(conf, threads),
        .connections_per_address_max = conf->connections_per_address_max,
        .connection_timeout_s = conf->connection_timeout,
        .connection_memory_max = conf->connection_memory_max,
        .body_size_max = conf->body_size_max,
        .memory_max = conf->request_memory_max,
        .handle = serve_handle,
        .sent = serve_sent,
        .context = app,
    };
    return http_server_new(&options, &app->server, cli->arena, problem);
}

static void set_limits(struct app *app, struct str secret_key)
{
    const struct conf *conf = app->conf;
    app->limits = (struct chat_limits){
        .participants_max = conf->participants_max,
        .sessions_per_user_max = conf->sessions_per_user_max,
        .access_lifetime_s = conf->access_token_lifetime,
        .refresh_lifetime_s = conf->refresh_token_lifetime,
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
    if (!cli_data_dir(cli, problem) || !cli_secret_key(cli, &secret_key, problem)) {
        return ERR_UNAVAILABLE;
    }
    set_limits(app, secret_key);
    enum err e = migrate(cli, problem);
    if (e == ERR_OK) {
        e = start_executor(cli, app, problem);
    }
    return e == ERR_OK ? start_http(cli, app, problem) : e;
}

/* Accepted requests are finished: writes first, then what is being answered. */
static void stop(struct app *app, struct jobs *jobs)
{
    atomic_store(&app->stopping, true);
    if (app->server != NULL) {
        http_server_quiesce(app->server);
    }
    jobs_stop(jobs);
    if (app->exec != NULL) {
        exec_stop(app->exec);
    }
    http_server_free(app->server, STOP_TIMEOUT_MS);
    exec_free(app->exec);
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
    raise_file_limit();

    app.metrics.started_us = clock_now_us();
    app.router = router_new(api_resources, api_resource_count);
    app.throttle = throttle_new();
    struct jobs *jobs = NULL;
    if (start(cli, &app, &problem) == ERR_OK) {
        jobs = jobs_start(&app);
        log_info("listening url=http://%s:%d database=%s", cli->conf->host,
                 http_server_port(app.server), cli->conf->database_path);
        wait_for_signal(&signals);
    } else {
        code = cli_fail(1, "%.*s", STR_ARG(problem));
    }
    stop(&app, jobs);
    throttle_free(app.throttle);
    router_free(app.router);
    return code;
}
