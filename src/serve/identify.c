#include "serve/identify.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "chat/account.h"
#include "chat/session.h"
#include "crypto/hash.h"
#include "crypto/token.h"
#include "serve/app.h"
#include "serve/csrf.h"
#include "serve/rates.h"
#include "serve/touch.h"
#include "store/session.h"

enum { BASIC_MAX = 1024 };

/* The first word of the header; *rest is what stands behind it. */
static struct str first_word(struct str header, struct str *rest)
{
    *rest = str_trim(header);
    struct str word = str_cut(rest, ' ');
    *rest = rest->p == NULL ? STR("") : str_trim(*rest);
    return word;
}

enum scheme identify_scheme(const struct req *r)
{
    struct str rest;
    struct str word = first_word(r->authorization, &rest);
    if (str_eq(word, STR("Bearer"))) { /* simplejwt compares exactly, DRF's Token does not */
        return SCHEME_BEARER;
    }
    if (str_eq_nocase(word, STR("Token"))) {
        return SCHEME_TOKEN;
    }
    bool basic = str_eq_nocase(word, STR("Basic")) && r->app->conf->auth_basic;
    return basic ? SCHEME_BASIC : SCHEME_NONE;
}

static enum err bad_token(struct req *r, const char *message)
{
    r->token_message = str_of(message);
    return ERR_TOKEN_INVALID;
}

static enum err told(struct req *r, enum err e)
{
    return e == ERR_TOKEN_INVALID ? bad_token(r, "Token is invalid or expired") : e;
}

/* Once. */
static void foresee(struct req *r, struct uuid user_id)
{
    if (r->reads_surely) {
        r->route->foresee(r, user_id);
        r->reads_surely = false;
    }
}

static enum jwt_result check_jwt(struct req *r, struct str token, struct jwt_claims *claims)
{
    return jwt_check(r->arena, r->app->limits.secret_key, token, clock_now_us() / US_PER_SECOND,
                     claims);
}

static bool is_one_word(struct str token)
{
    return token.n > 0 && !str_contains_byte(token, ' ');
}

/* r->claims, if he shows a good access token. */
static void read_claims(struct req *r)
{
    if (r->claims != NULL) {
        return;
    }
    struct jwt_claims *claims = ARENA_NEW(r->arena, struct jwt_claims);
    struct str token;
    (void)first_word(r->authorization, &token);
    bool is_good = identify_scheme(r) == SCHEME_BEARER && is_one_word(token) &&
                   check_jwt(r, token, claims) == JWT_OK && claims->token_type == TOKEN_ACCESS;
    r->claims = is_good ? claims : NULL;
}

void identify_foresee(struct req *r)
{
    if (r->is_foreseen) {
        return;
    }
    r->is_foreseen = true;
    read_claims(r);
    if (r->claims != NULL) {
        store_session_foresee(r->call.db, r->claims->sid);
        foresee(r, r->claims->user_id);
    }
}

bool identify_was_recent(struct req *r)
{
    read_claims(r);
    return r->claims != NULL && recent_has(&r->app->recent, r->claims->sid);
}

/* The caller is taken at the word of what he showed: the writer looks. */
static enum err leave_unread(struct req *r, struct uuid session_id, struct uuid user_id)
{
    r->is_unread = true;
    r->user.id = user_id;
    r->session.id = session_id;
    return ERR_OK;
}

static enum err identify_bearer(struct req *r, struct str token)
{
    struct jwt_claims claims;
    if (!is_one_word(token)) {
        return ERR_AUTH_HEADER;
    }
    enum jwt_result result = JWT_OK;
    if (r->claims != NULL) {
        claims = *r->claims;
    } else {
        result = check_jwt(r, token, &claims);
    }
    if (result == JWT_NO_USER) {
        r->detail = STR("Token contained no recognizable user identification");
        return ERR_TOKEN_INVALID;
    }
    if (result != JWT_OK) {
        return bad_token(r, "Token is invalid or expired");
    }
    if (claims.token_type != TOKEN_ACCESS) {
        return bad_token(r, "Token has wrong type");
    }
    r->auth_expires_us = claims.exp * US_PER_SECOND;
    if (r->call.db == NULL) {
        return leave_unread(r, claims.sid, claims.user_id);
    }
    return told(r, chat_identify_jwt(&r->call, &claims, &r->user, &r->session));
}

/* What is in a ticket stands for the session that it was bought with. */
static enum err identify_session(struct req *r, struct uuid session_id, struct uuid user_id)
{
    const struct jwt_claims claims = {
        .token_type = TOKEN_ACCESS, .sid = session_id, .user_id = user_id};
    return told(r, chat_identify_jwt(&r->call, &claims, &r->user, &r->session));
}

static int64_t lifetime_us(const struct req *r)
{
    return r->app->limits.access_lifetime_s * US_PER_SECOND;
}

static enum err identify_ticket(struct req *r)
{
    struct jwt_claims claims;
    struct str ticket = query_get(&r->query, STR("ticket"));
    enum jwt_result result = check_jwt(r, ticket, &claims);
    if (result != JWT_OK || claims.token_type != TOKEN_TICKET) {
        return bad_token(r, "Token is invalid or expired");
    }
    enum err e = identify_session(r, claims.sid, claims.user_id);
    r->ticket_id = claims.jti;
    r->ticket_expires_at = claims.exp * US_PER_SECOND;
    if (r->session.kind == SESSION_BROWSER) {
        r->auth_expires_us = r->session.expires_at;
    } else if (r->session.kind != SESSION_TOKEN) {
        r->auth_expires_us = r->session.issued_at + lifetime_us(r);
    }
    return e;
}

