#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/token.h"

#define KEY STR("unit-test-key-of-40-bytes-0123456789abcd")
#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define JTI "\"jti\":\"01900000-0000-7000-8000-000000000001\""
#define USER "\"user_id\":\"01900000-0000-7000-8000-000000000002\""
#define SID "\"sid\":\"01900000-0000-7000-8000-000000000003\""
#define TYPE "\"token_type\":\"access\""
#define TIMES "\"exp\":1900000000,\"iat\":1800000000"
#define BODY "{" TIMES "," JTI "," SID "," TYPE "," USER "}"

static const int64_t now_s = 1850000000;

static const struct jwt_claims refresh = {
    .token_type = TOKEN_REFRESH,
    .exp = 1900000000,
    .iat = 1800000000,
    .jti = {{0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}},
    .user_id = {{0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}},
    .sid = {{0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 3}},
    .has_gen = true,
    .gen = 7,
};

/* Made with Python's hmac from the claims above. */
static const char refresh_text[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJleHAiOjE5MDAwMDAwMDAsImdlbiI6NywiaWF0IjoxODAwMDAwMDAwLCJqdGkiOiIwMTkwMDAwMC0wMDAwLTcwMDAt"
    "ODAwMC0wMDAwMDAwMDAwMDEiLCJzaWQiOiIwMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDMiLCJ0b2tl"
    "bl90eXBlIjoicmVmcmVzaCIsInVzZXJfaWQiOiIwMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDIifQ."
    "MTGhYJk5i7lsdBDJDhm5XB9C2QZb4Ik_0B64K-ZIngk";

static int setup(void **state)
{
    static struct arena a;
    arena_init(&a);
    *state = &a;
    return 0;
}

static int teardown(void **state)
{
    arena_fini(*state);
    return 0;
}

/* head.body with a good signature, whatever stands in them. */
static struct str sign_parts(struct arena *a, struct str head, struct str body)
{
    uint8_t mac[SHA256_SIZE];
    struct str text = arena_printf(a, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
    hmac_sha256(KEY, text, mac);
    struct str mac_text = base64url_encode(a, str_of_bytes(mac, sizeof(mac)));
    return arena_printf(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(mac_text));
}

static struct str sign(struct arena *a, struct str head, struct str body)
{
    return sign_parts(a, base64url_encode(a, head), base64url_encode(a, body));
}

/* Twice, so that the second answer comes from the cache. */
static enum jwt_result check_at(struct arena *a, struct str token, int64_t at_s,
                                struct jwt_claims *out)
{
    struct jwt_claims first;
    enum jwt_result result = jwt_check(a, KEY, token, at_s, &first);
    assert_int_equal(jwt_check(a, KEY, token, at_s, out), result);
    assert_memory_equal(&first.user_id, &out->user_id, sizeof(out->user_id));
    assert_int_equal(first.exp, out->exp);
    return result;
}

static enum jwt_result check(struct arena *a, struct str token)
{
    struct jwt_claims out;
    return check_at(a, token, now_s, &out);
}

static enum jwt_result check_body(struct arena *a, struct str body)
{
    return check(a, sign(a, STR(HEAD), body));
}

static void assert_same_claims(const struct jwt_claims *a, const struct jwt_claims *b)
{
    assert_int_equal(a->token_type, b->token_type);
    assert_int_equal(a->exp, b->exp);
    assert_int_equal(a->iat, b->iat);
    assert_true(uuid_eq(a->jti, b->jti));
    assert_true(uuid_eq(a->user_id, b->user_id));
    assert_true(uuid_eq(a->sid, b->sid));
    assert_int_equal(a->has_gen, b->has_gen);
    assert_int_equal(a->gen, b->gen);
}

static void test_issue_is_deterministic(void **state)
{
    assert_string_equal(jwt_issue(*state, KEY, &refresh).p, refresh_text);
    assert_string_equal(jwt_issue(*state, KEY, &refresh).p, refresh_text);
}

static void test_issued_tokens_pass(void **state)
{
    struct jwt_claims out;
    assert_int_equal(check_at(*state, str_of(refresh_text), now_s, &out), JWT_OK);
    assert_same_claims(&out, &refresh);

    struct jwt_claims access = refresh;
    access.token_type = TOKEN_ACCESS;
    access.has_gen = false;
    access.gen = 0;
    struct str token = jwt_issue(*state, KEY, &access);
    assert_int_equal(check_at(*state, token, now_s, &out), JWT_OK);
    assert_same_claims(&out, &access);
}

static void test_a_token_need_not_be_terminated(void **state)
{
    struct jwt_claims out;
    size_t n = sizeof(refresh_text) - 1;
    char *exact = mem_alloc(n); /* a byte read behind it is the sanitizer's to see */
    memcpy(exact, refresh_text, n);
    assert_int_equal(check_at(*state, (struct str){exact, n}, now_s, &out), JWT_OK);
    free(exact);
}

static void test_expiry_is_looked_at_each_time(void **state)
{
    struct jwt_claims out;
    struct str token = str_of(refresh_text);
    assert_int_equal(check_at(*state, token, refresh.exp - 1, &out), JWT_OK);
    assert_int_equal(check_at(*state, token, refresh.exp, &out), JWT_INVALID);
    assert_true(uuid_is_zero(out.user_id));
    assert_int_equal(check_at(*state, token, refresh.exp + 1, &out), JWT_INVALID);
    assert_int_equal(check_at(*state, token, INT64_MAX, &out), JWT_INVALID);
    assert_int_equal(check_at(*state, token, 0, &out), JWT_OK);
}

static void test_another_key_is_refused(void **state)
{
    struct jwt_claims out;
    const struct str keys[] = {STR("unit-test-key-of-40-bytes-0123456789abcD"),
                               STR("unit-test-key-of-40-bytes-0123456789abc"),
                               STR("unit-test-key-of-40-bytes-0123456789abcd\0"),
                               STR("x"),
                               STR(""),
                               STR_NULL};
    assert_int_equal(check(*state, str_of(refresh_text)), JWT_OK); /* now cached */
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        /* a key of 40 bytes and the same with a zero byte are one key to HMAC */
        enum jwt_result expected = i == 2 ? JWT_OK : JWT_INVALID;
        assert_int_equal(jwt_check(*state, keys[i], str_of(refresh_text), now_s, &out), expected);
    }
}

static void test_any_changed_byte_is_refused(void **state)
{
    char token[sizeof(refresh_text)];
    size_t n = sizeof(refresh_text) - 1;
    memcpy(token, refresh_text, sizeof(token));
    for (size_t i = 0; i < n; i++) {
        const char others[] = {'A', 'b', '.', '=', '\0', '\n', '+', (char)0xC3};
        for (size_t j = 0; j < COUNT_OF(others); j++) {
            if (others[j] == refresh_text[i]) {
                continue;
            }
            token[i] = others[j];
            assert_int_equal(check(*state, (struct str){token, n}), JWT_INVALID);
            token[i] = refresh_text[i];
        }
        assert_int_equal(check(*state, (struct str){token, i}), JWT_INVALID);
    }
    assert_int_equal(check(*state, (struct str){token, n}), JWT_OK);
}

static void test_bad_shapes(void **state)
{
    const struct str bad[] = {
        STR_NULL,
        STR(""),
        STR("."),
        STR(".."),
        STR("..."),
        STR("garbage"),
        STR("a.b"),
        STR("a.b.c"),
        STR("a.b.c.d"),
        STR("\0.\0.\0"),
        STR("Bearer a"),
        STR("eyJhbGciOiJIUzI1NiJ9.."),
        STR("eyJhbGciOiJIUzI1NiJ9.e30."),
        STR(".e30.MTGhYJk5i7lsdBDJDhm5XB9C2QZb4Ik_0B64K-ZIngk"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(check(*state, bad[i]), JWT_INVALID);
    }
}

static void test_text_around_is_refused(void **state)
{
    const struct {
        const char *before;
        const char *behind;
    } cases[] = {{" ", ""}, {"", " "},  {"", "\n"}, {".", ""}, {"", "."},
                 {"", "="}, {"", ".x"}, {"\t", ""}, {"x", ""}, {"", "A"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str token =
            arena_printf(*state, "%s%s%s", cases[i].before, refresh_text, cases[i].behind);
        assert_int_equal(check(*state, token), JWT_INVALID);
    }
    struct str twice = arena_printf(*state, "%s.%s", refresh_text, refresh_text);
    assert_int_equal(check(*state, twice), JWT_INVALID);
}

/* What is signed with our key but names another algorithm. */
static void test_other_algorithms_are_refused(void **state)
{
    const struct str heads[] = {
        STR("{\"alg\":\"none\",\"typ\":\"JWT\"}"),
        STR("{\"alg\":\"None\"}"),
        STR("{\"alg\":\"HS384\",\"typ\":\"JWT\"}"),
        STR("{\"alg\":\"HS512\",\"typ\":\"JWT\"}"),
        STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"),
        STR("{\"alg\":\"RS512\"}"),
        STR("{\"alg\":\"ES256\",\"typ\":\"JWT\"}"),
        STR("{\"alg\":\"PS256\"}"),
        STR("{\"alg\":\"hs256\"}"),
        STR("{\"alg\":\"HS256 \"}"),
        STR("{\"alg\":\"HS256\\u0000\"}"),
        STR("{\"alg\":256}"),
        STR("{\"alg\":null}"),
        STR("{\"alg\":[\"HS256\"]}"),
        STR("{\"typ\":\"JWT\"}"),
        STR("{}"),
        STR("[]"),
        STR("\"HS256\""),
        STR(""),
        STR("{\"alg\":\"none\",\"alg\":\"HS256\"}"),
        STR("{\"alg\":\"HS256\",\"alg\":\"none\"}"),
        STR("{\"alg\":\"HS256\",\"alg\":\"HS256\"}"),
        STR("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}"),
        STR("{\"alg\":\"HS256\"} x"),
        STR("{\"alg\":\"HS256\"}\0"),
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        assert_int_equal(check(*state, sign(*state, heads[i], STR(BODY))), JWT_INVALID);
    }
}

/* The unsigned token as the attacker writes it, in every spelling. */
static void test_alg_none_without_signature(void **state)
{
    const struct str heads[] = {STR("{\"alg\":\"none\"}"), STR("{\"alg\":\"NONE\"}"),
                                STR("{\"alg\":\"none\",\"typ\":\"JWT\"}"), STR("{}")};
    struct str body = base64url_encode(*state, STR(BODY));
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct str head = base64url_encode(*state, heads[i]);
        struct str with = arena_printf(*state, "%.*s.%.*s.", STR_ARG(head), STR_ARG(body));
        struct str without = arena_printf(*state, "%.*s.%.*s", STR_ARG(head), STR_ARG(body));
        assert_int_equal(check(*state, with), JWT_INVALID);
        assert_int_equal(check(*state, without), JWT_INVALID);
    }
}

static void test_other_good_heads(void **state)
{
    const struct str heads[] = {
        STR("{\"typ\":\"JWT\",\"alg\":\"HS256\"}"),
        STR("{\"alg\":\"HS256\"}"),
        STR("{ \"alg\" : \"HS256\",\r\n \"kid\" : \"1\" }"),
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        assert_int_equal(check(*state, sign(*state, heads[i], STR(BODY))), JWT_OK);
    }
}

/* RFC 7515, A.1: a good signature over claims that are not ours. */
static void test_rfc7515_example(void **state)
{
    struct str key;
    struct jwt_claims out;
    struct str token = STR("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
                           "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
                           "LmNvbS9pc19yb290Ijp0cnVlfQ."
                           "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    struct str key_text = STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"
                              "-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    assert_true(base64url_decode(*state, key_text, &key));
    assert_int_equal(jwt_check(*state, key, token, 1300819379, &out), JWT_NO_USER);
    assert_int_equal(out.exp, 1300819380);
    assert_int_equal(out.token_type, TOKEN_OTHER);
    assert_int_equal(jwt_check(*state, key, token, 1300819380, &out), JWT_INVALID);
}

static void test_missing_claims(void **state)
{
    assert_int_equal(check_body(*state, STR(BODY)), JWT_OK);
    const struct {
        struct str body;
        enum jwt_result expected;
    } cases[] = {
        {STR("{" TIMES "," JTI "," SID "," TYPE "}"), JWT_NO_USER},
        {STR("{\"exp\":1900000000," TYPE "}"), JWT_NO_USER},
        {STR("{\"exp\":1900000000}"), JWT_NO_USER},
        {STR("{\"exp\":1000," TYPE "}"), JWT_INVALID},
        {STR("{\"iat\":1800000000," JTI "," SID "," TYPE "," USER "}"), JWT_INVALID},
        {STR("{\"exp\":1900000000," JTI "," SID "," TYPE "," USER "}"), JWT_INVALID},
        {STR("{" TIMES "," SID "," TYPE "," USER "}"), JWT_INVALID},
        {STR("{" TIMES "," JTI "," TYPE "," USER "}"), JWT_INVALID},
        {STR("{}"), JWT_INVALID},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(check_body(*state, cases[i].body), cases[i].expected);
    }
}

static void test_token_types(void **state)
{
    const struct {
        struct str body;
        enum token_type expected;
    } cases[] = {
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":\"access\"}"), TOKEN_ACCESS},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":\"refresh\"}"), TOKEN_REFRESH},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":\"ticket\"}"), TOKEN_TICKET},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":\"sliding\"}"), TOKEN_OTHER},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":\"Access\"}"), TOKEN_OTHER},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":\"\"}"), TOKEN_OTHER},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":1}"), TOKEN_OTHER},
        {STR("{" TIMES "," JTI "," SID "," USER ",\"token_type\":null}"), TOKEN_OTHER},
        {STR("{" TIMES "," JTI "," SID "," USER "}"), TOKEN_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct jwt_claims out;
        struct str token = sign(*state, STR(HEAD), cases[i].body);
        assert_int_equal(check_at(*state, token, now_s, &out), JWT_OK);
        assert_int_equal(out.token_type, cases[i].expected);
    }
}

