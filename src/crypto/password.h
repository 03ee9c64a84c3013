/* Passwords as Django stores and judges them, so that its databases and its users move over.
 * Hashing takes a tenth of a second by design: it belongs on the pool for hashes, never on an HTTP
 * thread. Any thread. */
#pragma once

#include "base/arena.h"

enum { PASSWORD_LENGTH_MIN = 8, PASSWORD_ITERATIONS_MAX = 10 * 1000 * 1000 };

/* "pbkdf2_sha256$<iterations>$<salt>$<base64 of the hash>" with a new salt of 22 characters, in
 * `a`. `iterations` outside of 1..PASSWORD_ITERATIONS_MAX is taken to the nearer end. */
struct str password_hash(struct arena *a, struct str password, int64_t iterations);

/* Is `encoded` the hash of this password? False for what is malformed, of another algorithm or
 * unusable ("!..."). *iterations_used (may be NULL): what was computed, 0 if nothing was; a caller
 * hashes anew when it is below the setting, and computes something all the same when it is 0, so
 * that the time tells nothing. */
bool password_verify(struct str password, struct str encoded, int64_t *iterations_used) CHECKED;

/* Django's mark, instead of a hash: no password is the right one. The query USER_OTHER_ADMINS looks for
 * it too. */
#define PASSWORD_UNUSABLE STR("!")
/* Is there a password that `encoded` may be the hash of? Not where it begins with the mark, or is
 * empty. */
bool password_is_usable(struct str encoded);

/* What a password must not be like. */
struct password_like {
    const char *name; /* as Django's verbose_name: "username", "first name", "email address" */
    struct str value; /* UTF-8; absent and empty are passed over */
};

/* Django's four default validators in its order and words: similar to an attribute (the first one
 * only), too short, too common, entirely numeric. Calls `problem` for each; `text` lives during the
 * call. `password` is UTF-8; its length is the caller's to limit. */
void password_check(struct str password, const struct password_like *like, size_t like_count,
                    void (*problem)(void *ctx, const char *text), void *ctx);
