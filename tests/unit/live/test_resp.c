/* live/resp.c: what a Redis server says, whole, in pieces, and what none would say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "live/resp.h"

static struct resp read_whole(const char *text)
{
    struct resp value;
    struct resp piece;
    size_t used = 0;
    struct str all = str_of(text);
    assert_int_equal(resp_read(all, &value, &used), RESP_OK);
    for (size_t n = 0; n < used; n++) { /* the beginning of it is not enough */
        size_t part = 0;
        assert_int_equal(resp_read((struct str){text, n}, &piece, &part), RESP_MORE);
    }
    assert_int_equal(used, all.n);
    return value;
}

static void assert_str(struct str s, const char *expected)
{
    assert_true(str_eq(s, str_of(expected)));
}

static void test_scalars(void **state)
{
    (void)state;
    assert_str(read_whole("+OK\r\n").text, "OK");
    assert_str(read_whole("$5\r\na\r\nbc\r\n").text, "a\r\nbc");
    assert_str(read_whole("$0\r\n\r\n").text, "");
    assert_int_equal(read_whole(":12\r\n").number, 12);
    assert_int_equal(read_whole(":12\r\n").kind, RESP_NUMBER);
    assert_int_equal(read_whole(":-3\r\n").number, -3);
    assert_int_equal(read_whole("$-1\r\n").kind, RESP_OTHER);
    assert_int_equal(read_whole("*-1\r\n").kind, RESP_OTHER);
    assert_int_equal(read_whole("_\r\n").kind, RESP_OTHER);
    struct resp error = read_whole("-WRONGPASS no\r\n");
    assert_int_equal(error.kind, RESP_ERROR);
    assert_str(error.text, "WRONGPASS no");
    assert_int_equal(read_whole("!3\r\nbad\r\n").kind, RESP_ERROR);
}

static void test_a_message(void **state)
{
    (void)state;
    struct resp push = read_whole(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\n\1\2\3\4\r\n");
    assert_int_equal(push.kind, RESP_PUSH);
    assert_int_equal(push.count, 3);
    assert_str(push.items[0], "message");
    assert_str(push.items[1], "c");
    assert_str(push.items[2], "\1\2\3\4");
}

/* What is inside of lists does not slip into the outer one. */
static void test_lists_in_lists(void **state)
{
    (void)state;
    struct resp list = read_whole("*4\r\n*2\r\n+in\r\n+in\r\n+two\r\n%1\r\n+in\r\n*0\r\n+four\r\n");
    assert_int_equal(list.kind, RESP_LIST);
    assert_int_equal(list.count, 4);
    assert_null(list.items[0].p);
    assert_str(list.items[1], "two");
    assert_null(list.items[2].p);
    struct resp map = read_whole("%2\r\n+proto\r\n:3\r\n+modules\r\n*0\r\n");
    assert_int_equal(map.count, 4);
    assert_str(map.items[0], "proto");
    assert_str(map.items[1], "3");
    assert_str(map.items[2], "modules");
    assert_int_equal(read_whole("*0\r\n").count, 0);
}

static void test_one_after_the_other(void **state)
{
    struct resp value;
    size_t used = 0;
    (void)state;
    assert_int_equal(resp_read(STR(":1\r\n:2\r\n"), &value, &used), RESP_OK);
    assert_int_equal(used, 4);
    assert_int_equal(value.number, 1);
}

static void test_what_is_bad(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "x\r\n",
        "$x\r\n",
        "$-2\r\n",
        "$\r\n",
        "$3\r\nabcde",
        "$999999999\r\n",
        "*-2\r\n",
        "*5000\r\n",
        "%-1\r\n",
        "%3000\r\n",
        ":\r\n",
        ":1x\r\n",
        ":99999999999999999999\r\n",
        "+OK\n",
        "|1\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct resp value;
        size_t used;
        if (resp_read(str_of(bad[i]), &value, &used) != RESP_BAD) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void test_no_value_is_without_end(void **state)
{
    struct resp value;
    size_t used;
    (void)state;
    char *bytes = mem_alloc_zero(RESP_SIZE_MAX + 1);
    memset(bytes, 'a', RESP_SIZE_MAX);
    bytes[0] = '+';
    assert_int_equal(resp_read((struct str){bytes, 2000}, &value, &used), RESP_BAD);
    (void)snprintf(bytes, 16, "$%d\r\n", RESP_SIZE_MAX);
    bytes[9] = 'a';
    assert_int_equal(resp_read((struct str){bytes, RESP_SIZE_MAX - 1}, &value, &used), RESP_MORE);
    assert_int_equal(resp_read((struct str){bytes, RESP_SIZE_MAX}, &value, &used), RESP_BAD);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),        cmocka_unit_test(test_a_message),
        cmocka_unit_test(test_lists_in_lists), cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_what_is_bad),    cmocka_unit_test(test_no_value_is_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