#define WITH_EXP(exp) STR("{\"exp\":" exp ",\"iat\":1," JTI "," SID "," TYPE "," USER "}")

static void test_malformed_claims(void **state)
{
    const struct str bodies[] = {
        WITH_EXP("1900000000.0"),
        WITH_EXP("1900000000.5"),
        WITH_EXP("1.9e9"),
        WITH_EXP("1e400"),
        WITH_EXP("\"1900000000\""),
        WITH_EXP("true"),
        WITH_EXP("null"),
        WITH_EXP("[1900000000]"),
        WITH_EXP("{\"exp\":1900000000}"),
        WITH_EXP("99999999999999999999"),
        WITH_EXP("-1900000000"),
        WITH_EXP("0"),
        WITH_EXP("NaN"),
        STR("{" TIMES "," TYPE "," JTI "," SID ",\"user_id\":42}"),
        STR("{" TIMES "," TYPE "," JTI "," SID ",\"user_id\":\"42\"}"),
        STR("{" TIMES "," TYPE "," JTI "," SID ",\"user_id\":null}"),
        STR("{" TIMES "," TYPE "," JTI "," SID ",\"user_id\":\"\"}"),
        STR("{" TIMES "," TYPE "," JTI "," SID ",\"user_id\":[]}"),
        STR("{" TIMES "," TYPE "," JTI "," SID
            ",\"user_id\":\"01900000-0000-7000-8000-000000000002\\u0000\"}"),
        STR("{" TIMES "," TYPE "," USER "," SID ",\"jti\":\"x\"}"),
        STR("{" TIMES "," TYPE "," USER "," JTI ",\"sid\":false}"),
        STR("{" TIMES "," TYPE "," USER "," JTI "," SID ",\"gen\":1.0}"),
        STR("{" TIMES "," TYPE "," USER "," JTI "," SID ",\"gen\":\"1\"}"),
        STR("{" TIMES "," TYPE "," USER "," JTI "," SID ",\"gen\":null}"),
        STR("{\"exp\":1900000000,\"iat\":1.5," TYPE "," USER "," JTI "," SID "}"),
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_int_equal(check_body(*state, bodies[i]), JWT_INVALID);
    }
}

