#include "serve/reply.h"

#include <stdio.h>

#include "base/log.h"
#include "serve/app.h"
#include "serve/csrf.h"
#include "serve/router.h"

void reply_reset(struct req *r)
{
    buf_reset(&r->x->out);
    json_out_init(&r->out, &r->x->out);
    problems_init(&r->problems, r->arena);
    r->status = r->route != NULL ? r->route->status : 200;
    r->detail = STR_NULL;
    r->kept_error = ERR_OK;
    r->replay = false;
    r->location = STR_NULL;
    r->set_cookies[0] = r->set_cookies[1] = STR_NULL;
    r->confirm = NULL;
    r->take = NULL;
}

/* {"field": ["text", ...], ...}: the texts of a field stand together, at its first place. */
static void write_problems(struct req *r)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    for (struct problem *p = r->problems.first; p != NULL; p = p->next) {
        bool seen = false;
        for (struct problem *q = r->problems.first; q != p && !seen; q = q->next) {
            seen = strcmp(q->field, p->field) == 0;
        }
        if (seen) {
            continue;
        }
        json_key_str(o, str_of(p->field));
        json_open_array(o);
        for (struct problem *q = p; q != NULL; q = q->next) {
            if (strcmp(q->field, p->field) == 0) {
                json_str(o, q->text);
            }
        }
        json_close_array(o);
    }
    json_close_object(o);
}

static struct str error_text(const struct req *r, enum err e)
{
    return r->detail.p != NULL ? r->detail : str_of(err_text(e));
}

/* simplejwt's errors carry their code in the body too. */
static bool has_code(enum err e)
{
    return err_status(e) == 401 && e != ERR_NOT_AUTHENTICATED && e != ERR_BAD_LOGIN &&
           e != ERR_AUTH_FAILED;
}

static void write_detail(struct req *r, enum err e)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_str(o, "detail", error_text(r, e));
    if (has_code(e)) {
        json_field_str(o, "code", str_of(err_code(e)));
    }
    if (e == ERR_TOKEN_INVALID && r->token_message.p != NULL) {
        json_field_open_array(o, "messages");
        json_open_object(o);
        json_field_str(o, "token_class", STR("AccessToken"));
        json_field_str(o, "token_type", STR("access"));
        json_field_str(o, "message", r->token_message);
        json_close_object(o);
        json_close_array(o);
    }
    json_close_object(o);
}

/* RFC 9457. */
static void write_problem_json(struct req *r, enum err e)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_str(o, "type", STR("about:blank"));
    json_field_str(o, "title", str_of(err_text(e)));
    json_field_i64(o, "status", err_status(e));
    json_field_str(o, "detail", error_text(r, e));
    json_field_str(o, "code", str_of(err_code(e)));
    if (e == ERR_INVALID && r->problems.first != NULL) {
        json_key(o, "errors");
        write_problems(r);
    }
    json_close_object(o);
}

static void write_error(struct req *r, enum err e)
{
    struct problems problems = r->problems;
    struct str detail = r->detail;
    reply_reset(r);
    r->problems = problems;
    r->detail = detail;
    r->status = err_status(e);
    if (r->accept.problem_json) {
        write_problem_json(r, e);
    } else if (e == ERR_INVALID && r->problems.first != NULL) {
        write_problems(r);
    } else {
        write_detail(r, e);
    }
}

static void add_cors(struct req *r)
{
    const char *allowed = r->app->conf->cors_allowed_origins;
    if (allowed[0] == '\0') {
        return;
    }
    bool any = strcmp(allowed, "*") == 0;
    if (r->origin.p == NULL || !(any || str_in_list(r->origin, allowed))) {
        return;
    }
    http_add_header(r->x, "Access-Control-Allow-Origin",
                    any ? "*" : arena_copy(r->arena, r->origin).p);
    http_add_header(r->x, "Access-Control-Expose-Headers",
                    "X-Request-ID, X-Error-Code, Retry-After, Idempotent-Replay");
    if (r->preflight) {
        http_add_header(r->x, "Access-Control-Allow-Methods",
                        "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS");
        http_add_header(r->x, "Access-Control-Allow-Headers",
                        "authorization, content-type, idempotency-key, if-match, x-csrftoken, "
                        "x-request-id");
        http_add_header(r->x, "Access-Control-Max-Age", "86400");
    }
}

static const char *vary(const struct req *r)
{
    if (r->app->conf->cors_allowed_origins[0] != '\0') {
        return r->authorization.p != NULL ? "Accept, Origin" : "Accept, Cookie, Origin";
    }
    return r->authorization.p != NULL ? "Accept" : "Accept, Cookie";
}

static bool is_page(const struct req *r)
{
    return r->wants_page && r->content_type_out == NULL && r->app->page != NULL &&
           r->location.p == NULL;
}

