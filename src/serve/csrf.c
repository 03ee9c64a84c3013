#include "serve/csrf.h"

#include "base/web_origin.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "http/form.h"
#include "serve/app.h"

enum { TOKEN_BYTES = 24, TOKEN_MIN = 16, TOKEN_MAX = 64, YEAR_S = 365 * 24 * 3600 };

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!good) {
            return false;
        }
    }
    return text.n >= TOKEN_MIN && text.n <= TOKEN_MAX;
}

static bool has_session(const struct req *r)
{
    return r->call.me != NULL && r->session.kind == SESSION_BROWSER;
}

struct str csrf_token_of(struct req *r, struct uuid session_id)
{
    char id[UUID_TEXT];
    uint8_t mac[SHA256_SIZE];
    uuid_format(session_id, id);
    hmac_sha256(r->app->limits.secret_key, arena_printf(r->arena, "csrf %.*s", UUID_TEXT, id), mac);
    return base64url_encode(r->arena, str_of_bytes(mac, sizeof(mac)));
}

struct str csrf_token(struct req *r)
{
    uint8_t bytes[TOKEN_BYTES];
    if (has_session(r)) {
        return csrf_token_of(r, r->session.id);
    }
    if (!is_token(r->csrf_cookie)) {
        random_bytes(bytes, sizeof(bytes));
        r->csrf_cookie = base64url_encode(r->arena, str_of_bytes(bytes, sizeof(bytes)));
    }
    return r->csrf_cookie;
}

/* ------- where it comes from ------- */

/* Do the two URLs lead to the same place, whatever their paths? */
static bool same_origin(struct str a, struct str b)
{
    struct web_origin origins[2];
    struct str rest;
    return web_origin_parse(a, &origins[0], &rest) && web_origin_parse(b, &origins[1], &rest) &&
           web_origin_eq(&origins[0], &origins[1]);
}

static bool is_ours(const struct req *r, struct str url)
{
    return same_origin(url, r->own_origin) || same_origin(url, r->base_url);
}

static enum err refuse(struct req *r, struct str why)
{
    r->detail = arena_printf(r->arena, "CSRF Failed: %.*s", STR_ARG(why));
    return ERR_CSRF;
}

enum err csrf_check_origin(struct req *r)
{
    if (r->origin.p == NULL || is_ours(r, r->origin)) {
        return ERR_OK;
    }
    return refuse(r,
                  arena_printf(r->arena,
                               "Origin checking failed - %.*s does not match any trusted origins.",
                               STR_ARG(r->origin)));
}

static enum err check_referer(struct req *r)
{
    bool is_secure = str_starts(r->own_origin, STR("https:"));
    if (r->origin.p != NULL || (r->referer.p == NULL && !is_secure)) {
        return ERR_OK;
    }
    if (r->referer.p == NULL) {
        return refuse(r, STR("Referer checking failed - no Referer."));
    }
    return is_ours(r, r->referer)
               ? ERR_OK
               : refuse(r, arena_printf(
                               r->arena,
                               "Referer checking failed - %.*s does not match any trusted origins.",
                               STR_ARG(r->referer)));
}

/* ------- the token ------- */

static bool is_form(const struct req *r, struct media_type *type)
{
    media_type_parse(r->arena, r->content_type, type);
    return form_is_urlencoded(type) || form_is_multipart(type);
}

struct str csrf_field(struct req *r)
{
    struct media_type type;
    struct form form;
    struct str problem;
    if (r->x->body_too_large || !is_form(r, &type) ||
        form_read(r->arena, &type, r->x->body, &form, &problem) != ERR_OK) {
        return STR_NULL;
    }
    return query_get(&form.fields, STR("csrfmiddlewaretoken"));
}

static enum err check_token(struct req *r, struct str sent, const char *where)
{
    struct str expected = csrf_token(r);
    struct media_type type;
    if (sent.n == 0 && r->x->body_too_large && is_form(r, &type)) {
        return ERR_TOO_LARGE; /* the token may have been in what was not kept */
    }
    if (sent.n == 0) {
        return refuse(r, STR("CSRF token missing."));
    }
    if (sent.n != expected.n) {
        return refuse(r, arena_printf(r->arena, "CSRF token from %s has incorrect length.", where));
    }
    return secret_eq(sent, expected)
               ? ERR_OK
               : refuse(r, arena_printf(r->arena, "CSRF token from %s incorrect.", where));
}

enum err csrf_check(struct req *r, struct str field)
{
    enum err e = csrf_check_origin(r);
    if (e == ERR_OK) {
        e = check_referer(r);
    }
    if (e == ERR_OK && (has_session(r) ? r->csrf_cookie.n == 0 : !is_token(r->csrf_cookie))) {
        e = refuse(r, STR("CSRF cookie not set."));
    }
    if (e != ERR_OK) {
        return e;
    }
    return r->csrf_header.n > 0 ? check_token(r, r->csrf_header, "the 'X-Csrftoken' HTTP header")
                                : check_token(r, field, "POST");
}

/* ------- cookies ------- */

struct str cookie_line(const struct req *r, const char *name, struct str value, int64_t age_s,
                       bool secret)
{
    bool is_secure = str_starts(r->own_origin, STR("https:")) ||
                     (str_starts(r->origin, STR("https:")) && is_ours(r, r->origin));
    return arena_printf(r->arena, "%s=%.*s; Max-Age=%lld; Path=/; SameSite=Lax%s%s", name,
                        STR_ARG(value), (long long)age_s, secret ? "; HttpOnly" : "",
                        is_secure ? "; Secure" : "");
}

void csrf_give_cookie(struct req *r)
{
    if (r->origin.p != NULL && !is_ours(r, r->origin)) {
        return; /* the browser holds its cookies back: which it has is not known */
    }
    struct str before = r->csrf_cookie;
    struct str token = csrf_token(r);
    if (!str_eq(before, token)) {
        r->set_cookies[1] = cookie_line(r, "csrftoken", token, YEAR_S, false);
    }
}