static void test_malformed_bodies(void **state)
{
    const struct str bodies[] = {
        STR(""),
        STR("null"),
        STR("[]"),
        STR("\"x\""),
        STR("{"),
        STR(BODY "}"),
        STR(BODY " {}"),
        STR(BODY "\0"),
        STR(BODY "\0{\"exp\":1}"),
        STR("{" TIMES ",\"exp\":1950000000," TYPE "," USER "," JTI "," SID "}"),
        STR("{" TIMES "," USER "," TYPE "," USER "," JTI "," SID "}"),
        STR("{" TIMES "," USER "," TYPE "," JTI "," SID
            ",\"us\\u0065r_id\":\"01900000-0000-7000-8000-000000000009\"}"),
        STR("{" TIMES "," TYPE "," USER "," JTI "," SID ",\"x\":\"\xff\"}"),
        STR("{" TIMES "," TYPE "," USER "," JTI "," SID ",\"x\":{\"y\":1,\"y\":2}}"),
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        assert_int_equal(check_body(*state, bodies[i]), JWT_INVALID);
    }
}

/* Signed, but in a base64 that a lax decoder would take. */
static void test_lax_base64_is_refused(void **state)
{
    struct str head = base64url_encode(*state, STR(HEAD));
    struct str body = base64url_encode(*state, STR(BODY));
    assert_int_equal(check(*state, sign_parts(*state, head, body)), JWT_OK);
    const struct str bad[] = {
        arena_printf(*state, "%.*s=", STR_ARG(body)), arena_printf(*state, "%.*s==", STR_ARG(body)),
        arena_printf(*state, " %.*s", STR_ARG(body)), arena_printf(*state, "%.*s\n", STR_ARG(body)),
        arena_printf(*state, "%.*s!", STR_ARG(body)),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(check(*state, sign_parts(*state, head, bad[i])), JWT_INVALID);
        assert_int_equal(check(*state, sign_parts(*state, bad[i], body)), JWT_INVALID);
    }
    struct str dotted = arena_printf(*state, "%.*s.%.*s", STR_ARG(body), STR_ARG(body));
    assert_int_equal(check(*state, sign_parts(*state, head, dotted)), JWT_INVALID);
}

