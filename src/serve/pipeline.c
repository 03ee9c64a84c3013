/* The life of a request, from the HTTP thread that read it to the reply:
 *
 *   route, host, preflight, negotiation     HTTP thread
 *   identify, authorise, throttle, method   HTTP thread, in a read snapshot; or on a pool of reads, or
 *                                           unread (may_write_unread())
 *   decode body and query                   the same
 *   READ   object, handler                  the same; the reply goes out at once, or after the
 *                                           writer has stored what r->confirm wants
 *   WRITE  [slow stage: pool for hashes]    then the writer: the caller again, object, kept
 *          answer, handler, commit; the reply goes out after the commit
 *
 * With Basic the password hash comes first, and some filters look through texts: then the whole
 * first part runs on a pool. A handler may take the exchange over (r->take) for answers that are
 * not one body. Requests over a socket (serve/inner.h) come the same way, without a connection. */
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "chat/audit.h"
#include "http/charset.h"
#include "serve/app.h"
#include "serve/idempotency.h"
#include "serve/identify.h"
#include "serve/inner.h"
#include "serve/input.h"
#include "serve/intake.h"
#include "serve/net.h"
#include "serve/options.h"
#include "serve/rates.h"
#include "serve/reply.h"
#include "serve/router.h"
#include "serve/touch.h"
#include "store/change.h"
#include "store/message.h"
#include "store/session.h"

static const struct renderer json_renderer = {{"application/json", 16}, {"json", 4}};
/* DRF's name for its browsable API. */
static const struct renderer page_renderer = {{"text/html", 9}, {"api", 3}};
/* Where those of the route begin in the list. */
enum { OF_ROUTES = 2 };

/* --- before the database ----------------------------------------------------------------- */

static enum err choose_format(struct req *r, struct str suffix)
{
    if (r->route != NULL && r->route->one_form) {
        r->wants_page = r->route->page != NULL;
        return ERR_OK;
    }
    struct str format = query_get(&r->query, STR("format"));
    if (format.p == NULL || format.n == 0) {
        format = suffix;
    }
    /* ?format= wins over Accept; what it names must exist. */
    struct str accept = http_request_header_all(r->x, "Accept");
    struct renderer renderers[OF_ROUTES + RENDERS_MAX] = {json_renderer, page_renderer};
    size_t count = OF_ROUTES;
    for (size_t i = 0; r->route != NULL && i < r->route->render_count; i++) {
        renderers[count++] = r->route->renders[i];
    }
    enum err e = accept_choose(accept, format, renderers, count, &r->accept);
    r->wants_page = r->accept.index == 1;
    r->render =
        r->accept.index < OF_ROUTES ? NULL : &r->route->renders[r->accept.index - OF_ROUTES];
    return e;
}

static enum err find_route(struct req *r)
{
    struct str suffix;
    r->path_sent = r->x->path;
    r->path = query_unescape(r->arena, r->x->path, false);
    if (!router_find(r->app->router, r, r->path, &suffix)) {
        r->resource = NULL;
    }
    if (r->x->query.p != NULL) {
        enum err e = query_parse(r->arena, r->x->query, &r->query);
        if (e != ERR_OK) {
            r->detail = QUERY_TOO_MANY;
            return e;
        }
    }
    if (r->resource == NULL) {
        (void)choose_format(r, STR_NULL); /* for the shape of the error */
        return ERR_NOT_FOUND;
    }
    r->route = router_method(r->resource, r->x->method);
    if (r->route != NULL) {
        r->status = r->route->status;
    }
    return choose_format(r, suffix);
}

/* --- in a snapshot: who, may he, how often ------------------------------------------------ */

/* The access of a method that the resource does not have is that of its first one. */
static const struct route *access_route(const struct req *r)
{
    return r->route != NULL ? r->route : &r->resource->methods[0];
}

static enum err authorise(struct req *r, enum access access)
{
    switch (access) {
    case ACCESS_ANYONE:
    case ACCESS_IGNORE: return ERR_OK;
    case ACCESS_USER: return r->call.me == NULL ? ERR_NOT_AUTHENTICATED : ERR_OK;
    case ACCESS_ADMIN:
        if (r->call.me == NULL) {
            return ERR_NOT_AUTHENTICATED;
        }
        return call_is_admin(&r->call) ? ERR_OK : ERR_FORBIDDEN;
    case ACCESS_UNDECLARED: break;
    }
    return ERR_INTERNAL;
}

