#include "crypto/token.h"

#include <jwt.h>
#include <limits.h>
#include <pthread.h>

#include "crypto/fatal.h"
#include "crypto/hash.h"
#include "crypto/random.h"

/* How a token is checked. libjwt 1.10 follows the header's `alg`, takes any token for good when it
 * has no key, parses both JSON texts before it looks at the signature, and keeps the last of two
 * claims with one name. So nothing comes to it but what carries the HMAC-SHA256 of our key, and
 * what it has accepted is read once more by its strict parser. The MAC also names the entry in the
 * cache: every request has its signature checked, and a known token is spared the parsing only. */

enum { MAC_TEXT = 43, CACHE_SIZE = 1024, OPAQUE_BYTES = 20 };

struct cached {
    bool used;
    uint8_t mac[SHA256_SIZE];
    enum jwt_result result; /* but for the expiry, which is looked at each time */
    struct jwt_claims claims;
};

/* Some 130 KB in each thread that checks tokens, freed when it ends. No lock, nothing to expire:
 * what the MAC vouches for never changes, and another key gives another MAC. Parsing costs 15 times
 * what finding an entry does. */
static _Thread_local struct cached *cache;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;
static pthread_key_t cache_key; /* for its destructor only */

static void make_cache_key(void)
{
    if (pthread_key_create(&cache_key, free) != 0) {
        crypto_fatal("too many thread keys");
    }
}

static struct cached *cache_entry(const uint8_t mac[SHA256_SIZE])
{
    if (cache == NULL) {
        pthread_once(&cache_once, make_cache_key);
        cache = mem_alloc_zero(CACHE_SIZE * sizeof(*cache));
        if (pthread_setspecific(cache_key, cache) != 0) {
            crypto_fatal("out of memory");
        }
    }
    return &cache[(mac[0] | mac[1] << 8) % CACHE_SIZE];
}

static const char *const type_names[] = {
    [TOKEN_OTHER] = "",
    [TOKEN_ACCESS] = "access",
    [TOKEN_REFRESH] = "refresh",
    [TOKEN_TICKET] = "ticket",
};

static bool add_uuid(jwt_t *jwt, const char *name, struct uuid id)
{
    char text[UUID_TEXT + 1] = {0};
    uuid_format(id, text);
    return jwt_add_grant(jwt, name, text) == 0;
}

static bool add_claims(jwt_t *jwt, const struct jwt_claims *claims)
{
    _Static_assert(sizeof(long) == sizeof(int64_t), "libjwt's integers are long");
    return jwt_add_grant(jwt, "token_type", type_names[claims->token_type]) == 0 &&
           jwt_add_grant_int(jwt, "exp", claims->exp) == 0 &&
           jwt_add_grant_int(jwt, "iat", claims->iat) == 0 && add_uuid(jwt, "jti", claims->jti) &&
           add_uuid(jwt, "user_id", claims->user_id) && add_uuid(jwt, "sid", claims->sid) &&
           (!claims->has_gen || jwt_add_grant_int(jwt, "gen", claims->gen) == 0);
}

static bool usable_key(struct str key)
{
    return key.n > 0 && key.n <= INT_MAX;
}

struct str jwt_issue(struct arena *a, struct str key, const struct jwt_claims *claims)
{
    jwt_t *jwt = NULL;
    const unsigned char *key_bytes = (const unsigned char *)key.p;
    if (!usable_key(key) || jwt_new(&jwt) != 0 ||
        jwt_set_alg(jwt, JWT_ALG_HS256, key_bytes, (int)key.n) != 0 || !add_claims(jwt, claims)) {
        crypto_fatal("a token cannot be issued");
    }
    char *text = jwt_encode_str(jwt); /* claims sorted by name */
    if (text == NULL) {
        crypto_fatal("a token cannot be signed");
    }
    struct str token = arena_copy(a, str_of(text));
    free(text);
    jwt_free(jwt);
    return token;
}

/* A token in its three parts; all are views into it. */
struct parts {
    struct str head;
    struct str body;
    struct str signed_text; /* head.body */
    struct str mac;
};

static bool split(struct str token, struct parts *out)
{
    if (token.n == 0 || token.n > JWT_SIZE_MAX || str_contains_byte(token, '\0')) {
        return false;
    }
    struct str rest = token;
    out->head = str_cut(&rest, '.');
    out->body = str_cut(&rest, '.');
    out->mac = rest;
    out->signed_text = (struct str){token.p, out->head.n + 1 + out->body.n};
    return out->mac.n == MAC_TEXT; /* 0 if there were fewer than two points */
}

static bool mac_is_good(struct arena *a, struct str key, const struct parts *parts,
                        uint8_t mac[SHA256_SIZE])
{
    struct str shown;
    if (!base64url_decode(a, parts->mac, &shown)) {
        return false;
    }
    hmac_sha256(key, parts->signed_text, mac);
    return secret_eq(shown, str_of_bytes(mac, SHA256_SIZE));
}

enum found { ABSENT, GOOD, BAD };

/* The claim as JSON text, so that its type is seen: a number with a fraction is no integer, a
 * number in quotes no number. */