static void add_headers(struct req *r, enum err e)
{
    struct http_exchange *x = r->x;
    http_add_header(x, "X-Content-Type-Options", "nosniff");
    http_add_header(x, "X-Frame-Options", "DENY");
    http_add_header(x, "Referrer-Policy", "same-origin");
    http_add_header(x, "Cross-Origin-Opener-Policy", "same-origin");
    http_add_header(x, "X-Request-ID", r->request_id.p);
    http_add_header(x, "Vary", vary(r));
    if (r->resource != NULL) {
        http_add_header(x, "Allow", router_allow(r->app->router, r->resource));
    }
    if (r->status == 401) {
        http_add_header(x, "WWW-Authenticate", "Bearer realm=\"api\"");
    }
    if (e != ERR_OK) {
        http_add_header(x, "X-Error-Code", err_code(e));
    }
    if (r->status == 503 && r->retry_after_s == 0) {
        r->retry_after_s = 1;
    }
    if (r->retry_after_s > 0) {
        http_add_header(x, "Retry-After",
                        arena_printf(r->arena, "%lld", (long long)r->retry_after_s).p);
    }
    if (r->replay) {
        http_add_header(x, "Idempotent-Replay", "true");
    }
    if (r->status == 426) { /* RFC 9110, 15.5.22; RFC 6455, 4.4 */
        http_add_header(x, "Upgrade", "websocket");
        http_add_header(x, "Connection", "Upgrade");
        http_add_header(x, "Sec-WebSocket-Version", "13");
    }
    if (atomic_load(&r->app->stopping) && r->status != 101) {
        /* else a busy connection would hold the end up */
        http_add_header(x, "Connection", "close");
    }
    if (r->route != NULL && r->route->secret) {
        http_add_header(x, "Cache-Control", "no-store");
    } else if (is_page(r)) { /* who is signed in stands on it, and a cookie may come with it */
        http_add_header(x, "Cache-Control", "private, no-cache");
    }
    if (r->location.p != NULL) {
        http_add_header(x, "Location", r->location.p);
    }
    for (size_t i = 0; i < COUNT_OF(r->set_cookies); i++) {
        if (r->set_cookies[i].p != NULL) {
            http_add_header(x, "Set-Cookie", r->set_cookies[i].p);
        }
    }
    add_cors(r);
}

static void lay_out(struct req *r)
{
    struct buf pretty;
    buf_init(&pretty, HTTP_BODY_MAX);
    json_indent(&pretty, buf_view(&r->x->out), r->accept.indent);
    if (pretty.failed) { /* too large to be laid out: as it is, rather than a part of it */
        buf_fini(&pretty);
        return;
    }
    buf_fini(&r->x->out);
    r->x->out = pretty;
}

void reply_prepare(struct req *r, int status)
{
    r->status = status;
    add_headers(r, ERR_OK);
    r->x->status = status;
}

static void write_page(struct req *r, enum err e)
{
    page_writer *page = r->route != NULL && r->route->page != NULL ? r->route->page : r->app->page;
    struct buf out;
    buf_init(&out, HTTP_BODY_MAX);
    page(r, e, &out);
    buf_fini(&r->x->out);
    r->x->out = out;
}

/* A page loads nothing but our files (CSP Level 3). */
static void add_page_headers(struct req *r)
{
    http_add_header(r->x, "Content-Type", "text/html; charset=utf-8");
    http_add_header(r->x, "Content-Security-Policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; "
                    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
                    "manifest-src 'self'; form-action 'self'; base-uri 'none'; "
                    "frame-ancestors 'none'");
}

static void write_body(struct req *r, enum err e)
{
    bool problem = e != ERR_OK && r->accept.problem_json;
    if (r->status == 204 || r->status == 304 || r->preflight) {
        buf_reset(&r->x->out);
    } else if (is_page(r)) {
        write_page(r, e);
        add_page_headers(r);
    } else if (r->content_type_out != NULL) {
        http_add_header(r->x, "Content-Type", r->content_type_out);
    } else {
        http_add_header(r->x, "Content-Type",
                        problem ? "application/problem+json" : "application/json");
        if (r->accept.indent > 0) {
            lay_out(r);
        }
    }
}

void reply_make(struct req *r, enum err e)
{
    if (e == ERR_OK && r->x->out.failed) {
        log_error("answer over its limit path=%.*s", STR_ARG(r->path));
        e = ERR_INTERNAL;
    }
    if (e != ERR_OK) {
        r->content_type_out = NULL;
        write_error(r, e);
    }
    bool is_form = is_page(r) && r->route != NULL && r->route->page != NULL;
    if (is_form && (e == ERR_BAD_LOGIN || e == ERR_INVALID)) {
        r->status = 200; /* it is shown again, as Django does it */
    }
    if (is_page(r)) {
        csrf_give_cookie(r);
    }
    add_headers(r, e);
    write_body(r, e);
    r->x->status = r->status;
}

void reply_send(struct req *r, enum err e)
{
    reply_make(r, e);
    http_reply(r->x);
}