/* A token of just `n` bytes, filled up by a claim that nobody reads. */
static struct str token_of_size(struct arena *a, size_t n)
{
    for (size_t pad = 0; pad < n; pad++) {
        char *x = arena_alloc(a, pad + 1);
        memset(x, 'x', pad);
        struct str body =
            arena_printf(a, "{" TIMES "," TYPE "," USER "," JTI "," SID ",\"p\":\"%s\"}", x);
        struct str token = sign(a, STR(HEAD), body);
        if (token.n >= n) {
            return token;
        }
        pad += (n - token.n) / 2;
    }
    fail();
    return STR_NULL;
}

static void test_size_is_capped(void **state)
{
    struct str biggest = token_of_size(*state, JWT_SIZE_MAX);
    assert_int_equal(biggest.n, JWT_SIZE_MAX);
    assert_int_equal(check(*state, biggest), JWT_OK);
    struct str bigger = token_of_size(*state, JWT_SIZE_MAX + 1);
    assert_true(bigger.n > JWT_SIZE_MAX && bigger.n <= JWT_SIZE_MAX + 2);
    assert_int_equal(check(*state, bigger), JWT_INVALID);

    size_t n = 1024 * 1024;
    char *huge = mem_alloc(n);
    memset(huge, '.', n);
    assert_int_equal(check(*state, (struct str){huge, n}), JWT_INVALID);
    free(huge);
}

