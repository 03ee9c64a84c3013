#include "chat/session.h"

#include <inttypes.h>

#include "base/clock.h"
#include "chat/login.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "store/session.h"
#include "store/user.h"

enum { USER_AGENT_MAX = 400 };

/* 9999-12-31: Tokens end when they are revoked. */
#define NEVER (INT64_C(253402300799) * US_PER_SECOND)

/* --- who is it? ---------------------------------------------------------------------------- */

static enum err check_account(const struct user *user)
{
    if (user->deleted_at != 0) {
        return ERR_USER_NOT_FOUND;
    }
    return user->is_active ? ERR_OK : ERR_USER_INACTIVE;
}

static enum err check_session(const struct session *session, const struct user *user)
{
    enum err e = check_account(user);
    return e == ERR_OK && session->revoked_at != 0 ? ERR_TOKEN_INVALID : e;
}

/* Why a token without a session is refused: there is no such user, or all the rest. */
static enum err check_stranger(struct call *c, struct uuid user_id)
{
    struct user user;
    bool found;
    enum err e = store_user_get(c->db, c->arena, user_id, &user, &found);
    if (e != ERR_OK) {
        return e;
    }
    return found ? ERR_TOKEN_INVALID : ERR_USER_NOT_FOUND;
}

static enum err identify(struct call *c, struct uuid session_id, struct uuid user_id,
                         struct user *user, struct session *session)
{
    bool found;
    enum err e = store_session_get(c->db, c->arena, session_id, session, user, &found);
    if (e != ERR_OK) {
        return e;
    }
    if (!found || !uuid_eq(user->id, user_id)) {
        return check_stranger(c, user_id);
    }
    return check_session(session, user);
}

enum err chat_identify_jwt(struct call *c, const struct jwt_claims *claims, struct user *user,
                           struct session *session)
{
    if (claims->token_type != TOKEN_ACCESS) {
        return ERR_TOKEN_INVALID;
    }
    return identify(c, claims->sid, claims->user_id, user, session);
}

static enum err identify_by_key(struct call *c, struct str key, enum session_kind kind,
                                struct user *user, struct session *session)
{
    uint8_t hash[SHA256_SIZE];
    bool found;
    sha256(key, hash);
    enum err e = store_session_by_token(c->db, c->arena, str_of_bytes(hash, sizeof(hash)), session,
                                        user, &found);
    if (e != ERR_OK) {
        return e;
    }
    if (!found || session->kind != kind || session->expires_at <= c->now_us) {
        return ERR_TOKEN_INVALID;
    }
    return check_session(session, user);
}

enum err chat_identify_token(struct call *c, struct str key, struct user *user,
                             struct session *session)
{
    return identify_by_key(c, key, SESSION_TOKEN, user, session);
}

enum err chat_identify_cookie(struct call *c, struct str key, struct user *user,
                              struct session *session)
{
    return identify_by_key(c, key, SESSION_BROWSER, user, session);
}

enum err chat_password_check(struct call *c, struct str identifier, struct str password,
                             struct user *user)
{
    struct login login;
    enum err e = chat_login_check(c, identifier, password, &login);
    *user = login.user;
    return e;
}

enum err chat_identify_again(struct call *c, struct uuid session_id, struct uuid user_id,
                             struct user *user, struct session *session)
{
    bool found;
    if (!uuid_is_zero(session_id)) {
        return identify(c, session_id, user_id, user, session);
    }
    enum err e = store_user_get(c->db, c->arena, user_id, user, &found);
    if (e != ERR_OK) {
        return e;
    }
    return found ? check_account(user) : ERR_USER_NOT_FOUND;
}

enum err chat_session_touch(struct call *c, struct uuid session_id, struct uuid user_id)
{
    enum err e = store_session_touch(c->db, session_id, c->now_us);
    return e == ERR_OK ? store_user_touch(c->db, user_id, c->now_us) : e;
}

/* --- in ------------------------------------------------------------------------------------ */

/* The beginning of a text, in whole characters. */
static struct str cut_text(struct str text, size_t max)
{
    if (text.n > max) {
        text.n = max;
        while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xC0) == 0x80) {
            text.n--;
        }
    }
    return text.p == NULL ? STR("") : text;
}

static int64_t ends_at(const struct call *c, enum session_kind kind)
{
    switch (kind) {
    case SESSION_JWT: return c->now_us + c->limits->refresh_lifetime_s * US_PER_SECOND;
    case SESSION_BROWSER: return c->now_us + c->limits->cookie_lifetime_s * US_PER_SECOND;
    case SESSION_TOKEN: break;
    }
    return NEVER;
}

