#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "crypto/common_passwords.h"
#include "crypto/password.h"

#define TOO_SHORT "This password is too short. It must contain at least 8 characters."
#define TOO_COMMON "This password is too common."
#define NUMERIC "This password is entirely numeric."

/* Computed with Python's hashlib.pbkdf2_hmac. */
#define DJANGO                                                                                     \
    "pbkdf2_sha256$600000$seed-demo-seed-demo-22$Gex7+P3/4TgrQX5nJslvrqpA0UYFjAQ0gwkmxT2p5MA="
#define UNICODE "pbkdf2_sha256$3$s$ns8VWCOXWoSs/4KGVNoGK3vCCOLBjSyYypyY+H60NgE="
#define WITH_NUL "pbkdf2_sha256$2$salt$dI6kYRt19DjSq5uO9fkL5lfUTrTVQ1XRsrA010gvJhM="

static void test_verifies_what_django_made(void **state)
{
    (void)state;
    int64_t iterations = -1;
    assert_true(password_verify(STR("demo-Passw0rd"), STR(DJANGO), &iterations));
    assert_int_equal(iterations, 600000);
    assert_true(password_verify(STR("p\xc3\xa4ssw\xc3\xb6rd \xe2\x82\xac"), STR(UNICODE), NULL));
    assert_true(password_verify(STR("a\0b"), STR(WITH_NUL), NULL));
}

static void test_refuses_other_passwords(void **state)
{
    (void)state;
    const struct str wrong[] = {STR("a"), STR("a\0c"), STR("a\0b "), STR(""),
                                STR_NULL, STR("A\0b"), STR("a b")};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        int64_t iterations = -1;
        assert_false(password_verify(wrong[i], STR(WITH_NUL), &iterations));
        assert_int_equal(iterations, 2);
    }
}

static void test_refuses_malformed_hashes(void **state)
{
    (void)state;
#define HASH "dI6kYRt19DjSq5uO9fkL5lfUTrTVQ1XRsrA010gvJhM="
    const struct str bad[] = {
        STR_NULL,
        STR(""),
        STR("!"),
        STR("!dI6kYRt19DjSq5uO9fkL5lfUTrTVQ1XRsrA010gv"),
        STR("a\0b"),
        STR("$$$"),
        STR("pbkdf2_sha256"),
        STR("pbkdf2_sha256$2"),
        STR("pbkdf2_sha256$2$salt"),
        STR("pbkdf2_sha256$2$salt$"),
        STR("pbkdf2_sha256$2$$" HASH),
        STR("pbkdf2_sha256$$salt$" HASH),
        STR("pbkdf2_sha256$0$salt$" HASH),
        STR("pbkdf2_sha256$-2$salt$" HASH),
        STR("pbkdf2_sha256$ 2$salt$" HASH),
        STR("pbkdf2_sha256$2.0$salt$" HASH),
        STR("pbkdf2_sha256$10000001$salt$" HASH),
        STR("pbkdf2_sha256$4294967298$salt$" HASH),
        STR("pbkdf2_sha256$99999999999999999999$salt$" HASH),
        STR("pbkdf2_sha256$2$salt$" HASH "="),
        STR("pbkdf2_sha256$2$salt$dI6kYRt19DjSq5uO9fkL5lfUTrTVQ1XRsrA010gvJhM"),
        STR("pbkdf2_sha1$2$salt$" HASH),
        STR("PBKDF2_SHA256$2$salt$" HASH),
        STR("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA"),
        STR(" " WITH_NUL),
        STR("!" WITH_NUL),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t iterations = -1;
        assert_false(password_verify(STR("a\0b"), bad[i], &iterations));
        assert_int_equal(iterations, 0);
    }
}

static void test_refuses_a_changed_hash(void **state)
{
    (void)state;
    char encoded[] = WITH_NUL;
    for (size_t i = sizeof("pbkdf2_sha256$2$") - 1; i < sizeof(encoded) - 1; i++) {
        char was = encoded[i];
        encoded[i] = was == 'x' ? 'y' : 'x';
        assert_false(password_verify(STR("a\0b"), str_of(encoded), NULL));
        encoded[i] = was;
    }
    assert_true(password_verify(STR("a\0b"), str_of(encoded), NULL));
}