static void test_deep_nesting_does_not_crash(void **state)
{
    char deep[2800];
    memset(deep, '[', sizeof(deep));
    assert_int_equal(check_body(*state, (struct str){deep, sizeof(deep)}), JWT_INVALID);
    for (size_t i = 0; i + 5 <= sizeof(deep); i += 5) {
        memcpy(deep + i, "{\"a\":", 5);
    }
    assert_int_equal(check_body(*state, (struct str){deep, sizeof(deep)}), JWT_INVALID);
}

static void test_many_tokens_at_once(void **state)
{
    enum { MANY = 2000 };
    static struct jwt_claims claims[MANY];
    static struct str tokens[MANY];
    for (size_t i = 0; i < MANY; i++) {
        claims[i] = refresh;
        claims[i].user_id = random_uuid_v7();
        claims[i].gen = (int64_t)i;
        tokens[i] = jwt_issue(*state, KEY, &claims[i]);
    }
    for (size_t i = 0; i < 2 * MANY; i++) {
        struct jwt_claims out;
        size_t which = i * 7 % MANY;
        assert_int_equal(jwt_check(*state, KEY, tokens[which], now_s, &out), JWT_OK);
        assert_same_claims(&out, &claims[which]);
    }
}

static void *check_in_thread(void *arg)
{
    struct arena a;
    intptr_t bad = 0;
    arena_init(&a);
    for (int i = 0; i < 300; i++) {
        struct jwt_claims out;
        struct jwt_claims mine = refresh;
        mine.sid = random_uuid_v7();
        struct str token = jwt_issue(&a, KEY, &mine);
        bad += jwt_check(&a, KEY, token, now_s, &out) != JWT_OK || !uuid_eq(out.sid, mine.sid);
        bad += jwt_check(&a, KEY, str_of(refresh_text), now_s, &out) != JWT_OK;
        arena_reset(&a);
    }
    arena_fini(&a);
    *(intptr_t *)arg = bad;
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    intptr_t bad[COUNT_OF(threads)];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, check_in_thread, &bad[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(bad[i], 0);
    }
}

static void test_opaque_tokens(void **state)
{
    struct str a = token_new(*state);
    struct str b = token_new(*state);
    assert_int_equal(a.n, 40);
    assert_int_equal(strspn(a.p, "0123456789abcdef"), 40);
    assert_false(str_eq(a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issue_is_deterministic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_issued_tokens_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_token_need_not_be_terminated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_is_looked_at_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_key_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_changed_byte_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_around_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_algorithms_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alg_none_without_signature, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_good_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rfc7515_example, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_claims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_claims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lax_base64_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_size_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep_nesting_does_not_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_tokens_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opaque_tokens, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