static enum err identify_inner(struct req *r)
{
    const struct inner_caller *caller = r->inner;
    if (r->call.db == NULL) {
        return leave_unread(r, caller->session_id, caller->user_id);
    }
    if (uuid_is_zero(caller->session_id)) {
        return chat_identify_again(&r->call, caller->session_id, caller->user_id, &r->user,
                                   &r->session);
    }
    return identify_session(r, caller->session_id, caller->user_id);
}

static enum err identify_token(struct req *r, struct str key)
{
    if (key.n == 0) {
        r->detail = STR("Invalid token header. No credentials provided.");
        return ERR_AUTH_FAILED;
    }
    if (str_contains_byte(key, ' ')) {
        r->detail = STR("Invalid token header. Token string should not contain spaces.");
        return ERR_AUTH_FAILED;
    }
    enum err e = chat_identify_token(&r->call, key, &r->user, &r->session);
    if (e == ERR_TOKEN_INVALID || e == ERR_USER_NOT_FOUND) {
        r->detail = STR("Invalid token.");
        return ERR_AUTH_FAILED;
    }
    if (e == ERR_USER_INACTIVE) {
        r->detail = STR("User inactive or deleted.");
        return ERR_AUTH_FAILED;
    }
    return e;
}

static enum err identify_basic(struct req *r, struct str encoded)
{
    struct str decoded = STR_NULL;
    bool good = encoded.n > 0 && encoded.n <= BASIC_MAX &&
                base64_decode(r->arena, encoded, &decoded) && str_contains_byte(decoded, ':');
    if (!good) {
        r->detail = STR("Invalid basic header. Credentials not correctly base64 encoded.");
        return ERR_AUTH_FAILED;
    }
    if (!utf8_valid(decoded, NULL) || str_contains_byte(decoded, '\0')) { /* no account has it */
        r->detail = STR("Invalid username/password.");
        return ERR_AUTH_FAILED;
    }
    struct str password = decoded;
    struct str name = str_cut(&password, ':');
    enum err e = rates_login_begin(r, name);
    if (e == ERR_OK) {
        e = chat_password_check(&r->call, name, password, &r->user);
    }
    if (e == ERR_BAD_LOGIN) {
        rates_login_failed(r);
        r->detail = STR("Invalid username/password.");
        return ERR_AUTH_FAILED;
    }
    r->auth_expires_us = r->call.now_us + lifetime_us(r);
    return e;
}

static bool is_safe(struct str method)
{
    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) ||
           str_eq(method, STR("OPTIONS"));
}

/* A browser's session. An unknown or ended one is like none: the browser will keep sending it. */
static enum err identify_cookie(struct req *r, bool *known)
{
    enum err e = chat_identify_cookie(&r->call, r->session_key, &r->user, &r->session);
    *known = e == ERR_OK;
    if (e == ERR_TOKEN_INVALID || e == ERR_USER_NOT_FOUND || e == ERR_USER_INACTIVE) {
        r->session = (struct session){0};
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return e;
    }
    r->call.me = &r->user; /* whose token it must be */
    r->auth_expires_us = r->session.expires_at;
    if (!is_safe(r->x->method)) {
        return csrf_check(r, r->csrf_header.n > 0 ? STR_NULL : csrf_field(r));
    }
    bool is_socket = r->route != NULL && r->route->ticket;
    return is_socket ? csrf_check_origin(r) : ERR_OK;
}

static bool has_cookie(const struct req *r)
{
    return r->authorization.p == NULL && r->session_key.n > 0;
}

bool identify_by_ticket(const struct req *r)
{
    return r->route != NULL && r->route->ticket && r->authorization.p == NULL &&
           query_get(&r->query, STR("ticket")).n > 0;
}

bool identify_reads(const struct req *r)
{
    return r->inner != NULL || identify_by_ticket(r) || identify_scheme(r) != SCHEME_NONE ||
           has_cookie(r);
}

static enum err identify_header(struct req *r)
{
    struct str rest;
    (void)first_word(r->authorization, &rest);
    switch (identify_scheme(r)) {
    case SCHEME_BEARER: return identify_bearer(r, rest);
    case SCHEME_TOKEN: return identify_token(r, rest);
    case SCHEME_BASIC: return identify_basic(r, rest);
    case SCHEME_NONE: break;
    }
    return ERR_OK;
}

/* For identify_was_recent(), which nobody asks where reads are done here. */
static void note_recent(struct req *r)
{
    bool is_read = !r->is_unread && !uuid_is_zero(r->session.id);
    if (is_read && !exec_reads_here(r->app->exec)) {
        recent_note(&r->app->recent, r->session.id);
    }
}

enum err identify(struct req *r)
{
    enum err e = ERR_OK;
    bool known = true;
    if (!identify_reads(r)) {
        return e;
    }
    if (r->inner != NULL) {
        e = identify_inner(r);
    } else if (identify_by_ticket(r)) {
        e = identify_ticket(r);
    } else if (has_cookie(r)) {
        e = identify_cookie(r, &known);
    } else {
        e = identify_header(r);
    }
    if (e == ERR_OK && known) {
        r->call.me = &r->user;
        r->call.session_id = r->session.id;
        note_recent(r);
        foresee(r, r->user.id); /* who came otherwise than with a JWT is known only now */
    }
    return e;
}

enum err identify_again(struct req *r)
{
    if (r->call.me == NULL) {
        return ERR_OK;
    }
    enum err e =
        told(r, chat_identify_again(&r->call, r->session.id, r->user.id, &r->user, &r->session));
    if (e == ERR_OK && r->is_unread) {
        r->is_unread = false;
        touch_session(r);
        note_recent(r);
    }
    return e;
}
