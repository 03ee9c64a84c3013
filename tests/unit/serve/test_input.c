/* serve/input.c: what DRF answers to each kind of wrong value, all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/serve/input_route.h"

struct request {
    struct http_exchange x;
    struct req r;
    enum err e;
};

static void send_as(struct request *q, const char *method, const char *type, const char *body)
{
    input_request(&q->r, &q->x, method, str_of(body));
    q->e = input_read_body(&q->r, str_of(type));
}

static void send(struct request *q, const char *body)
{
    send_as(q, "POST", "application/json", body);
}

static void done(struct request *q)
{
    arena_fini(&q->x.arena);
}

/* The problems as "field: text" lines. */
static void assert_problems(struct request *q, const char *expected)
{
    struct buf lines;
    buf_init(&lines, 4096);
    for (struct problem *p = q->r.problems.first; p != NULL; p = p->next) {
        buf_printf(&lines, "%s: %.*s\n", p->field, STR_ARG(p->text));
    }
    buf_char(&lines, '\0');
    assert_string_equal(lines.p, expected);
    buf_fini(&lines);
}

static void check(const char *body, const char *expected)
{
    struct request q;
    send(&q, body);
    assert_int_equal(q.e, ERR_OK);
    assert_problems(&q, expected);
    done(&q);
}

static void test_values(void **state)
{
    struct request q;
    (void)state;
    send(&q, "{\"title\": \" \\u00a0hi \", \"secret\": \" x y \", \"email\": \"a@example.com\","
             "\"client_id\": \"018F0000-0000-7000-8000-000000000001\","
             "\"seq\": \"7\", \"pinned\": \"yes\", \"until\": \"2025-01-31\","
             "\"metadata\": {\"b\": 1, \"a\": [true]}, \"role\": \"host\","
             "\"participant_ids\": \"bob\", \"unknown\": 1}");
    assert_int_equal(q.e, ERR_OK);
    assert_problems(&q, "");
    assert_true(str_eq(req_input(&q.r, "title")->text, STR("hi")));
    assert_true(str_eq(req_input(&q.r, "secret")->text, STR(" x y ")));
    assert_int_equal(req_input(&q.r, "client_id")->id.b[1], 0x8F);
    assert_int_equal(req_input(&q.r, "conversation")->state, VALUE_ABSENT);
    assert_int_equal(req_input(&q.r, "seq")->n, 7);
    assert_int_equal(req_input(&q.r, "pinned")->n, 1);
    assert_int_equal(req_input(&q.r, "until")->n, INT64_C(1738281600000000));
    assert_true(str_eq(req_input(&q.r, "metadata")->text, STR("{\"b\":1,\"a\":[true]}")));
    assert_int_equal(req_input(&q.r, "participants")->count, 1);
    assert_true(str_eq(req_input(&q.r, "participants")->list[0], STR("bob")));
    done(&q);
}

static void test_required(void **state)
{
    struct request q;
    (void)state;
    check("{}", "title: This field is required.\n");
    send_as(&q, "PATCH", "application/json", "{}");
    assert_problems(&q, "");
    done(&q);
    send_as(&q, "POST", NULL, "");
    assert_int_equal(q.e, ERR_OK);
    assert_problems(&q, "title: This field is required.\n");
    done(&q);
}

static void test_all_at_once(void **state)
{
    (void)state;
    check("{\"title\": \"\", \"secret\": \"xy\", \"email\": \"no\", \"client_id\": 7,"
          "\"conversation\": \"abc\", \"seq\": 10, \"pinned\": \"maybe\", \"until\": \"soon\","
          "\"metadata\": [], \"role\": \"king\", \"participants\": [1, 2, 3, 4]}",
          "title: This field may not be blank.\n"
          "secret: Ensure this field has at least 3 characters.\n"
          "email: Enter a valid email address.\n"
          "client_id: Must be a valid UUID.\n"
          "conversation: “abc” is not a valid UUID.\n"
          "seq: Ensure this value is less than or equal to 9.\n"
          "pinned: Must be a valid boolean.\n"
          "until: Datetime has wrong format. Use one of these formats instead: "
          "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].\n"
          "metadata: Expected a dictionary of items but got type \"list\".\n"
          "role: \"king\" is not a valid choice.\n"
          "participants: Ensure this field has no more than 3 elements.\n");
}

