/* db/dialect.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/dialect.h"

static const struct dialect dialect = {
    .words = {[T_UUID] = "uuid", [T_INT] = "bigint", [T_CLUSTERED] = "", [X_TEXT] = "text"},
    .parameter = "$",
};

static const struct dialect mysql = {
    .words = {[T_INT] = "BIGINT"}, .parameter = "?", .is_mysql = true};

static void assert_expands_in(const struct dialect *d, const char *sql, const char *expected)
{
    struct arena a;
    arena_init(&a);
    struct str got = dialect_expand(&a, d, str_of(sql));
    assert_string_equal(got.p, expected);
    arena_fini(&a);
}

static void assert_expands(const char *sql, const char *expected)
{
    assert_expands_in(&dialect, sql, expected);
}

static void test_words(void **state)
{
    (void)state;
    assert_expands("CREATE TABLE t (id T_UUID, n T_INT) T_CLUSTERED;",
                   "CREATE TABLE t (id uuid, n bigint) ;");
    assert_expands("CAST(?2 AS X_TEXT)", "CAST($2 AS text)");
    assert_expands("", "");
}

static void test_only_whole_words(void **state)
{
    (void)state;
    assert_expands("T_INTS XT_INT T_IN T_INT_T", "T_INTS XT_INT T_IN T_INT_T");
    assert_expands("(T_INT,T_INT)", "(bigint,bigint)");
}

static void test_parameters(void **state)
{
    (void)state;
    assert_expands("a = ?1 AND (?12 IS NULL OR b=?2)", "a = $1 AND ($12 IS NULL OR b=$2)");
}

/* What a text or a comment says is nobody's business. */
static void test_quotes_and_comments(void **state)
{
    (void)state;
    assert_expands("SELECT 'T_INT ?' || ?1", "SELECT 'T_INT ?' || $1");
    assert_expands("SELECT 'it''s T_INT', ?1", "SELECT 'it''s T_INT', $1");
    assert_expands("-- nobody's T_INT?\nT_INT", "-- nobody's T_INT?\nbigint");
    assert_expands("T_INT -- '", "bigint -- '");
    assert_expands("'open T_INT", "'open T_INT");
}

static void test_two_texts(void **state)
{
    (void)state;
    const char *pair = "x {RETURNING n}{; SELECT n T_INT ?1}, ?2";
    assert_expands(pair, "x RETURNING n, $2");
    assert_expands_in(&mysql, pair, "x ; SELECT n BIGINT ?1, ?2");
    assert_expands_in(&dialect_common, pair, "x RETURNING n, ?2");
    assert_expands_in(&dialect_common, "a T_INT{}{ b} -- {c}{d}", "a T_INT -- {c}{d}");
    assert_expands("'{}' {T_INT", "'{}' {bigint");
    assert_expands("{T_INT} {a}", "{bigint} {a}");
    assert_expands("{a}{", "{a}{");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),      cmocka_unit_test(test_only_whole_words),
        cmocka_unit_test(test_parameters), cmocka_unit_test(test_quotes_and_comments),
        cmocka_unit_test(test_two_texts),
    };
    return cmocka_run_group_tests_name("dialect", tests, NULL, NULL);
}