static enum found get_int(jwt_t *jwt, const char *name, int64_t *out)
{
    char *json = jwt_get_grants_json(jwt, name);
    if (json == NULL) {
        return ABSENT;
    }
    bool good = str_to_i64(str_of(json), out);
    free(json);
    return good ? GOOD : BAD;
}

static enum found get_uuid(jwt_t *jwt, const char *name, struct uuid *out)
{
    char *json = jwt_get_grants_json(jwt, name);
    if (json == NULL) {
        return ABSENT;
    }
    struct str text = str_of(json);
    bool quoted = text.n >= 2 && text.p[0] == '"';
    bool good = quoted && uuid_parse((struct str){text.p + 1, text.n - 2}, out);
    free(json);
    return good ? GOOD : BAD;
}

static enum token_type get_type(jwt_t *jwt)
{
    struct str name = str_of(jwt_get_grant(jwt, "token_type"));
    for (int type = TOKEN_ACCESS; type <= TOKEN_TICKET; type++) {
        if (str_eq(name, str_of(type_names[type]))) {
            return (enum token_type)type;
        }
    }
    return TOKEN_OTHER;
}

static enum jwt_result get_claims(jwt_t *jwt, struct jwt_claims *out)
{
    enum found exp = get_int(jwt, "exp", &out->exp);
    enum found iat = get_int(jwt, "iat", &out->iat);
    enum found gen = get_int(jwt, "gen", &out->gen);
    enum found jti = get_uuid(jwt, "jti", &out->jti);
    enum found user_id = get_uuid(jwt, "user_id", &out->user_id);
    enum found sid = get_uuid(jwt, "sid", &out->sid);
    out->token_type = get_type(jwt);
    out->has_gen = gen == GOOD;
    if (exp != GOOD || iat == BAD || gen == BAD || jti == BAD || user_id == BAD || sid == BAD) {
        return JWT_INVALID;
    }
    if (user_id == ABSENT) {
        return JWT_NO_USER;
    }
    return iat == GOOD && jti == GOOD && sid == GOOD ? JWT_OK : JWT_INVALID;
}

/* The JSON text of a part, zero-terminated; NULL if it is not base64url or has a zero byte. */
static const char *part_json(struct arena *a, struct str part)
{
    struct str json;
    if (!base64url_decode(a, part, &json) || str_contains_byte(json, '\0')) {
        return NULL;
    }
    return json.p;
}

/* Loads both parts into an empty `jwt`; no duplicate names, no other algorithm, no extension that
 * we would have to understand (RFC 7515 4.1.11). */
static bool load_strict(struct arena *a, const struct parts *parts, jwt_t *jwt)
{
    const char *head = part_json(a, parts->head);
    const char *body = part_json(a, parts->body);
    if (head == NULL || body == NULL || jwt_add_headers_json(jwt, head) != 0 ||
        jwt_add_grants_json(jwt, body) != 0) {
        return false;
    }
    if (!str_eq(str_of(jwt_get_header(jwt, "alg")), STR("HS256"))) {
        return false;
    }
    char *crit = jwt_get_headers_json(jwt, "crit");
    free(crit);
    return crit == NULL;
}

/* Signature and algorithm as libjwt sees them. */
static bool libjwt_accepts(struct arena *a, struct str key, struct str token)
{
    jwt_t *jwt = NULL;
    struct str text = arena_copy(a, token); /* libjwt wants a zero byte behind */
    if (jwt_decode(&jwt, text.p, (const unsigned char *)key.p, (int)key.n) != 0) {
        return false;
    }
    bool pinned = jwt_get_alg(jwt) == JWT_ALG_HS256;
    jwt_free(jwt);
    return pinned;
}

static enum jwt_result decode(struct arena *a, struct str key, struct str token,
                              const struct parts *parts, struct jwt_claims *out)
{
    jwt_t *jwt = NULL;
    if (!libjwt_accepts(a, key, token)) {
        return JWT_INVALID;
    }
    if (jwt_new(&jwt) != 0) {
        crypto_fatal("out of memory");
    }
    enum jwt_result result = JWT_INVALID;
    if (load_strict(a, parts, jwt)) {
        result = get_claims(jwt, out);
    }
    jwt_free(jwt);
    return result;
}

enum jwt_result jwt_check(struct arena *a, struct str key, struct str token, int64_t now_s,
                          struct jwt_claims *out)
{
    struct parts parts;
    uint8_t mac[SHA256_SIZE];
    *out = (struct jwt_claims){0};
    if (!usable_key(key) || !split(token, &parts) || !mac_is_good(a, key, &parts, mac)) {
        return JWT_INVALID;
    }
    struct cached *entry = cache_entry(mac);
    if (!entry->used || memcmp(entry->mac, mac, sizeof(mac)) != 0) {
        *entry = (struct cached){.used = true};
        memcpy(entry->mac, mac, sizeof(mac));
        entry->result = decode(a, key, token, &parts, &entry->claims);
    }
    if (entry->result == JWT_INVALID || entry->claims.exp <= now_s) {
        return JWT_INVALID;
    }
    *out = entry->claims;
    return entry->result;
}

struct str token_new(struct arena *a)
{
    return random_hex(a, OPAQUE_BYTES);
}
