#include "crypto/password.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/utf8.h"
#include "crypto/common_passwords.h"
#include "crypto/fatal.h"
#include "crypto/hash.h"
#include "crypto/random.h"

enum { SALT_LENGTH = 22, HASH_SIZE = 32, HASH_TEXT = 44, ENCODED_MAX = 512 };

static const char algorithm[] = "pbkdf2_sha256";

/* The padded base64 of the hash, with a zero byte behind. */
static void derive(struct str password, struct str salt, int64_t iterations,
                   char out[HASH_TEXT + 1])
{
    uint8_t hash[HASH_SIZE];
    if (password.n > INT_MAX ||
        PKCS5_PBKDF2_HMAC(password.p != NULL ? password.p : "", (int)password.n,
                          (const unsigned char *)salt.p, (int)salt.n, (int)iterations, EVP_sha256(),
                          HASH_SIZE, hash) != 1) {
        crypto_fatal("PBKDF2 failed");
    }
    (void)EVP_EncodeBlock((unsigned char *)out, hash, HASH_SIZE);
    OPENSSL_cleanse(hash, sizeof(hash));
}

static void make_salt(char out[SALT_LENGTH])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum { LETTERS = sizeof(alphabet) - 1, FAIR = 256 / LETTERS * LETTERS };
    uint8_t random[2 * SALT_LENGTH];
    size_t left = 0;
    for (size_t i = 0; i < SALT_LENGTH;) {
        if (left == 0) {
            random_bytes(random, sizeof(random));
            left = sizeof(random);
        }
        uint8_t byte = random[--left];
        if (byte < FAIR) { /* above, the first letters would come up more often */
            out[i++] = alphabet[byte % LETTERS];
        }
    }
}

struct str password_hash(struct arena *a, struct str password, int64_t iterations)
{
    char salt[SALT_LENGTH];
    char hash[HASH_TEXT + 1];
    if (iterations < 1) {
        iterations = 1;
    } else if (iterations > PASSWORD_ITERATIONS_MAX) {
        iterations = PASSWORD_ITERATIONS_MAX;
    }
    make_salt(salt);
    derive(password, (struct str){salt, SALT_LENGTH}, iterations, hash);
    return arena_printf(a, "%s$%d$%.*s$%s", algorithm, (int)iterations, SALT_LENGTH, salt, hash);
}

bool password_verify(struct str password, struct str encoded, int64_t *iterations_used)
{
    int64_t iterations = 0;
    char computed[HASH_TEXT + 1];
    if (iterations_used != NULL) {
        *iterations_used = 0;
    }
    if (encoded.p == NULL || encoded.n > ENCODED_MAX) {
        return false;
    }
    struct str name = str_cut(&encoded, '$');
    struct str count = str_cut(&encoded, '$');
    struct str salt = str_cut(&encoded, '$');
    struct str hash = encoded;
    if (!str_eq(name, str_of(algorithm)) || !str_to_i64(count, &iterations) || iterations < 1 ||
        iterations > PASSWORD_ITERATIONS_MAX || salt.n == 0 || hash.n != HASH_TEXT) {
        return false;
    }
    derive(password, salt, iterations, computed);
    if (iterations_used != NULL) {
        *iterations_used = iterations;
    }
    return secret_eq(hash, (struct str){computed, HASH_TEXT});
}

bool password_is_usable(struct str encoded)
{
    return encoded.n > 0 && !str_starts(encoded, PASSWORD_UNUSABLE);
}

/* The rules follow django.contrib.auth.password_validation. Where Python looks at Unicode's letter
 * case, this looks at the folded text; where its \W knows all of Unicode, every character outside
 * of ASCII counts as a letter here. */

struct text {
    uint32_t *at; /* code points */
    size_t n;
};

/* Takes what is not UTF-8 byte by byte. */
static struct text code_points(struct arena *a, struct str s)
{
    struct text out = {ARENA_ARRAY(a, uint32_t, s.n), 0};
    size_t i = 0;
    while (i < s.n) {
        uint8_t lead = (uint8_t)s.p[i++];
        size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
        uint32_t point = lead & (0xFFu >> (more == 0 ? 0 : more + 2));
        for (; more > 0 && i < s.n && ((uint8_t)s.p[i] & 0xC0) == 0x80; more--) {
            point = (point << 6) | ((uint8_t)s.p[i++] & 0x3F);
        }
        out.at[out.n++] = point;
    }
    return out;
}

static int compare_points(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* difflib's SequenceMatcher.quick_ratio(): the share of characters that both have, wherever. Sorts
 * both in place. */
static double quick_ratio(struct text a, struct text b)
{
    qsort(a.at, a.n, sizeof(*a.at), compare_points);
    qsort(b.at, b.n, sizeof(*b.at), compare_points);
    size_t i = 0;
    size_t j = 0;
    size_t matches = 0;
    while (i < a.n && j < b.n) {
        int order = compare_points(&a.at[i], &b.at[j]);
        matches += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return a.n + b.n == 0 ? 1.0 : 2.0 * (double)matches / (double)(a.n + b.n);
}

/* `password` may be in any order. */
static bool is_similar(struct arena *a, struct text password, struct str part)
{
    const double limit = 0.7;
    struct text value = code_points(a, part);
    bool too_short_to_matter =
        password.n >= 10 * value.n && (double)value.n < limit / 2 * (double)password.n;
    return !too_short_to_matter && quick_ratio(password, value) >= limit;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (uint8_t)c >= 0x80;
}

/* The whole value, and each of its words. */
static bool is_like(struct arena *a, struct text password, struct str value)
{
    value = utf8_fold(a, value);
    size_t start = 0;
    for (size_t i = 0; i <= value.n; i++) {
        if (i < value.n && is_word_byte(value.p[i])) {
            continue;
        }
        if (i > start && is_similar(a, password, (struct str){value.p + start, i - start})) {
            return true;
        }
        start = i + 1;
    }
    return is_similar(a, password, value);
}

static const char *like_which(struct arena *a, struct str folded, const struct password_like *like,
                              size_t like_count)
{
    struct text password = code_points(a, folded);
    for (size_t i = 0; i < like_count; i++) {
        if (like[i].value.n > 0 && is_like(a, password, like[i].value)) {
            return like[i].name;
        }
    }
    return NULL;
}

/* The decimal digits of all scripts (Unicode's Nd in the basic plane), each ten in a row. */
static bool is_digit(uint32_t point)
{
    static const uint16_t zeros[] = {
        0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
        0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0,
        0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
        0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    };
    for (size_t i = 0; i < COUNT_OF(zeros); i++) {
        if (point - zeros[i] < 10) {
            return true;
        }
    }
    return false;
}

static bool is_numeric(struct text s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.at[i])) {
            return false;
        }
    }
    return s.n > 0;
}

void password_check(struct str password, const struct password_like *like, size_t like_count,
                    void (*problem)(void *ctx, const char *text), void *ctx)
{
    struct arena a;
    arena_init(&a);
    struct text points = code_points(&a, password);
    struct str folded = utf8_fold(&a, password);
    const char *similar_to = like_which(&a, folded, like, like_count);
    if (similar_to != NULL) {
        problem(ctx, arena_printf(&a, "The password is too similar to the %s.", similar_to).p);
    }
    if (points.n < PASSWORD_LENGTH_MIN) {
        problem(ctx, "This password is too short. It must contain at least 8 characters.");
    }
    if (password_is_common(utf8_trim(folded))) {
        problem(ctx, "This password is too common.");
    }
    if (is_numeric(points)) {
        problem(ctx, "This password is entirely numeric.");
    }
    arena_fini(&a);
}