/* Who is named in a log-in's body. */
static struct str login_name(const struct req *r)
{
    struct str name = STR("");
    for (size_t i = 0; i < r->route->input_count; i++) {
        bool identifies = str_in_list(str_of(r->route->input[i].name), "username,email");
        if (identifies && r->input[i].text.n > 0) {
            name = r->input[i].text;
        }
    }
    return name;
}

static enum err throttle_login(struct req *r)
{
    return r->route->throttle == THROTTLE_LOGIN ? rates_login_begin(r, login_name(r)) : ERR_OK;
}

static void count_failed_login(struct req *r, enum err e)
{
    if (r->route->throttle == THROTTLE_LOGIN && (e == ERR_BAD_LOGIN || e == ERR_INVALID)) {
        rates_login_failed(r);
    }
}

static enum err check_path_ids(const struct req *r)
{
    for (size_t i = 0; i < COUNT_OF(r->path_ids); i++) {
        if (r->path_ids[i].text.p != NULL && !r->path_ids[i].valid) {
            return ERR_NOT_FOUND;
        }
    }
    return ERR_OK;
}

static enum err method_not_allowed(struct req *r)
{
    r->detail = arena_printf(r->arena, "Method \"%.*s\" not allowed.",
                             STR_ARG(charset_repair(r->arena, r->x->method)));
    return ERR_METHOD;
}

/* What is wrong with the path or the query; told to whom they concern. */
static enum err check_target(struct req *r)
{
    if (r->route == NULL) {
        return ERR_OK;
    }
    enum err e = check_path_ids(r);
    return e == ERR_OK ? input_read_filters(r) : e;
}

/* Everything up to the decoded input; r->call.db is in a transaction if the route or the caller's
 * credentials need one. */
