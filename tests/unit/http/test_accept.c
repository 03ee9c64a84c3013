/* http/accept.h: the choice of a representation, and media types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/accept.h"

static const struct renderer renderers[] = {
    {{"application/json", 16}, {"json", 4}},
    {{"text/html", 9}, {"api", 3}},
};
enum { JSON, HTML, BOTH };

static const struct {
    const char *accept;
    const char *format;
    size_t count; /* of the renderers */
    enum err result;
    size_t index;
    int indent;
    bool problem_json;
} choices[] = {
    /* what DRF answered, by the number of its case */
    {"*/*", NULL, BOTH, ERR_OK, JSON, 0, false},                                     /* 177 */
    {"application/*", NULL, BOTH, ERR_OK, JSON, 0, false},                           /* 178 */
    {"application/json; indent=2", NULL, BOTH, ERR_OK, JSON, 2, false},              /* 179 */
    {"text/html", NULL, BOTH, ERR_OK, HTML, 0, false},                               /* 180 */
    {"application/xml", NULL, BOTH, ERR_NOT_ACCEPTABLE, JSON, 0, false},             /* 181 */
    {"application/json;q=0.1, text/html;q=0.9", NULL, BOTH, ERR_OK, JSON, 0, false}, /* 182 */
    {"text/html, application/json", NULL, BOTH, ERR_OK, JSON, 0, false},             /* 183 */
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", NULL, BOTH, ERR_OK, HTML, 0,
     false},                                                            /* 184 */
    {"application/xml, */*;q=0.1", NULL, BOTH, ERR_OK, JSON, 0, false}, /* 185 */
    {"nonsense", NULL, BOTH, ERR_NOT_ACCEPTABLE, JSON, 0, false},       /* 186 */
    {NULL, "xml", BOTH, ERR_NOT_FOUND, JSON, 0, false},                 /* 188 */
    {NULL, "api", BOTH, ERR_OK, HTML, 0, false},                        /* 190 */
    /* no header */
    {NULL, NULL, BOTH, ERR_OK, JSON, 0, false},
    {"", "", BOTH, ERR_OK, JSON, 0, false},
    /* the format wins, unlike DRF's case 189 */
    {"text/html", "json", BOTH, ERR_OK, JSON, 0, false},
    {"application/xml", "api", BOTH, ERR_OK, HTML, 0, false},
    {"application/json; indent=3, text/html", "json", BOTH, ERR_OK, JSON, 3, false},
    {"text/html", "JSON", BOTH, ERR_NOT_FOUND, JSON, 0, false},
    /* specificity: parameters, then the type, then a star */
    {"text/html, application/json; indent=1", NULL, BOTH, ERR_OK, JSON, 1, false},
    {"application/*, text/html", NULL, BOTH, ERR_OK, HTML, 0, false},
    {"application/json, text/html; level=1", NULL, BOTH, ERR_OK, HTML, 0, false},
    {"*/*, text/*", NULL, BOTH, ERR_OK, HTML, 0, false},
    {"TEXT/HTML", NULL, BOTH, ERR_OK, HTML, 0, false},
    {"*", NULL, BOTH, ERR_NOT_ACCEPTABLE, JSON, 0, false},
    {", ,", NULL, BOTH, ERR_NOT_ACCEPTABLE, JSON, 0, false},
    {"application/json;", NULL, BOTH, ERR_OK, JSON, 0, false},
    /* indent */
    {"application/json;indent=9", NULL, BOTH, ERR_OK, JSON, 8, false},
    {"application/json; INDENT=\"4\"", NULL, BOTH, ERR_OK, JSON, 4, false},
    {"application/json; indent=0", NULL, BOTH, ERR_OK, JSON, 0, false},
    {"application/json; indent=-1", NULL, BOTH, ERR_OK, JSON, 0, false},
    {"application/json; indent=x", NULL, BOTH, ERR_OK, JSON, 0, false},
    {"*/*; indent=4", NULL, BOTH, ERR_OK, JSON, 4, false},
    {"text/html; indent=4, application/json; q=1", NULL, BOTH, ERR_OK, HTML, 4, false},
    /* errors as RFC 9457 */
    {"application/problem+json", NULL, BOTH, ERR_OK, JSON, 0, true},
    {"application/json, application/problem+json", NULL, BOTH, ERR_OK, JSON, 0, true},
    {"text/html, Application/Problem+JSON;q=0.5", NULL, BOTH, ERR_OK, JSON, 0, true},
    /* JSON only */
    {"text/html", NULL, 1, ERR_NOT_ACCEPTABLE, JSON, 0, false},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", NULL, 1, ERR_OK, JSON, 0,
     false},
};

static void test_choices(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        struct accept_choice choice;
        assert_int_equal(accept_choose(str_of(choices[i].accept), str_of(choices[i].format),
                                       renderers, choices[i].count, &choice),
                         choices[i].result);
        assert_int_equal(choice.index, choices[i].index);
        assert_int_equal(choice.indent, choices[i].indent);
        assert_int_equal(choice.problem_json, choices[i].problem_json);
    }
}

static void assert_same(struct str got, const char *wanted)
{
    if (wanted == NULL) {
        assert_null(got.p);
        return;
    }
    assert_non_null(got.p);
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.n);
}

static const struct {
    const char *header;
    const char *type;
    const char *boundary;
    const char *charset;
} media_types[] = {
    {NULL, NULL, NULL, NULL},
    {"", "", NULL, NULL},
    {"application/json", "application/json", NULL, NULL},
    {" application/json ; charset=utf-8", "application/json", NULL, "utf-8"},
    {"text/plain;CHARSET=\"UTF-8\";boundary=x", "text/plain", "x", "UTF-8"},
    {"multipart/form-data; boundary=\"a;b=\\\"c\\\\\"; charset=x", "multipart/form-data",
     "a;b=\"c\\", "x"},
    {"multipart/form-data; xboundary=1; boundary = b", "multipart/form-data", "b", NULL},
    {"multipart/form-data; boundary=", "multipart/form-data", "", NULL},
    {"multipart/form-data; boundary", "multipart/form-data", NULL, NULL},
    {"a/b; boundary=1; boundary=2", "a/b", "1", NULL},
    {"a/b; boundary=\"", "a/b", "\"", NULL},
    {"a/b; boundary=\"\\", "a/b", "\"\\", NULL},
};

static void test_media_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(media_types); i++) {
        struct arena a;
        struct media_type type;
        arena_init(&a);
        media_type_parse(&a, str_of(media_types[i].header), &type);
        assert_same(type.type, media_types[i].type);
        assert_same(type.boundary, media_types[i].boundary);
        assert_same(type.charset, media_types[i].charset);
        arena_fini(&a);
    }
}

static const struct {
    const char *header;
    const char *name;
} dispositions[] = {
    {"form-data; name=a", "a"},
    {"form-data; name=\"a b\"", "a b"},
    {"form-data; name=\"a\\\"b\"", "a\"b"},
    {"form-data; name=\"C:\\dir\\x\"", "C:\\dir\\x"},
    {"form-data; filename=\"; name=x\"; name=y", "y"},
    {"form-data; filename=name", NULL},
    {"name=x", NULL},
};

static void test_header_params(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(dispositions); i++) {
        struct arena a;
        arena_init(&a);
        assert_same(header_param(&a, str_of(dispositions[i].header), STR("name")),
                    dispositions[i].name);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_header_params),
    };
    return cmocka_run_group_tests_name("http/accept", tests, NULL, NULL);
}
