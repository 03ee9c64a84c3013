/* http/form.h and http/charset.h: bodies of forms and of other character sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/charset.h"
#include "http/form.h"

#define MULTIPART "multipart/form-data; boundary=b"
#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_HEAD(name, filename)                                                                  \
    "Content-Disposition: form-data; name=\"" name "\"; filename=\"" filename "\"\r\n"

static void assert_str(struct str got, const char *wanted)
{
    assert_non_null(got.p);
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.n);
}

static enum err read_form(struct arena *a, const char *content_type, struct str body,
                          struct form *form, struct str *problem)
{
    struct media_type type;
    media_type_parse(a, str_of(content_type), &type);
    return form_read(a, &type, body, form, problem);
}

/* Fields as name=value|, files as name@filename(type)content|. */
static void show(const struct form *form, struct buf *out)
{
    for (size_t i = 0; i < form->fields.count; i++) {
        buf_str(out, form->fields.pairs[i].name);
        buf_char(out, '=');
        buf_str(out, form->fields.pairs[i].value);
        buf_char(out, '|');
    }
    for (size_t i = 0; i < form->file_count; i++) {
        const struct form_file *file = &form->files[i];
        buf_printf(out, "%.*s@%.*s(%.*s)", STR_ARG(file->name), STR_ARG(file->filename),
                   STR_ARG(file->content_type));
        buf_str(out, file->content);
        buf_char(out, '|');
    }
}

static const struct {
    const char *content_type;
    const char *body;
    const char *wanted;
} forms[] = {
    {"application/x-www-form-urlencoded", "message_body=from+a+form", "message_body=from a form|"},
    {"Application/X-WWW-Form-Urlencoded; charset=utf-8", "", ""},
    {MULTIPART, "--b\r\n" FIELD("message_body") "multipart\r\n--b--\r\n",
     "message_body=multipart|"},
    {MULTIPART, "", ""},
    {MULTIPART, "no delimiter at all", ""},
    {MULTIPART, "--b--\r\n" FIELD("x") "1\r\n--b--", ""},
    {MULTIPART, "--b\r\n" FIELD("a") "1\r\n--b\r\n" FIELD("a") "2\r\n--b--", "a=1|a=2|"},
    {"multipart/form-data; boundary=\"b b\"", "--b b\r\n" FIELD("a") "1\r\n--b b--", "a=1|"},
    /* text around, blanks behind a boundary, bare line feeds */
    {MULTIPART, "before\r\n--b  \r\n" FIELD("a") "1\r\n--b-- \r\nbehind\r\n--b\r\n" FIELD("x") "1",
     "a=1|"},
    {MULTIPART, "--b\nContent-Disposition: form-data; name=a\n\n1\n--b--\n", "a=1|"},
    /* what only looks like a boundary is content */
    {MULTIPART, "--b\r\n" FIELD("a") "x --b\r\n--bb\r\n--b-x\r\n y\r\n--b--",
     "a=x --b\r\n--bb\r\n--b-x\r\n y|"},
    /* cut short */
    {MULTIPART, "--b\r\n" FIELD("a") "1\r\n--b", "a=1|"},
    {MULTIPART, "--b\r\n" FIELD("a") "1", "a=1|"},
    {MULTIPART, "--b\r\n" FIELD("a"), "a=|"},
    {MULTIPART, "--b\r\nContent-Disposition: form-data; name=a\r\n", ""},
    {MULTIPART, "--b", ""},
    {MULTIPART, "--b\r\n--b\r\n" FIELD("a") "1\r\n--b--", "a=1|"},
    {MULTIPART, "--b\r\n" FIELD("a") "\r\n--b--", "a=|"},
    /* parts without a name, other headers, odd case */
    {MULTIPART,
     "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data"
     "\r\n\r\ny\r\n--b--",
     ""},
    {MULTIPART, "--b\r\nX: y\r\ncontent-disposition: FORM-DATA; NAME=\" a \"\r\n\r\n1\r\n--b--",
     "a=1|"},
    /* what is no UTF-8 */
    {MULTIPART, "--b\r\n" FIELD("\xFF") "\xC3\xA9\xC3\r\n--b--",
     "\xEF\xBF\xBD=\xC3\xA9\xEF\xBF\xBD|"},
    /* files */
    {MULTIPART,
     "--b\r\n" FILE_HEAD("f", "a.txt") "Content-Type: text/plain\r\n\r\n\xFF\r\n\r\n\r\n--b--",
     "f@a.txt(text/plain)\xFF\r\n\r\n|"},
    {MULTIPART, "--b\r\n" FILE_HEAD("f", "a.txt") "\r\n\r\n--b--", "f@a.txt()|"},
    {MULTIPART,
     "--b\r\n" FILE_HEAD("f", "") "Content-Type: application/octet-stream\r\n\r\n\r\n--b--", "f=|"},
    {MULTIPART, "--b\r\n" FILE_HEAD("f", "../../etc/passwd") "\r\nx\r\n--b--", "f@passwd()x|"},
    {MULTIPART, "--b\r\n" FILE_HEAD("f", "C:\\dir\\a.txt") "\r\nx\r\n--b--", "f@a.txt()x|"},
    {MULTIPART, "--b\r\n" FILE_HEAD("f", "a/..") "\r\nx\r\n--b--", ""},
    {MULTIPART, "--b\r\n" FILE_HEAD("f", "dir/") "\r\nx\r\n--b--", ""},
    {MULTIPART, "--b\r\n" FILE_HEAD("f", "a\tb\xE2\x80\xAEgpj.exe") "\r\nx\r\n--b--",
     "f@abgpj.exe()x|"},
    {MULTIPART,
     "--b\r\nContent-Disposition: form-data; name=f; filename=\"x\"; "
     "filename*=UTF-8'en'%e2%82%ac%20rates.txt\r\n\r\nx\r\n--b--",
     "f@\xE2\x82\xAC rates.txt()x|"},
    {MULTIPART,
     "--b\r\nContent-Disposition: form-data; name=f; filename=\"x\"; filename*=broken"
     "\r\n\r\nx\r\n--b--",
     "f@x()x|"},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct arena a;
        struct form form;
        struct str problem;
        struct buf shown;
        arena_init(&a);
        buf_init(&shown, 4096);
        assert_int_equal(
            read_form(&a, forms[i].content_type, str_of(forms[i].body), &form, &problem), ERR_OK);
        show(&form, &shown);
        assert_str(buf_view(&shown), forms[i].wanted);
        buf_fini(&shown);
        arena_fini(&a);
    }
}

