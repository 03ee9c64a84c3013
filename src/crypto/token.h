/* What a client shows to prove who it is: signed tokens (JWT, RFC 7519, HS256 only) and opaque
 * ones. Whether the device, the family or the user still exists is not known here. Any thread;
 * each keeps a small cache of the claims of tokens that it has read. */
#pragma once

#include "base/arena.h"
#include "base/uuid.h"

enum { JWT_SIZE_MAX = 4096 };

enum token_type {
    TOKEN_OTHER, /* no token_type, or one that is not ours */
    TOKEN_ACCESS,
    TOKEN_REFRESH,
    TOKEN_TICKET, /* for one WebSocket */
};

struct jwt_claims {
    enum token_type token_type;
    int64_t exp; /* seconds since 1970 */
    int64_t iat;
    struct uuid jti;
    struct uuid user_id;
    struct uuid sid; /* the device */
    bool has_gen;
    int64_t gen; /* of a refresh token: its generation in the family; 0 without has_gen */
};

enum jwt_result {
    JWT_OK,
    JWT_INVALID, /* shape, signature, any other algorithm, a claim missing or malformed, expired */
    JWT_NO_USER, /* a good signature, not expired, but no user_id */
};

/* Same key and claims, same bytes. `key` must not be empty; the token lives in `a`. */
struct str jwt_issue(struct arena *a, struct str key, const struct jwt_claims *claims);
/* *out is filled for JWT_OK, as far as the claims go for JWT_NO_USER, and zero for JWT_INVALID. It
 * is the caller's to look at out->token_type: an access token is not a refresh token. `a`: working
 * space of a cache miss. */
enum jwt_result jwt_check(struct arena *a, struct str key, struct str token, int64_t now_s,
                          struct jwt_claims *out) CHECKED;

/* An opaque token: 40 hexadecimal digits (160 bits), in `a`. Stored as its SHA-256, never as it
 * is. */
struct str token_new(struct arena *a);