static enum err open_session(struct call *c, enum session_kind kind, struct uuid user_id,
                             const struct device *device, struct str token_hash,
                             struct session *out)
{
    int64_t keep_count = c->limits->sessions_per_user_max;
    *out = (struct session){
        .id = random_uuid_v7(),
        .user_id = user_id,
        .kind = kind,
        .generation = 1,
        .issued_at = c->now_us,
        .created_at = c->now_us,
        .expires_at = ends_at(c, kind),
        .last_used_at = c->now_us,
        .user_agent = cut_text(device->user_agent, USER_AGENT_MAX),
        .address = cut_text(device->address, USER_AGENT_MAX),
    };
    enum err e = store_session_add(c->db, out, token_hash);
    if (e == ERR_OK && keep_count > 0) {
        e = store_session_revoke_unused(c->db, user_id, keep_count, c->now_us);
    }
    return e == ERR_OK ? store_user_touch(c->db, user_id, c->now_us) : e;
}

enum err chat_session_open(struct call *c, struct uuid user_id, const struct device *device,
                           struct session *out)
{
    return open_session(c, SESSION_JWT, user_id, device, STR_NULL, out);
}

static enum err open_by_key(struct call *c, enum session_kind kind, struct uuid user_id,
                            const struct device *device, struct str *key, struct session *out)
{
    uint8_t hash[SHA256_SIZE];
    *key = token_new(c->arena);
    sha256(*key, hash);
    return open_session(c, kind, user_id, device, str_of_bytes(hash, sizeof(hash)), out);
}

enum err chat_token_open(struct call *c, struct uuid user_id, const struct device *device,
                         struct str *key)
{
    struct session session;
    return open_by_key(c, SESSION_TOKEN, user_id, device, key, &session);
}

enum err chat_browser_open(struct call *c, struct uuid user_id, const struct device *device,
                           struct str *key, struct session *out)
{
    return open_by_key(c, SESSION_BROWSER, user_id, device, key, out);
}

/* --- pairs --------------------------------------------------------------------------------- */

/* The same row and type, the same id. */
static struct uuid token_id(struct call *c, const struct session *session, enum token_type type)
{
    char id[UUID_TEXT];
    uint8_t mac[SHA256_SIZE];
    uuid_format(session->id, id);
    struct str text = arena_printf(c->arena, "jti %.*s %" PRId64 " %d", UUID_TEXT, id,
                                   session->generation, (int)type);
    hmac_sha256(c->limits->secret_key, text, mac);
    return uuid_from_digest(mac);
}

static struct str issue(struct call *c, const struct session *session, enum token_type type)
{
    int64_t lifetime_s =
        type == TOKEN_ACCESS ? c->limits->access_lifetime_s : c->limits->refresh_lifetime_s;
    int64_t issued_s = session->issued_at / US_PER_SECOND;
    struct jwt_claims claims = {
        .token_type = type,
        .exp = issued_s + lifetime_s,
        .iat = issued_s,
        .jti = token_id(c, session, type),
        .user_id = session->user_id,
        .sid = session->id,
        .has_gen = type == TOKEN_REFRESH,
        .gen = session->generation,
    };
    return jwt_issue(c->arena, c->limits->secret_key, &claims);
}

struct token_pair chat_session_tokens(struct call *c, const struct session *session)
{
    return (struct token_pair){issue(c, session, TOKEN_ACCESS), issue(c, session, TOKEN_REFRESH)};
}

enum freshness { CURRENT, RETRIED, REUSED, UNKNOWN };

static enum freshness freshness(const struct call *c, const struct session *session,
                                int64_t generation)
{
    int64_t grace_us = c->limits->refresh_grace_s * US_PER_SECOND;
    if (generation == session->generation) {
        return CURRENT;
    }
    if (generation > session->generation) {
        return UNKNOWN; /* the database is older than the token: a backup came back */
    }
    bool retried =
        generation == session->generation - 1 && c->now_us < session->issued_at + grace_us;
    return retried ? RETRIED : REUSED;
}

static enum err read_refresh(struct call *c, struct str refresh, struct jwt_claims *out)
{
    enum jwt_result result =
        jwt_check(c->arena, c->limits->secret_key, refresh, c->now_us / US_PER_SECOND, out);
    if (result != JWT_OK) {
        return ERR_REFRESH_INVALID;
    }
    if (out->token_type != TOKEN_REFRESH) {
        return ERR_TOKEN_TYPE;
    }
    return out->has_gen ? ERR_OK : ERR_REFRESH_INVALID;
}