static const struct {
    const char *content_type;
    const char *problem;
} bad_boundaries[] = {
    {"multipart/form-data", "None"},
    {"multipart/form-data; boundary=", ""},
    {"multipart/form-data; boundary=\"b \"", "b "},
    {"multipart/form-data; boundary=\xFF", "\xEF\xBF\xBD"},
    {"multipart/form-data; boundary=\"a\tb\"", "a\tb"},
};

static void test_bad_boundaries(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_boundaries); i++) {
        struct arena a;
        struct form form;
        struct str problem;
        arena_init(&a);
        assert_int_equal(read_form(&a, bad_boundaries[i].content_type, STR("x"), &form, &problem),
                         ERR_PARSE);
        struct str wanted =
            arena_printf(&a, "Multipart form parse error - Invalid boundary in multipart: %s",
                         bad_boundaries[i].problem);
        assert_str(problem, wanted.p);
        arena_fini(&a);
    }
}

/* Zero bytes are bytes like others, wherever they are. */
static void test_zero_bytes(void **state)
{
    static const char body[] = "--b\r\nContent-Dis\0position: x\r\n" FIELD(
        "a\0b") "x\0y\r\n--b\r\n" FILE_HEAD("f", "n\0m") "\r\n\0\r\n--b--";
    struct arena a;
    struct form form;
    struct str problem;
    (void)state;
    arena_init(&a);
    struct str whole = {body, sizeof(body) - 1};
    assert_int_equal(read_form(&a, MULTIPART, whole, &form, &problem), ERR_OK);
    assert_int_equal(form.fields.count, 1);
    assert_int_equal(form.fields.pairs[0].name.n, 3);
    assert_memory_equal(form.fields.pairs[0].value.p, "x\0y", 3);
    assert_int_equal(form.file_count, 1);
    assert_str(form.files[0].filename, "nm");
    assert_int_equal(form.files[0].content.n, 1);
    arena_fini(&a);
}

static enum err read_parts(size_t count, struct str *problem)
{
    struct arena a;
    struct form form;
    struct buf body;
    arena_init(&a);
    buf_init(&body, 1024 * 1024);
    for (size_t i = 0; i < count; i++) {
        buf_lit(&body, "--b\r\n" FIELD("a") "1\r\n");
    }
    buf_lit(&body, "--b--\r\n");
    enum err e = read_form(&a, MULTIPART, buf_view(&body), &form, problem);
    if (e == ERR_OK) {
        assert_int_equal(form.fields.count, count);
    }
    buf_fini(&body);
    arena_fini(&a);
    return e;
}