static void test_text(void **state)
{
    (void)state;
    check("{\"title\": null}", "title: This field may not be null.\n");
    check("{\"title\": true}", "title: Not a valid string.\n");
    check("{\"title\": {}}", "title: Not a valid string.\n");
    check("{\"title\": 12.5}", "");
    check("{\"title\": \"a\\u0000b\"}", "title: Null characters are not allowed.\n");
    check("{\"title\": \"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\"}",
          "");
    check("{\"title\": \"12345678901\"}",
          "title: Ensure this field has no more than 10 characters.\n");
}

static void test_related(void **state)
{
    (void)state;
    check("{\"title\": 1, \"conversation\": 7}",
          "conversation: Invalid pk \"7\" - object does not exist.\n");
    check("{\"title\": 1, \"conversation\": true}",
          "conversation: Incorrect type. Expected pk value, received bool.\n");
    check("{\"title\": 1, \"conversation\": {}}", "conversation: “{}” is not a valid UUID.\n");
    check("{\"title\": 1, \"conversation\": null}", "conversation: This field may not be null.\n");
}

static void test_refused_keys(void **state)
{
    (void)state;
    check("{\"title\": 1, \"participantz\": [1]}",
          "participants: Unknown field \"participantz\"; did you mean \"participants\"?\n");
}

static void test_whole_body(void **state)
{
    (void)state;
    check("[1]", "non_field_errors: Invalid data. Expected a dictionary, but got list.\n");
    check("\"x\"", "non_field_errors: Invalid data. Expected a dictionary, but got str.\n");
    check("null", "non_field_errors: No data provided\n");
}

static void test_types(void **state)
{
    struct request q;
    (void)state;
    send_as(&q, "POST", "text/plain", "hello");
    assert_int_equal(q.e, ERR_MEDIA_TYPE);
    done(&q);
    send_as(&q, "POST", NULL, "{}");
    assert_int_equal(q.e, ERR_MEDIA_TYPE);
    assert_true(str_eq(q.r.detail, STR("Unsupported media type \"\" in request.")));
    done(&q);
    send_as(&q, "POST", "application/json", "{bad");
    assert_int_equal(q.e, ERR_PARSE);
    assert_true(str_starts(q.r.detail, STR("JSON parse error - ")));
    done(&q);
    send_as(&q, "POST", "application/x-www-form-urlencoded",
            "name=a+b&participants=x&participants=y&pinned=0");
    assert_int_equal(q.e, ERR_OK);
    assert_problems(&q, "");
    assert_true(str_eq(req_input(&q.r, "title")->text, STR("a b")));
    assert_int_equal(req_input(&q.r, "participants")->count, 2);
    assert_int_equal(req_input(&q.r, "pinned")->n, 0);
    done(&q);
}

static void test_filters(void **state)
{
    struct http_exchange x;
    struct req r;
    (void)state;
    input_request(&r, &x, "GET", STR(""));
    struct query_pair pairs[] = {{STR("pinned"), STR("maybe")},    {STR("seq"), STR("x")},
                                 {STR("until"), STR("yesterday")}, {STR("role"), STR("king")},
                                 {STR("client_id"), STR("abc")},   {STR("title"), STR("a\0b")}};
    r.query = (struct query){pairs, COUNT_OF(pairs)};
    assert_int_equal(input_read_filters(&r), ERR_INVALID);
    struct request q = {.r = r};
    assert_problems(&q, "client_id: Enter a valid UUID.\n"
                        "seq: Enter a whole number.\n"
                        "until: Enter a valid date/time.\n"
                        "role: Select a valid choice. king is not one of the available choices.\n");
    assert_int_equal(req_filter(&r, "pinned")->state, VALUE_ABSENT);
    assert_true(str_eq(req_filter(&r, "title")->text, STR("ab")));
    arena_fini(&x.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_required),
        cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_text),
        cmocka_unit_test(test_related),     cmocka_unit_test(test_refused_keys),
        cmocka_unit_test(test_whole_body),  cmocka_unit_test(test_types),
        cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
