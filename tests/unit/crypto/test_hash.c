#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/hash.h"

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

static void assert_hex(const uint8_t digest[SHA256_SIZE], const char *expected)
{
    static const char hex[] = "0123456789abcdef";
    char text[2 * SHA256_SIZE + 1] = {0};
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    assert_string_equal(text, expected);
}

static void test_sha256_known(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    sha256(STR(""), out);
    assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(STR_NULL, out);
    assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256(STR("abc"), out);
    assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out);
    assert_hex(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, cases 1, 2 and 6. */
static void test_hmac_known(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    char key[131];
    memset(key, 0x0b, 20);
    hmac_sha256(str_of_bytes(key, 20), STR("Hi There"), out);
    assert_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    hmac_sha256(str_of_bytes(key, sizeof(key)),
                STR("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_hmac_empty(void **state)
{
    (void)state;
    static const char expected[] =
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    uint8_t out[SHA256_SIZE];
    hmac_sha256(STR_NULL, STR_NULL, out);
    assert_hex(out, expected);
    hmac_sha256(STR("other"), STR("x"), out);
    hmac_sha256(STR(""), STR(""), out);
    assert_hex(out, expected);
}

static void digest_of(const struct str *fields, size_t count, uint8_t out[SHA256_SIZE])
{
    struct digest d;
    digest_init(&d);
    for (size_t i = 0; i < count; i++) {
        digest_add(&d, fields[i]);
    }
    digest_end(&d, out);
}

static void test_digest_is_stable(void **state)
{
    (void)state;
    const struct str fields[] = {STR("ab"), STR("c"), STR_NULL, STR("")};
    uint8_t out[SHA256_SIZE];
    digest_of(fields, COUNT_OF(fields), out);
    assert_hex(out, "0b714362cd27bafa792211526435b1159c53ff38f71f2d52aaac2d7fa41dea95");
}

static void test_digest_keeps_fields_apart(void **state)
{
    (void)state;
    const struct str cases[][2] = {
        {STR("ab"), STR("c")},  {STR("a"), STR("bc")}, {STR("abc"), STR("")},
        {STR("abc"), STR_NULL}, {STR(""), STR("abc")}, {STR_NULL, STR("abc")},
    };
    uint8_t digests[COUNT_OF(cases)][SHA256_SIZE];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        digest_of(cases[i], 2, digests[i]);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(digests[i], digests[j], SHA256_SIZE);
        }
    }
}

static void test_secret_eq(void **state)
{
    (void)state;
    assert_true(secret_eq(STR("secret"), STR("secret")));
    assert_false(secret_eq(STR("secret"), STR("Secret")));
    assert_false(secret_eq(STR("secret"), STR("secres")));
    assert_false(secret_eq(STR("secret"), STR("secre")));
    assert_false(secret_eq(STR("a\0b"), STR("a\0c")));
    assert_true(secret_eq(STR(""), STR_NULL));
    assert_false(secret_eq(STR_NULL, STR("x")));
}

/* RFC 4648, section 10, without the padding. */
static void test_base64url_known(void **state)
{
    const struct {
        struct str bytes;
        struct str text;
    } cases[] = {
        {STR(""), STR("")},
        {STR("f"), STR("Zg")},
        {STR("fo"), STR("Zm8")},
        {STR("foo"), STR("Zm9v")},
        {STR("foob"), STR("Zm9vYg")},
        {STR("fooba"), STR("Zm9vYmE")},
        {STR("foobar"), STR("Zm9vYmFy")},
        {STR("\xfb\xff\xbf\0"), STR("-_-_AA")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str bytes;
        assert_true(str_eq(base64url_encode(*state, cases[i].bytes), cases[i].text));
        assert_true(base64url_decode(*state, cases[i].text, &bytes));
        assert_true(str_eq(bytes, cases[i].bytes));
        assert_non_null(bytes.p);
    }
}

static void test_base64url_is_strict(void **state)
{
    const struct str bad[] = {
        STR("Z"),
        STR("Zm9vY"), /* impossible lengths */
        STR("Zg=="),
        STR("Zm8="),
        STR("="),
        STR("Zm9v="),
        STR("Zh"),
        STR("Zm9"),
        STR("Z_"), /* bits behind the last byte */
        STR("Zm9v\n"),
        STR(" Zm9v"),
        STR("Zm 9v"),
        STR("Zm9v\0AAA"),
        STR("+/+/"),
        STR("Zm.v"),
        STR("\xc3\xa4\xc3\xa4"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct str bytes = STR("untouched");
        assert_false(base64url_decode(*state, bad[i], &bytes));
        assert_null(bytes.p);
    }
}

static void test_base64url_every_byte(void **state)
{
    char all[256];
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (char)i;
    }
    for (size_t n = 0; n <= sizeof(all); n++) {
        struct str bytes;
        struct str text = base64url_encode(*state, str_of_bytes(all + sizeof(all) - n, n));
        assert_true(base64url_decode(*state, text, &bytes));
        assert_true(str_eq(bytes, str_of_bytes(all + sizeof(all) - n, n)));
    }
}

/* RFC 3174, 7.3 */
static void test_sha1_known(void **state)
{
    static const uint8_t expected[SHA1_SIZE] = {0xA9, 0x99, 0x3E, 0x36, 0x47, 0x06, 0x81,
                                                0x6A, 0xBA, 0x3E, 0x25, 0x71, 0x78, 0x50,
                                                0xC2, 0x6C, 0x9C, 0xD0, 0xD8, 0x9D};
    uint8_t out[SHA1_SIZE];
    (void)state;
    sha1(STR("abc"), out);
    assert_memory_equal(out, expected, sizeof(expected));
}

/* RFC 4648, 10; and the handshake of RFC 6455, 1.3. */
static void test_base64_known(void **state)
{
    static const struct str plain[] = {{"", 0},     {"f", 1},     {"fo", 2},    {"foo", 3},
                                       {"foob", 4}, {"fooba", 5}, {"foobar", 6}};
    static const char *const texts[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    uint8_t digest[SHA1_SIZE];
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        assert_true(str_eq(base64_encode(*state, plain[i]), str_of(texts[i])));
    }
    sha1(STR("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), digest);
    assert_true(str_eq(base64_encode(*state, str_of_bytes(digest, sizeof(digest))),
                       STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_known),
        cmocka_unit_test(test_hmac_known),
        cmocka_unit_test(test_hmac_empty),
        cmocka_unit_test(test_digest_is_stable),
        cmocka_unit_test(test_digest_keeps_fields_apart),
        cmocka_unit_test(test_secret_eq),
        cmocka_unit_test(test_sha1_known),
        cmocka_unit_test_setup_teardown(test_base64_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_base64url_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_base64url_is_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_base64url_every_byte, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
