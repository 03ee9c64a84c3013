/* Signing in and out by browser: a form, a cookie, a redirection. Who wants JSON gets that; the cookies
 * are the same. */
#include "chat/login.h"
#include "chat/session.h"
#include "serve/app.h"
#include "serve/csrf.h"
#include "web/page.h"

#define NEXT_FIELD                                                                                 \
    {                                                                                              \
        .name = "next", .type = FIELD_TEXT, .blank = true,                                         \
        .help = "Where to go then, on this site."                                                  \
    }
#define CSRF_FIELD                                                                                 \
    {                                                                                              \
        .name = "csrfmiddlewaretoken", .type = FIELD_SECRET, .blank = true,                        \
        .help = "What the cookie csrftoken says; or the header X-CSRFToken."                       \
    }

static const struct field next_query[] = {NEXT_FIELD};

/* ------- where to go then ------- */

/* Is it a place on this site, however a browser reads it? */
static bool is_local(struct str place)
{
    for (size_t i = 0; i < place.n; i++) {
        unsigned char c = (unsigned char)place.p[i];
        if (c <= ' ' || c == 0x7F || c == '\\') {
            return false;
        }
    }
    return place.n > 0 && place.p[0] == '/' && !(place.n > 1 && place.p[1] == '/');
}

/* Of a request that was refused early nothing has been read. */
static struct str sent_next(const struct req *r)
{
    struct str query = r->filters != NULL ? req_filter(r, "next")->text : STR_NULL;
    for (size_t i = 0; r->input != NULL && i < r->route->input_count; i++) {
        if (strcmp(r->route->input[i].name, "next") == 0 && r->input[i].text.n > 0) {
            return r->input[i].text;
        }
    }
    return query.p != NULL ? query : STR("");
}

static struct str next_or(const struct req *r, struct str otherwise)
{
    struct str next = sent_next(r);
    return is_local(next) ? arena_copy(r->arena, next) : otherwise;
}

/* The cookies are set by now. */
static void go_on(struct req *r, struct str where)
{
    if (r->wants_page) {
        r->status = 302;
        r->location = next_or(r, where);
    }
}

/* ------- the forms ------- */

static const struct shape_field login_fields[] = {
    {.name = "user_id", .type = SHAPE_UUID, .nullable = true},
    {.name = "username", .type = SHAPE_STRING, .nullable = true},
};
static const struct shape shape_browser_login = {.name = "BrowserLogin", FIELDS(login_fields)};

static void write_who(struct req *r, const struct user *user)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_uuid_or_null(o, "user_id", user != NULL ? user->id : (struct uuid){{0}});
    json_field_str_or_null(o, "username", user != NULL ? user->username : STR_NULL);
    json_close_object(o);
}

/* For signing out too: a link must not do it, so the page asks. */
static enum err show_form(struct req *r)
{
    csrf_give_cookie(r);
    write_who(r, r->call.me);
    return ERR_OK;
}

static struct str problem_text(const struct req *r, enum err e)
{
    switch (e) {
    case ERR_OK: return STR("");
    case ERR_INVALID: return STR("Please enter your username or e-mail address and your password.");
    case ERR_BAD_LOGIN:
        return STR("Please enter a correct username or e-mail address and password.");
    case ERR_CSRF: return STR("This form was no longer good. Please try again.");
    case ERR_THROTTLED: return STR("Too many tries. Please wait a minute.");
    default: return r->detail.p != NULL ? r->detail : str_of(err_text(e));
    }
}

#define FORM_ROUTE(writer)                                                                         \
    {                                                                                              \
        .method = "GET", .access = ACCESS_ANYONE, .query = FIELDS(next_query),                     \
        .handle = show_form, .page = (writer), .out = &shape_browser_login, .status = 200,         \
        .secret = true                                                                             \
    }

/* ------- in ------- */

static const struct field login_input[] = {
    {.name = "username",
     .aliases = "email",
     .type = FIELD_TEXT,
     .required = true,
     .help = "Username or e-mail address."},
    {.name = "password", .type = FIELD_SECRET, .required = true},
    NEXT_FIELD,
    CSRF_FIELD,
};