static enum err admit(struct req *r)
{
    const struct route *access = access_route(r);
    if (r->call.db != NULL && !exec_reads_here(r->app->exec) && access->access != ACCESS_IGNORE) {
        identify_foresee(r);
    }
    enum err e = access->access == ACCESS_IGNORE ? ERR_OK : identify(r);
    if (e == ERR_OK) {
        if (r->call.db != NULL) { /* else nobody has read yet when it was used last */
            touch_session(r);
        }
        e = authorise(r, access->access);
    }
    if (e == ERR_OK) {
        e = rates_take(r, access);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (str_eq(r->x->method, STR("OPTIONS"))) {
        options_write(r);
        return ERR_OK;
    }
    return r->route == NULL ? method_not_allowed(r) : r->target;
}

/* --- object, body, handler ----------------------------------------------------------------- */

static enum err find_object(struct req *r)
{
    return r->route->object != NULL ? r->route->object(r) : ERR_OK;
}

/* The same where nothing has been read yet. */
static enum err find_object_first(struct req *r)
{
    struct db *db = NULL;
    if (r->call.db != NULL) {
        return find_object(r);
    }
    enum err e = exec_read_begin(r->app->exec, &db);
    if (e != ERR_OK) {
        return e;
    }
    r->call.db = db;
    e = identify_again(r);
    if (e == ERR_OK) {
        e = find_object(r);
    }
    exec_read_end(r->app->exec, db);
    r->call.db = NULL;
    return e;
}

/* What is wrong with the body, told once its object is found. */
static enum err body_result(struct req *r)
{
    if (r->body_error != ERR_OK) {
        r->detail = r->body_detail;
        return r->body_error;
    }
    return r->problems.first != NULL ? ERR_INVALID : ERR_OK;
}

static enum err run_read(struct req *r)
{
    enum err e = find_object(r);
    if (e == ERR_OK) {
        e = body_result(r);
    }
    return e == ERR_OK ? r->route->handle(r) : e;
}

static enum err run_write(struct req *r)
{
    bool replayed = false;
    enum err e = identify_again(r);
    if (e == ERR_OK) {
        e = authorise(r, r->route->access);
    }
    if (e == ERR_OK) {
        e = find_object(r);
    }
    if (e == ERR_OK) {
        e = idempotency_find(r, &replayed);
    }
    if (e == ERR_OK && !replayed) {
        e = r->route->handle(r);
        if (e == ERR_OK) {
            e = idempotency_keep(r);
        }
    }
    return e == ERR_OK ? chat_audit_noted(&r->call) : e;
}

/* --- the executor's side -------------------------------------------------------------------- */

static struct req *req_of(struct work *work)
{
    return (struct req *)((char *)work - offsetof(struct req, work));
}

static enum err write_run(struct work *work, struct db *db)
{
    struct req *r = req_of(work);
    reply_reset(r);
    r->call.db = db;
    r->call.now_us = clock_now_us();
    r->call.noted = (struct chat_noted){NULL, {{0}}};
    return run_write(r);
}

static void write_foresee(struct work *work, struct db *db)
{
    struct req *r = req_of(work);
    if (r->call.me != NULL) {
        r->call.db = db;
        store_session_foresee(db, r->session.id);
        r->route->foresee(r, r->user.id);
    }
}

/* The answer is written already; it goes out once this is stored: a ticket is used, or the audit
 * log says who was shown what. */
static enum err confirm_run(struct work *work, struct db *db)
{
    struct req *r = req_of(work);
    r->call.db = db;
    enum err e = r->confirm != NULL ? r->confirm(r) : ERR_OK;
    return e == ERR_OK ? chat_audit_noted(&r->call) : e;
}

static void take_over(struct http_exchange *x)
{
    struct req *r = x->app;
    r->taken = true;
    r->take(r);
}

/* Of an exchange that is deferred. */
static void finish(struct req *r)
{
    if (r->take != NULL) {
        http_continue(r->x, take_over);
    } else {
        http_reply(r->x);
    }
}

static void write_done(struct work *work, enum err e, bool batch_failed)
{
    struct req *r = req_of(work);
    if (batch_failed) {
        reply_reset(r);
        if (e != ERR_STORAGE_FULL && e != ERR_OUTCOME_UNKNOWN && e != ERR_INTERNAL) {
            e = ERR_UNAVAILABLE;
        }
    } else {
        count_failed_login(r, e);
    }
    e = e == ERR_OK ? r->kept_error : e;
    if (e != ERR_OK || r->take == NULL) {
        reply_make(r, e); /* an error takes nothing over */
    }
}

static void write_release(struct work *work)
{
    finish(req_of(work));
}

/* By what it belongs to. A wrong one costs waiting, nothing else: store/ holds the shards that it
 * writes in. */
static int shard_of(const struct req *r)
{
    int shards = exec_shards(r->app->exec);
    return uuid_is_zero(r->within) ? EXEC_ANY_SHARD : store_shard_among(r->within, shards);
}

/* Queues the request to a writer; the exchange is deferred. */
static void submit_write(struct req *r, enum err (*run)(struct work *work, struct db *db))
{
    bool foresees = run == write_run && r->route->foresee != NULL;
    r->work = (struct work){.run = run,
                            .foresee = foresees ? write_foresee : NULL,
                            .done = write_done,
                            .release = write_release,
                            .shard = shard_of(r)};
    if (!exec_write(r->app->exec, &r->work)) {
        reply_send(r, ERR_BUSY);
    }
}

/* Queues the request to a pool, where addresses take turns; the exchange is deferred. */
static void submit_to(struct req *r, enum exec_pool pool,
                      enum err (*run)(struct work *work, struct db *db),
                      void (*done)(struct work *work, enum err e, bool batch_failed))
{
    r->work.run = run;
    r->work.done = done;
    r->work.turn = net_turn(r->address, r->app->seed);
    if (!exec_run(r->app->exec, pool, &r->work)) {
        reply_send(r, ERR_BUSY);
    }
}

static enum err slow_run(struct work *work, struct db *db)
{
    struct req *r = req_of(work);
    r->call.db = db;
    if (r->route->throttle == THROTTLE_LOGIN) { /* those that queued before it may have failed */
        enum err e = rates_login_check(r);
        if (e != ERR_OK) {
            return e;
        }
    }
    return r->route->slow(r);
}

static void slow_done(struct work *work, enum err e, bool batch_failed)
{
    struct req *r = req_of(work);
    (void)batch_failed;
    if (e == ERR_OK) {
        submit_write(r, write_run);
        return;
    }
    count_failed_login(r, e);
    reply_send(r, e);
}

/* The exchange is deferred already. */
static void submit_slow(struct req *r)
{
    r->work = (struct work){0};
    submit_to(r, EXEC_HASHES, slow_run, slow_done);
}

/* --- the two ways in ------------------------------------------------------------------------ */

/* Of a message named alone the database must be asked. */
static enum err find_conversation(struct req *r)
{
    bool is_nested = r->path_ids[1].text.p != NULL;
    bool found = false;
    if (is_nested || r->call.db == NULL) {
        r->within = is_nested ? r->path_ids[0].id : r->within;
        return ERR_OK;
    }
    return store_message_conversation(r->call.db, r->path_ids[0].id, &r->within, &found);
}

/* Where there is one writer nobody asks. */
static enum err find_within(struct req *r)
{
    if (exec_shards(r->app->exec) == 1) {
        return ERR_OK;
    }
    enum within within = r->route->db == ROUTE_WRITE ? r->resource->within : WITHIN_CALLER;
    switch (within) {
    case WITHIN_CALLER: r->within = r->call.me != NULL ? r->user.id : (struct uuid){{0}}; break;
    case WITHIN_CONVERSATION: r->within = r->path_ids[0].id; break;
    case WITHIN_NAMED: r->within = req_input(r, "conversation")->id; break;
    case WITHIN_MESSAGE: return find_conversation(r);
    case WITHIN_MANY: break;
    }
    return ERR_OK;
}

static void read_body(struct req *r)
{
    if (r->body_is_read) {
        return;
    }
    r->body_is_read = true;
    r->body_error = input_read_body(r, r->content_type);
    r->body_detail = r->detail; /* the object's own error has a text of its own */
    r->detail = STR_NULL;
}

/* Admits the request and, unless the writer must do it, answers it. *to_writer: it is admitted, its
 * input is good, and it has still to run; or it was a read of which something must be stored. */
static enum err admit_and_read(struct req *r, bool *to_writer)
{
    *to_writer = false;
    enum err e = admit(r);
    if (e != ERR_OK || r->route == NULL || str_eq(r->x->method, STR("OPTIONS"))) {
        return e;
    }
    read_body(r);
    if (r->route->db != ROUTE_WRITE) {
        e = run_read(r);
        *to_writer = e == ERR_OK && (r->call.noted.action != NULL || r->confirm != NULL);
        return *to_writer ? find_within(r) : e;
    }
    if (r->body_error != ERR_OK || r->problems.first != NULL) {
        e = find_object_first(r); /* a foreign object is told before a bad body */
        return e == ERR_OK ? body_result(r) : e;
    }
    e = throttle_login(r);
    if (e == ERR_OK) {
        e = find_within(r);
    }
    *to_writer = e == ERR_OK;
    return e;
}

static void go_on_writing(struct req *r)
{
    if (r->route->slow != NULL) {
        submit_slow(r);
    } else {
        submit_write(r, r->route->db == ROUTE_WRITE ? write_run : confirm_run);
    }
}

static enum err apart_run(struct work *work, struct db *db)
{
    struct req *r = req_of(work);
    r->call.db = db;
    db_set_deadline(db, clock_steady_us() + r->app->conf->read_timeout_ms * 1000);
    return admit_and_read(r, &r->to_writer);
}

static void apart_done(struct work *work, enum err e, bool batch_failed)
{
    struct req *r = req_of(work);
    (void)batch_failed;
    r->to_writer = r->to_writer && e == ERR_OK;
    if (e != ERR_OK || (!r->to_writer && r->take == NULL)) {
        r->take = NULL; /* an error takes nothing over */
        reply_make(r, e);
    }
}

static void apart_release(struct work *work)
{
    struct req *r = req_of(work);
    if (r->to_writer) {
        go_on_writing(r);
    } else {
        finish(r);
    }
}

static void apart_foresee(struct work *work, struct db *db)
{
    struct req *r = req_of(work);
    r->call.db = db;
    identify_foresee(r);
}

/* Does it read so little that others may wait for it in the same snapshot? What writes only asks who
 * the caller is. */
static bool reads_little(const struct req *r)
{
    return r->reads_surely || (r->route != NULL && r->route->db == ROUTE_WRITE);
}

static void handle_apart(struct req *r, enum exec_pool pool)
{
    http_defer(r->x);
    bool may_share = pool == EXEC_READS && reads_little(r);
    r->work = (struct work){.release = apart_release, .foresee = may_share ? apart_foresee : NULL};
    submit_to(r, pool, apart_run, apart_done);
}

static bool has_good_body(struct req *r)
{
    read_body(r);
    return r->body_error == ERR_OK && r->problems.first == NULL;
}

/* Of somebody whom a socket has already identified the writer alone need read; where a read is a round
 * trip also of who was identified a moment ago, for the routes that are called often. What is wrong with
 * the path or the body must not be told before he is known to be no stranger. */
static bool may_write_unread(struct req *r)
{
    const struct route *route = access_route(r);
    if (route->db != ROUTE_WRITE || route->access != ACCESS_USER) {
        return false;
    }
    return r->inner != NULL ||
           (!exec_reads_here(r->app->exec) && route == r->route && route->foresee != NULL &&
            r->target == ERR_OK && identify_was_recent(r) && has_good_body(r));
}

static bool needs_database(struct req *r)
{
    const struct route *route = access_route(r);
    if (may_write_unread(r)) {
        return false;
    }
    return route->db != ROUTE_NONE || (route->access != ACCESS_IGNORE && identify_reads(r));
}

static void handle_here(struct req *r, bool reads)
{
    struct db *db = NULL;
    bool to_writer = false;
    enum err e = ERR_OK;
    if (reads) {
        e = exec_read_begin(r->app->exec, &db);
        r->call.db = db;
    }
    if (e == ERR_OK) {
        e = admit_and_read(r, &to_writer);
    }
    if (db != NULL) {
        exec_read_end(r->app->exec, db);
        r->call.db = NULL;
    }
    if (e == ERR_OK && to_writer) {
        http_defer(r->x);
        go_on_writing(r);
    } else if (e == ERR_OK && r->take != NULL) {
        take_over(r->x);
    } else {
        reply_send(r, e);
    }
}

static bool is_preflight(const struct req *r)
{
    return str_eq(r->x->method, STR("OPTIONS")) && r->origin.p != NULL &&
           http_request_header(r->x, "Access-Control-Request-Method").p != NULL;
}

/* Does it look through texts without an index? That may take as long as READ_TIMEOUT_MS allows. */
static bool scans_texts(const struct req *r)
{
    for (size_t i = 0; r->route != NULL && i < r->route->query_count; i++) {
        if (r->route->query[i].scans && input_is_sent(r, &r->route->query[i])) {
            return true;
        }
    }
    return false;
}

static void handle(struct req *r)
{
    struct http_exchange *x = r->x;
    enum err e = intake_check_host(r);
    if (e == ERR_OK) {
        e = find_route(r);
    }
    if (e == ERR_OK && x->overloaded && access_route(r)->throttle != THROTTLE_NEVER) {
        e = ERR_BUSY;
    }
    if (e == ERR_OK && is_preflight(r)) {
        r->preflight = true;
        r->status = 204;
        reply_send(r, ERR_OK);
        return;
    }
    if (e != ERR_OK) {
        reply_send(r, e);
        return;
    }
    r->target = check_target(r);
    r->reads_surely = r->target == ERR_OK && r->route != NULL && r->route->db == ROUTE_READ &&
                      r->route->foresee != NULL;
    bool basic = access_route(r)->access != ACCESS_IGNORE && identify_scheme(r) == SCHEME_BASIC;
    bool reads = needs_database(r);
    if (basic || scans_texts(r)) {
        handle_apart(r, basic ? EXEC_HASHES : EXEC_SEARCHES);
    } else if (reads && !exec_reads_here(r->app->exec)) {
        handle_apart(r, EXEC_READS);
    } else {
        handle_here(r, reads);
    }
}

void serve_handle(struct http_exchange *x, void *context)
{
    handle(intake_new(x, context));
}

void serve_handle_inner(struct http_exchange *x, struct app *app, const struct inner_caller *caller)
{
    struct req *r = intake_new(x, app);
    r->inner = caller;
    handle(r);
}

void serve_sent(struct http_exchange *x, void *context)
{
    struct app *app = context;
    struct req *r = x->app;
    int64_t took_us = clock_steady_us() - x->started_us;
    int first_digit = x->status / 100;
    if (first_digit >= 0 && first_digit < 6) {
        atomic_fetch_add(&app->metrics.answers[first_digit], 1);
    }
    if (!r->taken) { /* else its client decided how long it took */
        atomic_fetch_add(&app->metrics.answer_us, took_us);
    }
    if (app->conf->access_log) {
        log_info("request method=%.*s path=%.*s status=%d us=%lld address=%.*s id=%.*s",
                 STR_ARG(x->method), STR_ARG(x->path), x->status, (long long)took_us,
                 STR_ARG(r->address), STR_ARG(r->request_id));
    }
}
