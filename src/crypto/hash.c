#include "crypto/hash.h"

#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#include "crypto/fatal.h"

/* Set once by load(), read-only afterwards, alive until the process ends. Looking an algorithm up
 * by name costs more than hashing a token. */
static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static EVP_MD *md;
static EVP_MAC_CTX *mac_template; /* HMAC with its digest chosen, no key yet */

static void load(void)
{
    char name[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    mac_template = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context has its own reference */
    if (md == NULL || mac_template == NULL || EVP_MAC_CTX_set_params(mac_template, params) != 1) {
        crypto_fatal("OpenSSL has no SHA-256");
    }
}

static void must(bool ok)
{
    if (!ok) {
        crypto_fatal("a digest failed");
    }
}

void sha256(struct str data, uint8_t out[SHA256_SIZE])
{
    pthread_once(&loaded, load);
    must(EVP_Digest(data.p, data.n, out, NULL, md, NULL) == 1);
}

void sha1(struct str data, uint8_t out[SHA1_SIZE])
{
    must(EVP_Digest(data.p, data.n, out, NULL, EVP_sha1(), NULL) == 1);
}

void hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE])
{
    static const unsigned char none[1];
    pthread_once(&loaded, load);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_dup(mac_template);
    size_t n = 0;
    /* a NULL key would mean "the one from before" */
    const unsigned char *key_bytes = key.p != NULL ? (const unsigned char *)key.p : none;
    must(mac != NULL && EVP_MAC_init(mac, key_bytes, key.n, NULL) == 1);
    must(EVP_MAC_update(mac, (const unsigned char *)data.p, data.n) == 1);
    must(EVP_MAC_final(mac, out, &n, SHA256_SIZE) == 1 && n == SHA256_SIZE);
    EVP_MAC_CTX_free(mac);
}

void digest_init(struct digest *d)
{
    pthread_once(&loaded, load);
    d->state = EVP_MD_CTX_new();
    must(d->state != NULL && EVP_DigestInit_ex(d->state, md, NULL) == 1);
}

void digest_add(struct digest *d, struct str field)
{
    uint64_t length = field.p == NULL ? UINT64_MAX : field.n;
    uint8_t prefix[8]; /* big-endian, so that stored fingerprints mean the same everywhere */
    for (int i = 0; i < 8; i++) {
        prefix[i] = (uint8_t)(length >> (56 - 8 * i));
    }
    must(EVP_DigestUpdate(d->state, prefix, sizeof(prefix)) == 1);
    if (field.p != NULL) {
        must(EVP_DigestUpdate(d->state, field.p, field.n) == 1);
    }
}

void digest_end(struct digest *d, uint8_t out[SHA256_SIZE])
{
    must(EVP_DigestFinal_ex(d->state, out, NULL) == 1);
    EVP_MD_CTX_free(d->state);
    d->state = NULL;
}

bool secret_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct str base64url_encode(struct arena *a, struct str bytes)
{
    size_t n = bytes.n / 3 * 4 + (bytes.n % 3 == 0 ? 0 : bytes.n % 3 + 1);
    char *text = arena_alloc(a, n + 1);
    uint32_t bits = 0;
    unsigned held = 0; /* how many of the low bits of `bits` are not written yet */
    size_t at = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        bits = (bits << 8) | (uint8_t)bytes.p[i];
        for (held += 8; held >= 6; held -= 6) {
            text[at++] = digits[(bits >> (held - 6)) & 63];
        }
    }
    if (held > 0) {
        text[at] = digits[(bits << (6 - held)) & 63];
    }
    return (struct str){text, n};
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '-') {
        return 62;
    }
    return c == '_' ? 63 : -1;
}

bool base64url_decode(struct arena *a, struct str text, struct str *bytes)
{
    *bytes = STR_NULL;
    if (text.n % 4 == 1) {
        return false;
    }
    size_t n = text.n / 4 * 3 + text.n % 4 * 3 / 4;
    char *out = arena_alloc(a, n + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;
    for (size_t i = 0; i < text.n; i++) {
        int value = digit_value(text.p[i]);
        if (value < 0) {
            return false;
        }
        bits = (bits << 6) | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[at++] = (char)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0) {
        return false;
    }
    *bytes = (struct str){out, n};
    return true;
}

struct str base64_encode(struct arena *a, struct str bytes)
{
    size_t n = (bytes.n + 2) / 3 * 4;
    unsigned char *text = arena_alloc(a, n + 1);
    must(bytes.n <= INT_MAX / 2);
    (void)EVP_EncodeBlock(text, (const unsigned char *)bytes.p, (int)bytes.n);
    return (struct str){(const char *)text, n};
}

bool base64_decode(struct arena *a, struct str text, struct str *bytes)
{
    *bytes = STR_NULL;
    size_t padding = 0;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=') {
        padding++;
    }
    if (text.n == 0 || text.n % 4 != 0 || text.n > INT_MAX) {
        return false;
    }
    unsigned char *out = arena_alloc(a, text.n / 4 * 3 + 1);
    int n = EVP_DecodeBlock(out, (const unsigned char *)text.p, (int)text.n);
    if (n < 0 || (size_t)n != text.n / 4 * 3) { /* it skips blanks; we do not */
        return false;
    }
    *bytes = (struct str){(const char *)out, (size_t)n - padding};
    return true;
}