static void test_limits(void **state)
{
    struct arena a;
    struct form form;
    struct str problem;
    (void)state;
    assert_int_equal(read_parts(FORM_PARTS_MAX, &problem), ERR_OK);
    assert_int_equal(read_parts(FORM_PARTS_MAX + 1, &problem), ERR_INVALID);
    assert_str(problem, "The number of parameters exceeded 1000.");
    arena_init(&a);
    char *long_header = arena_alloc(&a, FORM_HEADER_MAX + 1);
    memset(long_header, 'x', FORM_HEADER_MAX);
    struct str body = arena_printf(&a, "--b\r\n%s\r\n\r\nx\r\n--b--", long_header);
    assert_int_equal(read_form(&a, MULTIPART, body, &form, &problem), ERR_PARSE);
    assert_str(problem, "Multipart form parse error - Request max total header size exceeded.");
    char separators[QUERY_PAIRS_MAX];
    memset(separators, '&', sizeof(separators));
    body = (struct str){separators, sizeof(separators)};
    assert_int_equal(read_form(&a, "application/x-www-form-urlencoded", body, &form, &problem),
                     ERR_INVALID);
    assert_str(problem, "The number of parameters exceeded 1000.");
    arena_fini(&a);
}

static const struct {
    const char *charset;
    const char *text;
    const char *wanted; /* NULL: refused */
    const char *problem;
} conversions[] = {
    {NULL, "\xFF", "\xFF", NULL},
    {"utf-8", "\xC3\xA9", "\xC3\xA9", NULL},
    {"UTF8", "\xFF", "\xFF", NULL},
    {"us-ascii", "abc", "abc", NULL},
    {"ASCII", "ab\xE9", NULL,
     "'ascii' codec can't decode byte 0xe9 in position 2: ordinal not in range(128)"},
    {"latin-1", "a\xE9\xFF\x80", "a\xC3\xA9\xC3\xBF\xC2\x80", NULL},
    {"ISO-8859-1", "\xE9", "\xC3\xA9", NULL},
    {"iso_8859_1", "\xE9", "\xC3\xA9", NULL},
    {" L1 ", "", "", NULL},
    {"windows-1252", "\x80", "\xE2\x82\xAC", NULL},
    {"ISO-8859-15", "\xA4", "\xE2\x82\xAC", NULL},
    {"Shift_JIS", "\x82\xA0", "\xE3\x81\x82", NULL},
    {"utf-16le", "a", NULL, "'UTF-16LE' codec can't decode the bytes from position 0 on"},
    {"shift_jis", "ab\x82", NULL, "'SHIFT_JIS' codec can't decode the bytes from position 2 on"},
    {"nonsense", "a", NULL, "unknown encoding: nonsense"},
    {"utf-8//TRANSLIT", "a", NULL, "unknown encoding: utf-8//TRANSLIT"},
    {"IBM1364", "a", NULL, "unknown encoding: IBM1364"},
    {"\xFF", "a", NULL, "unknown encoding: \xEF\xBF\xBD"},
    {"a-name-that-is-longer-than-any-that-we-know", "a", NULL,
     "unknown encoding: a-name-that-is-longer-than-any-that-we-know"},
};

static void test_charsets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(conversions); i++) {
        struct arena a;
        struct str text;
        struct str problem;
        arena_init(&a);
        enum err e = charset_to_utf8(&a, str_of(conversions[i].charset),
                                     str_of(conversions[i].text), &text, &problem);
        if (conversions[i].wanted != NULL) {
            assert_int_equal(e, ERR_OK);
            assert_str(text, conversions[i].wanted);
        } else {
            assert_int_equal(e, ERR_PARSE);
            assert_str(problem, conversions[i].problem);
        }
        arena_fini(&a);
    }
}

/* One U+FFFD, shown as '?' here, for each longest start of a sequence (Unicode 15, 3.9). */
static const struct {
    const char *text;
    const char *wanted;
} repairs[] = {
    {"", ""},
    {"plain", "plain"},
    {"\xC3\xA9", "\xC3\xA9"},
    {"\x80", "?"},
    {"a\xC3", "a?"},
    {"\xC3(", "?("},
    {"\xE2\x82", "?"},
    {"\xE2\x82\xE2\x82\xAC", "?\xE2\x82\xAC"},
    {"\xF0\x9F\x98!", "?!"},
    {"\xC0\xAF", "??"},
    {"\xED\xA0\x80", "???"},
    {"\xF4\x90\x80\x80", "????"},
    {"\xFF\xFE\x41", "??A"},
};

static void test_repairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(repairs); i++) {
        struct arena a;
        struct buf wanted;
        arena_init(&a);
        buf_init(&wanted, 256);
        for (const char *p = repairs[i].wanted; *p != '\0'; p++) {
            if (*p == '?') {
                buf_lit(&wanted, "\xEF\xBF\xBD");
            } else {
                buf_char(&wanted, *p);
            }
        }
        buf_char(&wanted, '\0');
        assert_str(charset_repair(&a, str_of(repairs[i].text)), wanted.p);
        buf_fini(&wanted);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_bad_boundaries),
        cmocka_unit_test(test_zero_bytes), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_charsets),   cmocka_unit_test(test_repairs),
    };
    return cmocka_run_group_tests_name("http/form", tests, NULL, NULL);
}
