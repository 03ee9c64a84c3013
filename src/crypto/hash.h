/* SHA-256, HMAC (RFC 2104), comparing of secrets, base64url. Not for passwords: see password.h.
 * Any thread; the algorithms are fetched from OpenSSL once in the life of the process. */
#pragma once

#include "base/arena.h"

enum { SHA256_SIZE = 32, SHA1_SIZE = 20 };

void sha256(struct str data, uint8_t out[SHA256_SIZE]);
/* Only where a protocol wants it (RFC 6455, 4.2.2); it proves nothing any more. */
void sha1(struct str data, uint8_t out[SHA1_SIZE]);
void hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE]);

/* The SHA-256 of several fields, each with its length in front: "ab","c" and "a","bc" differ, and
 * so do an absent and an empty field. Every digest_init() must be followed by one digest_end(). */
struct digest {
    struct evp_md_ctx_st *state; /* OpenSSL's EVP_MD_CTX */
};
void digest_init(struct digest *d);
void digest_add(struct digest *d, struct str field);
void digest_end(struct digest *d, uint8_t out[SHA256_SIZE]);

/* In a time that depends on the lengths only. */
bool secret_eq(struct str a, struct str b);

/* A view of bytes, for the calls that take struct str. */
static inline struct str str_of_bytes(const void *p, size_t n)
{
    return (struct str){p, n};
}

/* RFC 4648 section 5 without padding; the text lives in `a`. */
struct str base64url_encode(struct arena *a, struct str bytes);
/* Strict: other characters, padding, blanks, an impossible length or set bits behind the last byte
 * are false, so that one value has one text. *bytes lives in `a`. */
bool base64url_decode(struct arena *a, struct str text, struct str *bytes) CHECKED;
/* The standard alphabet with padding (RFC 4648 section 4), for Basic credentials and WebSockets. */
struct str base64_encode(struct arena *a, struct str bytes);
bool base64_decode(struct arena *a, struct str text, struct str *bytes) CHECKED;