/* The session behind genuine claims, if it and its user are in order. */
static enum err find_live(struct call *c, const struct jwt_claims *claims, struct session *out)
{
    struct user user;
    enum err e = identify(c, claims->sid, claims->user_id, &user, out);
    bool refused = e == ERR_TOKEN_INVALID || e == ERR_USER_NOT_FOUND || e == ERR_USER_INACTIVE;
    return refused ? ERR_REFRESH_INVALID : e;
}

static enum err rotate(struct call *c, struct session *session)
{
    session->generation++;
    session->issued_at = c->now_us;
    session->expires_at = c->now_us + c->limits->refresh_lifetime_s * US_PER_SECOND;
    session->last_used_at = c->now_us;
    enum err e = store_session_save(c->db, session);
    return e == ERR_NOT_FOUND ? ERR_REFRESH_INVALID : e;
}

enum err chat_session_refresh(struct call *c, struct str refresh, struct token_pair *out,
                              bool *reused)
{
    struct jwt_claims claims;
    struct session session;
    *reused = false;
    enum err e = read_refresh(c, refresh, &claims);
    if (e == ERR_OK) {
        e = find_live(c, &claims, &session);
    }
    if (e == ERR_OK && session.refresh_ended_at != 0) {
        e = ERR_REFRESH_INVALID;
    }
    if (e != ERR_OK) {
        return e;
    }
    switch (freshness(c, &session, claims.gen)) {
    case CURRENT: e = rotate(c, &session); break;
    case RETRIED: break;
    case REUSED: *reused = true; return chat_session_revoke(c, &session);
    case UNKNOWN: return ERR_REFRESH_INVALID;
    }
    if (e == ERR_OK) {
        *out = chat_session_tokens(c, &session);
    }
    return e;
}

enum err chat_token_verify(struct call *c, struct str token)
{
    struct jwt_claims claims;
    struct session session;
    if (jwt_check(c->arena, c->limits->secret_key, token, c->now_us / US_PER_SECOND, &claims) !=
            JWT_OK ||
        (claims.token_type != TOKEN_ACCESS && claims.token_type != TOKEN_REFRESH)) {
        return ERR_REFRESH_INVALID;
    }
    enum err e = find_live(c, &claims, &session);
    if (e != ERR_OK || claims.token_type == TOKEN_ACCESS) {
        return e;
    }
    enum freshness fresh = freshness(c, &session, claims.gen);
    bool good = session.refresh_ended_at == 0 && (fresh == CURRENT || fresh == RETRIED);
    return good ? ERR_OK : ERR_REFRESH_INVALID;
}

/* --- out ----------------------------------------------------------------------------------- */

enum err chat_session_get(struct call *c, struct uuid id, struct uuid user_id, struct session *out)
{
    struct user user;
    bool found;
    enum err e = store_session_get(c->db, c->arena, id, out, &user, &found);
    if (e == ERR_OK && (!found || !uuid_eq(out->user_id, user_id) || out->revoked_at != 0)) {
        e = ERR_NOT_FOUND;
    }
    return e;
}

enum err chat_session_of_refresh(struct call *c, struct str refresh, struct session *out)
{
    struct jwt_claims claims;
    struct user user;
    bool found;
    enum err e = read_refresh(c, refresh, &claims);
    if (e != ERR_OK) {
        return e;
    }
    e = store_session_get(c->db, c->arena, claims.sid, out, &user, &found);
    if (e == ERR_OK && (!found || !uuid_eq(user.id, claims.user_id))) {
        e = ERR_REFRESH_INVALID;
    }
    return e;
}

/* Another may have ended it at the same moment. */
static enum err save_ended(struct call *c, const struct session *session)
{
    enum err e = store_session_save(c->db, session);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err chat_session_revoke(struct call *c, struct session *session)
{
    if (session->revoked_at != 0) {
        return ERR_OK;
    }
    session->revoked_at = c->now_us;
    session->expires_at = c->now_us;
    return save_ended(c, session);
}

enum err chat_session_log_out(struct call *c, struct session *session)
{
    if (session->kind != SESSION_JWT) {
        return chat_session_revoke(c, session);
    }
    if (session->revoked_at != 0 || session->refresh_ended_at != 0) {
        return ERR_OK;
    }
    /* From now on the last access token is all there is of it. */
    session->refresh_ended_at = c->now_us;
    session->expires_at = session->issued_at + c->limits->access_lifetime_s * US_PER_SECOND;
    return save_ended(c, session);
}
