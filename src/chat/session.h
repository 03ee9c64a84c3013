/* Devices and what they show: JWTs, refresh tokens, long-lived Tokens. One row is one device.
 *
 * A JWT is not stored: its claims follow from the row (id, generation, issued_at), so the same row
 * gives the same pair again. A refresh raises the generation. What was signed stays readable until
 * it expires; whether it still counts is the row's to say, at each request. */
#pragma once

#include "chat/call.h"
#include "crypto/token.h"

struct device {
    struct str user_agent;
    struct str address;
};

struct token_pair {
    struct str access;
    struct str refresh;
};

/* ------- who is it? ------- */

/* Of an access token's claims. On ERR_OK *user and *session are filled. One query.
 * ERR_TOKEN_INVALID, ERR_USER_NOT_FOUND, ERR_USER_INACTIVE. */
enum err chat_identify_jwt(struct call *c, const struct jwt_claims *claims, struct user *user,
                           struct session *session) CHECKED;
/* `key`: of `Authorization: Token <key>`. As above. */
enum err chat_identify_token(struct call *c, struct str key, struct user *user,
                             struct session *session) CHECKED;
/* `key`: of a browser's cookie. As above; ERR_TOKEN_INVALID when its time is over, too. */
enum err chat_identify_cookie(struct call *c, struct str key, struct user *user,
                              struct session *session) CHECKED;
/* For HTTP Basic: takes as long as a password hash, so on the pool for hashes only. ERR_BAD_LOGIN. */
enum err chat_password_check(struct call *c, struct str identifier, struct str password,
                             struct user *user) CHECKED;
/* Is it all still so? For the writer. `session_id` zero: the user came without a device. As
 * above. */
enum err chat_identify_again(struct call *c, struct uuid session_id, struct uuid user_id,
                             struct user *user, struct session *session) CHECKED;

/* The device and its user were here. For the writer; at most once a minute for each device. */
enum err chat_session_touch(struct call *c, struct uuid session_id, struct uuid user_id) CHECKED;

/* ------- in and out ------- */

/* A new device for JWTs. Over the limit of devices, those that were not used longest are signed
 * out. */
enum err chat_session_open(struct call *c, struct uuid user_id, const struct device *device,
                           struct session *out) CHECKED;
/* A new long-lived Token; *key is told this once, its hash is kept. */
enum err chat_token_open(struct call *c, struct uuid user_id, const struct device *device,
                         struct str *key) CHECKED;

/* A new browser session; *key goes into its cookie, its hash is kept. */
enum err chat_browser_open(struct call *c, struct uuid user_id, const struct device *device,
                           struct str *key, struct session *out) CHECKED;

/* The pair that belongs to the present generation. */
struct token_pair chat_session_tokens(struct call *c, const struct session *session);

/* A new pair for a refresh token; for a while after that the token before it is answered with the
 * same pair (a retry). ERR_REFRESH_INVALID, ERR_TOKEN_TYPE. *reused: an older token came back, so
 * somebody has a copy, and the device was signed out; that must be committed, hence ERR_OK, but
 * there is no pair. */
enum err chat_session_refresh(struct call *c, struct str refresh, struct token_pair *out,
                              bool *reused) CHECKED;

/* Is this access or refresh token one that would be accepted now? ERR_REFRESH_INVALID if not. */
enum err chat_token_verify(struct call *c, struct str token) CHECKED;

/* One of this user's devices, as it is stored. ERR_NOT_FOUND: it is not his, or signed out. */
enum err chat_session_get(struct call *c, struct uuid id, struct uuid user_id, struct session *out)
    CHECKED;
/* The device of a refresh token that is genuine and not expired, old or not: who signs out with it
 * is not refused. ERR_REFRESH_INVALID, ERR_TOKEN_TYPE. */
enum err chat_session_of_refresh(struct call *c, struct str refresh, struct session *out) CHECKED;

/* Signs a device out: nothing of it is accepted any more. */
enum err chat_session_revoke(struct call *c, struct session *session) CHECKED;
/* No more refreshing; the access token lives out its time. A Token is revoked. */
enum err chat_session_log_out(struct call *c, struct session *session) CHECKED;