static void test_hashes_verify(void **state)
{
    (void)state;
    const struct str passwords[] = {STR("demo-Passw0rd"), STR(""), STR_NULL, STR("a\0b"),
                                    STR("\xe2\x82\xac\xf0\x9f\x94\x91")};
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(passwords); i++) {
        int64_t iterations = 0;
        struct str encoded = password_hash(&a, passwords[i], 1000);
        assert_true(str_starts(encoded, STR("pbkdf2_sha256$1000$")));
        assert_true(password_verify(passwords[i], encoded, &iterations));
        assert_int_equal(iterations, 1000);
        assert_false(password_verify(STR("other"), encoded, NULL));
    }
    arena_fini(&a);
}

static void test_salt_is_djangos(void **state)
{
    (void)state;
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    bool seen[256] = {false};
    struct arena a;
    arena_init(&a);
    for (int i = 0; i < 300; i++) {
        struct str rest = password_hash(&a, STR("x"), 1);
        assert_true(str_eq(str_cut(&rest, '$'), STR("pbkdf2_sha256")));
        assert_true(str_eq(str_cut(&rest, '$'), STR("1")));
        struct str salt = str_cut(&rest, '$');
        assert_int_equal(salt.n, 22);
        assert_int_equal(strspn(salt.p, alphabet), 22);
        for (size_t j = 0; j < salt.n; j++) {
            seen[(uint8_t)salt.p[j]] = true;
        }
        assert_int_equal(rest.n, 44);
    }
    for (size_t i = 0; alphabet[i] != '\0'; i++) {
        assert_true(seen[(uint8_t)alphabet[i]]);
    }
    arena_fini(&a);
}

static void test_iterations_are_bounded(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    assert_true(str_starts(password_hash(&a, STR("x"), 0), STR("pbkdf2_sha256$1$")));
    assert_true(str_starts(password_hash(&a, STR("x"), INT64_MIN), STR("pbkdf2_sha256$1$")));
    arena_fini(&a);
}

static void note(void *ctx, const char *text)
{
    struct buf *b = ctx;
    if (b->n > 0) {
        buf_char(b, '|');
    }
    buf_str(b, str_of(text));
}

/* All problems, with '|' between. */
static void assert_problems(struct str password, const struct password_like *like,
                            size_t like_count, const char *expected)
{
    struct buf b;
    buf_init(&b, 4096);
    password_check(password, like, like_count, note, &b);
    buf_char(&b, '\0');
    assert_string_equal(b.p, expected);
    buf_fini(&b);
}

static void test_check_without_attributes(void **state)
{
    (void)state;
    const struct {
        struct str password;
        const char *expected;
    } cases[] = {
        {STR("12345"), TOO_SHORT "|" TOO_COMMON "|" NUMERIC}, /* as DRF answered */
        {STR("demo-Passw0rd"), ""},
        {STR("83746519"), NUMERIC},
        {STR("8374651"), TOO_SHORT "|" NUMERIC},
        {STR("password"), TOO_COMMON},
        {STR("PassWord"), TOO_COMMON},
        {STR(" password\t"), TOO_COMMON},
        {STR("passwordx7"), ""},
        {STR("kitten"), TOO_SHORT},
        {STR(""), TOO_SHORT},
        {STR("h\xc3\xa4ngebrx"), ""},       /* 8 characters in 9 bytes */
        {STR("h\xc3\xa4ngebr"), TOO_SHORT}, /* 7 in 8 */
        {STR("\xf0\x9f\x94\x91\xf0\x9f\x94\x91"), TOO_SHORT},
        {STR("\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\xd9\xa6\xd9\xa7\xd9\xa8"), NUMERIC},
        {STR("1234567\0"), ""},
        {STR("\xff\xfe\x80\xc3"), TOO_SHORT}, /* no UTF-8: no crash */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_problems(cases[i].password, NULL, 0, cases[i].expected);
    }
}

#define SIMILAR(name) "The password is too similar to the " name "."

