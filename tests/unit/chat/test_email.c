#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chat/email.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void check_all(const struct str *emails, size_t count, bool wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (email_valid(emails[i]) != wanted) {
            fail_msg("case %zu: %.*s", i, STR_ARG(emails[i]));
        }
    }
}

static void accepts_what_django_does(void **state)
{
    const struct str good[] = {
        STR("email@here.com"),
        STR("weirder-email@here.and.there.com"),
        STR("a+b_c=d'e!f#g$h%i&j*k/l?m^n`o{p|q}r~s-t@example.com"),
        STR("first.middle.last@example.co.uk"),
        STR("A@EXAMPLE.COM"),
        STR("email@localhost"),
        STR("example@valid-----hyphens.com"),
        STR("test@xn--8ca.example"),
        STR("a@" LABEL_63 ".us"),
        STR("email@[127.0.0.1]"),
        STR("email@[2001:dB8::1]"),
        STR("email@[::fffF:127.0.0.1]"),
        STR("\"quoted\"@example.com"),
        STR("\"a@b\"@example.com"),
        STR("\"\\\011\"@here.com"),
        STR("\"back\\\\slash\"@example.com"),
        STR("post@b\xC3\xBC"
            "cher.example"),
        STR("post@\xE4\xBE\x8B\xE3\x81\x88.\xE3\x83\x86\xE3\x82\xB9\xE3\x83\x88"),
    };
    (void)state;
    check_all(good, COUNT_OF(good), true);
}

static void refuses_what_django_does(void **state)
{
    const struct str bad[] = {
        STR_NULL,
        STR(""),
        STR("abc"),
        STR("abc@"),
        STR("@example.com"),
        STR("@"),
        STR("abc@bar"),
        STR("a @x.cz"),
        STR("abc@.com"),
        STR("abc@b..example"),
        STR("abc@b.example."),
        STR("a@@example.com"),
        STR(".a@example.com"),
        STR("a.@example.com"),
        STR("a..b@example.com"),
        STR("a\"b@example.com"),
        STR("something@@somewhere.com"),
        STR("email@127.0.0.1.x"),
        STR("email@[127.0.0.256]"),
        STR("email@[2001:db8::12345]"),
        STR("email@[::ffff:127.0.0.256]"),
        STR("email@[]"),
        STR("email@[127.0.0.1"),
        STR("example@invalid-.com"),
        STR("example@-invalid.com"),
        STR("example@inv-.alid-.com"),
        STR("a@b.c"),
        STR("a@a" LABEL_63 ".us"),
        STR("\"a b\"@example.com"),
        STR("\"a\"b\"@example.com"),
        STR("\"a\\\"@example.com"),
        STR("\"\\\012\"@here.com"),
        STR("trailingdot@shouldfail.com\n"),
        STR("a\0b@example.com"),
        STR("a@exa\0mple.com"),
        STR("\xC3\xA9@example.com"),
        STR("a@exa\xC2\xA0mple.com"),
        STR("a@exa\xE2\x80\xAEmple.com"),
        STR("a@ex\xFF.com"),
    };
    (void)state;
    check_all(bad, COUNT_OF(bad), false);
}

static void normalises_the_domain_alone(void **state)
{
    const struct {
        struct str sent;
        struct str kept;
    } cases[] = {
        {STR("Fresh.Face@Example.COM"), STR("Fresh.Face@example.com")},
        {STR("\"A@B\"@C.DE"), STR("\"A@B\"@c.de")},
        {STR("a@B\xC3\x9C"
             "CHER.example"),
         STR("a@b\xC3\xBC"
             "cher.example")},
        {STR("nothing"), STR("nothing")},
        {STR(""), STR("")},
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(str_eq(email_normalise(&a, cases[i].sent), cases[i].kept));
    }
    arena_fini(&a);
}

static void is_unique_whatever_the_case(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a);
    assert_true(
        str_eq(email_key(&a, STR("Ann@Example.com")), email_key(&a, STR("aNN@EXAMPLE.COM"))));
    assert_false(str_eq(email_key(&a, STR("ann@a.example")), email_key(&a, STR("ann@b.example"))));
    arena_fini(&a);
}

static void takes_the_local_part(void **state)
{
    (void)state;
    assert_true(str_eq(email_local_part(STR("ann@example.com")), STR("ann")));
    assert_true(str_eq(email_local_part(STR("\"a@b\"@example.com")), STR("\"a@b\"")));
    assert_true(str_eq(email_local_part(STR("nothing")), STR("nothing")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_django_does),
        cmocka_unit_test(refuses_what_django_does),
        cmocka_unit_test(normalises_the_domain_alone),
        cmocka_unit_test(is_unique_whatever_the_case),
        cmocka_unit_test(takes_the_local_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