static void login_page(struct req *r, enum err e, struct buf *out)
{
    bool has_name = r->input != NULL && r->route->input_count > 0;
    const struct slot slots[] = {
        {"csrf", csrf_token(r)},
        {"next", r->route != NULL ? next_or(r, STR("")) : STR("")},
        {"problem", problem_text(r, e)},
        {"username", has_name && r->input[0].text.p != NULL ? r->input[0].text : STR("")},
        {"user", page_user(r)},
    };
    page_write(r, "pages/login.html", slots, COUNT_OF(slots), out);
}

static enum err check(struct req *r)
{
    struct login *login = ARENA_NEW(r->arena, struct login);
    r->slow_result = login;
    enum err e = csrf_check(r, req_input(r, "csrfmiddlewaretoken")->text);
    return e == ERR_OK ? chat_login_check(&r->call, req_input(r, "username")->text,
                                          req_input(r, "password")->text, login)
                       : e;
}

/* The session that this browser had ends: its key may be known to whoever used it before. */
static enum err end_previous(struct req *r)
{
    struct user user;
    struct session session;
    if (r->session_key.n == 0) {
        return ERR_OK;
    }
    enum err e = chat_identify_cookie(&r->call, r->session_key, &user, &session);
    if (e == ERR_OK) {
        return chat_session_revoke(&r->call, &session);
    }
    return err_status(e) == 401 ? ERR_OK : e;
}

static enum err log_in(struct req *r)
{
    struct login *login = r->slow_result;
    const struct device device = {r->user_agent, r->address};
    struct session session;
    struct str key;
    enum err e = chat_login_confirm(&r->call, login);
    if (e == ERR_OK) {
        e = end_previous(r);
    }
    if (e == ERR_OK) {
        e = chat_browser_open(&r->call, login->user.id, &device, &key, &session);
    }
    if (e != ERR_OK) {
        return e;
    }
    int64_t age_s = r->app->limits.cookie_lifetime_s;
    r->set_cookies[0] = cookie_line(r, "sessionid", key, age_s, true);
    r->set_cookies[1] = cookie_line(r, "csrftoken", csrf_token_of(r, session.id), age_s, false);
    write_who(r, &login->user);
    go_on(r, STR("/api/"));
    return ERR_OK;
}

const struct resource web_login_resource = {
    .name = "Browser Login",
    .description = "Signs a browser in: sets the cookie sessionid.",
    .paths = {"/api-auth/login/"},
    .methods = {FORM_ROUTE(login_page),
                {.method = "POST",
                 .access = ACCESS_IGNORE,
                 .db = ROUTE_WRITE,
                 .throttle = THROTTLE_LOGIN,
                 .input = FIELDS(login_input),
                 .query = FIELDS(next_query),
                 .slow = check,
                 .handle = log_in,
                 .page = login_page,
                 .out = &shape_browser_login,
                 .status = 200,
                 .secret = true}},
};

/* ------- out ------- */

static const struct field logout_input[] = {NEXT_FIELD, CSRF_FIELD};

static void logout_page(struct req *r, enum err e, struct buf *out)
{
    const struct slot slots[] = {
        {"csrf", csrf_token(r)},
        {"next", next_or(r, STR(""))},
        {"problem", problem_text(r, e)},
        {"user", page_user(r)},
        {"nobody", page_user(r).n == 0 ? STR("You are not signed in.") : STR("")},
    };
    page_write(r, "pages/logout.html", slots, COUNT_OF(slots), out);
}

static enum err log_out(struct req *r)
{
    struct session session;
    enum err e = ERR_OK;
    if (r->call.me != NULL && r->session.kind == SESSION_BROWSER) {
        e = chat_session_get(&r->call, r->session.id, r->call.me->id, &session);
        if (e == ERR_OK) {
            e = chat_session_revoke(&r->call, &session);
        }
    }
    if (r->session_key.n > 0) { /* else another site asks, for whom the browser holds it back */
        r->set_cookies[0] = cookie_line(r, "sessionid", STR(""), 0, true);
    }
    write_who(r, NULL);
    go_on(r, STR("/"));
    return e;
}

const struct resource web_logout_resource = {
    .name = "Browser Logout",
    .description = "Signs a browser out.",
    .paths = {"/api-auth/logout/"},
    .methods = {FORM_ROUTE(logout_page),
                {.method = "POST",
                 .access = ACCESS_ANYONE,
                 .db = ROUTE_WRITE,
                 .input = FIELDS(logout_input),
                 .query = FIELDS(next_query),
                 .handle = log_out,
                 .page = logout_page,
                 .out = &shape_browser_login,
                 .status = 200,
                 .secret = true}},
};
