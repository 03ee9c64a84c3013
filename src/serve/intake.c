#include "serve/intake.h"

#include "base/clock.h"
#include "crypto/random.h"
#include "http/charset.h"
#include "serve/app.h"
#include "serve/net.h"
#include "serve/reply.h"

enum { REQUEST_ID_MAX = 128 };

static bool is_safe_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr("-_.:/+=", c) != NULL;
        if (c == '\0' || !safe) {
            return false;
        }
    }
    return id.n > 0 && id.n <= REQUEST_ID_MAX;
}

static struct str request_id(struct req *r)
{
    struct str sent = http_request_header(r->x, "X-Request-ID");
    if (is_safe_id(sent)) {
        return arena_copy(r->arena, sent);
    }
    char *text = arena_alloc(r->arena, UUID_TEXT + 1);
    uuid_format(random_uuid_v7(), text);
    return (struct str){text, UUID_TEXT};
}

/* The last address in X-Forwarded-For that is not one of our proxies. */
static struct str client_address(struct req *r)
{
    const char *proxies = r->app->conf->trusted_proxies;
    struct str peer = r->x->peer;
    if (!net_address_in(peer, proxies)) {
        return peer;
    }
    struct str rest = http_request_header_all(r->x, "X-Forwarded-For");
    struct str found = peer;
    while (rest.n > 0) {
        size_t cut = rest.n;
        while (cut > 0 && rest.p[cut - 1] != ',') {
            cut--;
        }
        struct str hop = str_trim((struct str){rest.p + cut, rest.n - cut});
        rest.n = cut > 0 ? cut - 1 : 0;
        if (!net_is_address(hop)) {
            break;
        }
        found = hop;
        if (!net_address_in(hop, proxies)) {
            break;
        }
    }
    return arena_copy(r->arena, found);
}

static void set_base_url(struct req *r, struct str host)
{
    const struct conf *conf = r->app->conf;
    const char *scheme = "http";
    if (net_address_in(r->x->peer, conf->trusted_proxies) &&
        str_eq_nocase(http_request_header(r->x, "X-Forwarded-Proto"), STR("https"))) {
        scheme = "https";
    }
    r->own_origin = arena_printf(r->arena, "%s://%.*s", scheme, STR_ARG(host));
    r->base_url = conf->public_url[0] != '\0' ? str_of(conf->public_url) : r->own_origin;
}

/* Headers are read on the HTTP thread, all that anybody may need later. */
struct req *intake_new(struct http_exchange *x, struct app *app)
{
    struct req *r = ARENA_NEW(&x->arena, struct req);
    r->x = x;
    r->app = app;
    r->arena = &x->arena;
    x->app = r;
    r->request_id = request_id(r);
    r->authorization = http_request_header_all(x, "Authorization");
    r->content_type = http_request_header(x, "Content-Type");
    r->idempotency_key = http_request_header(x, "Idempotency-Key");
    r->if_match = http_request_header(x, "If-Match");
    r->user_agent = charset_repair(r->arena, http_request_header(x, "User-Agent"));
    r->origin = http_request_header_all(x, "Origin");
    r->session_key = http_request_cookie(x, "sessionid");
    r->csrf_cookie = http_request_cookie(x, "csrftoken");
    if (r->session_key.p != NULL || r->csrf_cookie.p != NULL) {
        r->referer = http_request_header(x, "Referer");
        r->csrf_header = http_request_header(x, "X-CSRFToken");
    }
    r->address = client_address(r);
    r->call = (struct call){.arena = r->arena,
                            .now_us = clock_now_us(),
                            .limits = &app->limits,
                            .problems = &r->problems};
    reply_reset(r);
    return r;
}

enum err intake_check_host(struct req *r)
{
    if (r->inner != NULL) {
        r->base_url = str_of(r->app->conf->public_url);
        return ERR_OK;
    }
    struct str host = http_request_header_all(r->x, "Host"); /* two are none */
    if (net_address_in(r->x->peer, r->app->conf->trusted_proxies)) {
        struct str forwarded = http_request_header(r->x, "X-Forwarded-Host");
        host = forwarded.p != NULL ? forwarded : host;
    }
    if (!net_host_allowed(host, r->app->conf->allowed_hosts)) {
        r->detail = STR("Invalid HTTP_HOST header. You may need to add it to ALLOWED_HOSTS.");
        return ERR_BAD_HOST;
    }
    set_base_url(r, host);
    return ERR_OK;
}
