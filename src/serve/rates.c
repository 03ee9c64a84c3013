#include "serve/rates.h"

#include "base/log.h"
#include "base/utf8.h"
#include "chat/login.h"
#include "serve/app.h"
#include "serve/throttle.h"

static enum err throttled(struct req *r, int64_t wait_s)
{
    atomic_fetch_add(&r->app->metrics.throttled, 1);
    r->retry_after_s = wait_s;
    r->detail =
        arena_printf(r->arena, "Request was throttled. Expected available in %lld second%s.",
                     (long long)wait_s, wait_s == 1 ? "" : "s");
    return ERR_THROTTLED;
}

enum err rates_take(struct req *r, const struct route *route)
{
    const struct conf *conf = r->app->conf;
    int64_t wait_s = 0;
    if (route->throttle == THROTTLE_NEVER) {
        return ERR_OK;
    }
    bool fits = true;
    if (r->call.me != NULL) {
        struct str who = {(const char *)r->user.id.b, sizeof(r->user.id.b)};
        fits = throttle_take(r->app->throttle, conf->throttle_user, "user", who, &wait_s);
    } else {
        fits = throttle_take(r->app->throttle, conf->throttle_anon, "anon", r->address, &wait_s);
    }
    if (fits && route->throttle == THROTTLE_REGISTER) {
        fits = throttle_take(r->app->throttle, conf->throttle_register, "register", r->address,
                             &wait_s);
    }
    return fits ? ERR_OK : throttled(r, wait_s);
}

static enum err set_login_key(struct req *r, struct str name)
{
    struct uuid id = r->call.me != NULL ? r->user.id : (struct uuid){{0}};
    enum err e = ERR_OK;
    if (r->call.me == NULL) {
        e = chat_login_account(&r->call, name, &id);
    }
    char text[UUID_TEXT];
    uuid_format(id, text);
    struct str who =
        uuid_is_zero(id) ? utf8_fold(r->arena, name) : (struct str){text, sizeof(text)};
    r->login_key = arena_printf(r->arena, "%.*s %.*s", STR_ARG(r->address), STR_ARG(who));
    return e;
}

enum err rates_login_check(struct req *r)
{
    int64_t wait_s = 0;
    bool fits = throttle_peek(r->app->throttle, r->app->conf->throttle_login, "login", r->login_key,
                              &wait_s);
    return fits ? ERR_OK : throttled(r, wait_s);
}

enum err rates_login_begin(struct req *r, struct str name)
{
    enum err e = set_login_key(r, name);
    return e == ERR_OK ? rates_login_check(r) : e;
}

void rates_login_failed(struct req *r)
{
    int64_t wait_s;
    if (!throttle_take(r->app->throttle, r->app->conf->throttle_login, "login", r->login_key,
                       &wait_s)) {
        log_warning("log-ins throttled address=%.*s", STR_ARG(r->address));
    }
}