static const struct password_like user[] = {
    {"username", {"marguerite", 10}},
    {"first name", {"Zoltan", 6}},
    {"last name", {NULL, 0}},
    {"email address", {"quizzical.fox@example.com", 25}},
};

/* The expected answers were computed with Python's difflib by the rule of Django's validator. */
static void test_check_similarity(void **state)
{
    (void)state;
    const struct {
        struct str password;
        const char *expected;
    } cases[] = {
        {STR("marguerite"), SIMILAR("username")},
        {STR("MARGUERITE"), SIMILAR("username")},
        {STR("etireugram"), SIMILAR("username")},         /* the order does not matter */
        {STR("marguerite1234"), SIMILAR("username")},     /* 20/24 */
        {STR("marguerite12345678"), SIMILAR("username")}, /* 20/28 = 0.71 */
        {STR("marguerite123456789"), ""},                 /* 20/29 = 0.69 */
        {STR("zoltan"), SIMILAR("first name") "|" TOO_SHORT},
        {STR("quizzical"), SIMILAR("email address")},
        {STR("exampleexam"), SIMILAR("email address")}, /* 14/18 against "example" */
        {STR("quizzical.fox@example.com"), SIMILAR("email address")},
        {STR("correct horse battery"), ""},
        {STR("mmmmmmmmmm"), ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_problems(cases[i].password, user, COUNT_OF(user), cases[i].expected);
    }
}

static void test_check_names_the_first_attribute(void **state)
{
    (void)state;
    const struct password_like same[] = {
        {"username", STR("whitewater")},
        {"email address", STR("whitewater@example.com")},
    };
    assert_problems(STR("whitewater"), same, COUNT_OF(same), SIMILAR("username"));
    const struct password_like only[] = {{"first name", STR("12345678")}};
    assert_problems(STR("12345678"), only, 1, SIMILAR("first name") "|" TOO_COMMON "|" NUMERIC);
}

/* Values of less than a tenth of the password, empty words of a value: none is ever similar. */
static void test_check_skips_short_values(void **state)
{
    (void)state;
    char password[4000];
    char value[1000];
    memset(password, 'y', sizeof(password));
    memset(value, '.', sizeof(value));
    const struct password_like like[] = {{"username", str_of("y")},
                                         {"last name", {value, sizeof(value)}}};
    assert_problems((struct str){password, sizeof(password)}, like, COUNT_OF(like), "");
}

static void test_check_folds_beyond_ascii(void **state)
{
    (void)state;
    struct str upper = STR("\xc3\x84\xc3\x96\xc3\x9c\xc3\x84\xc3\x96\xc3\x9c\xc3\x84\xc3\x96");
    struct str lower = STR("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6");
    const struct password_like like[] = {{"last name", upper}};
    assert_problems(lower, like, 1, SIMILAR("last name"));
}

static void test_common_list_is_in_order(void **state)
{
    (void)state;
    static const char *const list[] = {
#include "crypto/common_passwords_list.h"
    };
    assert_true(COUNT_OF(list) > 300);
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        assert_true(i == 0 || strcmp(list[i - 1], list[i]) < 0);
        assert_true(password_is_common(str_of(list[i])));
    }
    assert_false(password_is_common(STR("")));
    assert_false(password_is_common(STR_NULL));
    assert_false(password_is_common(STR("passwor\0")));
    assert_false(password_is_common(STR("password\0")));
    assert_false(password_is_common(STR("~")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verifies_what_django_made),
        cmocka_unit_test(test_refuses_other_passwords),
        cmocka_unit_test(test_refuses_malformed_hashes),
        cmocka_unit_test(test_refuses_a_changed_hash),
        cmocka_unit_test(test_hashes_verify),
        cmocka_unit_test(test_salt_is_djangos),
        cmocka_unit_test(test_iterations_are_bounded),
        cmocka_unit_test(test_check_without_attributes),
        cmocka_unit_test(test_check_similarity),
        cmocka_unit_test(test_check_names_the_first_attribute),
        cmocka_unit_test(test_check_skips_short_values),
        cmocka_unit_test(test_check_folds_beyond_ascii),
        cmocka_unit_test(test_common_list_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
