#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static void assert_formats(int64_t us, const char *expected)
{
    char out[TIME_TEXT_MAX + 1];
    size_t n = time_format(us, out);
    out[n] = '\0';
    assert_string_equal(out, expected);
}

static void formats(void **state)
{
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00Z");
    assert_formats(1, "1970-01-01T00:00:00.000001Z");
    assert_formats(-1, "1969-12-31T23:59:59.999999Z");
    assert_formats(INT64_C(1753639301482677), "2025-07-27T18:01:41.482677Z");
    assert_formats(INT64_C(1709210096) * US_PER_SECOND, "2024-02-29T12:34:56Z");
    assert_formats(INT64_C(951782400) * US_PER_SECOND + 500000, "2000-02-29T00:00:00.500000Z");
    assert_formats(INT64_C(-62135596800) * US_PER_SECOND, "0001-01-01T00:00:00Z");
    assert_formats(INT64_C(253402300799) * US_PER_SECOND + 999999, "9999-12-31T23:59:59.999999Z");
    assert_formats(INT64_MAX, "9999-12-31T23:59:59.999999Z");
    assert_formats(INT64_MIN, "0001-01-01T00:00:00Z");
}

/* A step that is prime to a day visits all kinds of days and seconds of four hundred years. */
static void agrees_with_the_c_library(void **state)
{
    const int64_t step = 1234567 * 5 + 1;
    (void)state;
    for (int64_t s = INT64_C(-62135596800); s < INT64_C(253402300800); s += step * 11) {
        time_t when = (time_t)s;
        struct tm tm;
        char expected[64];
        assert_non_null(gmtime_r(&when, &tm));
        (void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                       tm.tm_sec);
        assert_formats(s * US_PER_SECOND, expected);
        int64_t us = 0;
        bool is_date = true;
        assert_true(time_parse(str_of(expected), &us, &is_date));
        assert_false(is_date);
        assert_true(us == s * US_PER_SECOND);
        struct time_parts parts;
        time_split(us + 17, &parts);
        assert_int_equal(parts.hour, tm.tm_hour);
        assert_int_equal(parts.us, 17);
        assert_true(time_join(&parts) == us + 17);
    }
}

static void assert_parses(const char *text, const char *formatted)
{
    int64_t us = 0;
    bool is_date = true;
    assert_true(time_parse(str_of(text), &us, &is_date));
    assert_false(is_date);
    assert_formats(us, formatted);
}

static void parses(void **state)
{
    (void)state;
    assert_parses("2025-07-27T18:01:41.482677Z", "2025-07-27T18:01:41.482677Z");
    assert_parses("2025-07-27 18:01", "2025-07-27T18:01:00Z");
    assert_parses("2025-07-27T18:01:41", "2025-07-27T18:01:41Z");
    assert_parses("2025-07-27T18:01:41.5", "2025-07-27T18:01:41.500000Z");
    assert_parses("2025-07-27T18:01:41,05Z", "2025-07-27T18:01:41.050000Z");
    assert_parses("2025-07-27T18:01:41.000001", "2025-07-27T18:01:41.000001Z");
    assert_parses("2025-07-27T18:01:41+02", "2025-07-27T16:01:41Z");
    assert_parses("2025-07-27T18:01:41+0230", "2025-07-27T15:31:41Z");
    assert_parses("2025-07-27T18:01:41-02:30", "2025-07-27T20:31:41Z");
    assert_parses("2025-12-31T23:59:59-00:01", "2026-01-01T00:00:59Z");
    assert_parses("2025-07-27 18:01:41 +02:00", "2025-07-27T16:01:41Z");
    assert_parses("2025-7-2T8:01", "2025-07-02T08:01:00Z");
    assert_parses("  2025-07-27T18:01\n", "2025-07-27T18:01:00Z");
    assert_parses("0001-01-01T00:00", "0001-01-01T00:00:00Z");
    assert_parses("2024-02-29T00:00", "2024-02-29T00:00:00Z");
    assert_parses("2000-02-29T00:00", "2000-02-29T00:00:00Z");
}

static void parses_dates(void **state)
{
    int64_t us = 0;
    bool is_date = false;
    (void)state;
    assert_true(time_parse(STR("2025-01-31"), &us, &is_date));
    assert_true(is_date);
    assert_formats(us, "2025-01-31T00:00:00Z");
}

static void refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "now",
        "2025",
        "2025-01",
        "2025-02-30",
        "2025-02-29",
        "1900-02-29",
        "2025-04-31",
        "2025-00-01",
        "2025-13-01",
        "2025-01-00",
        "2025-01-32",
        "0000-01-01",
        "10000-01-01",
        "-2025-01-01",
        "25-01-01",
        "2025/01/01",
        "2025-01-01T",
        "2025-01-01 12",
        "2025-01-01T24:00",
        "2025-01-01T23:60",
        "2025-01-01T23:59:60",
        "2025-01-01T23:59:",
        "2025-01-01T23:59:59.",
        "2025-01-01T23:59:59.1234567",
        "2025-01-01T23:59.5",
        "2025-01-01T23:59:59Zulu",
        "2025-01-01T23:59:59+2",
        "2025-01-01T23:59:59+24:00",
        "2025-01-01T23:59:59+02:60",
        "2025-01-01T23:59:59+02:",
        "2025-01-01T23:59:59+020",
        "2025-01-01T23:59:59+02:000",
        "2025-01-01T23:59:59+-2:00",
        "2025-01-01x23:59:59",
        "2025-01-01Z",
        "0001-01-01T00:00+00:01",
        "9999-12-31T23:59-00:01",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t us = 77;
        bool is_date = false;
        if (time_parse(str_of(bad[i]), &us, &is_date)) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(us, 77);
    }
}

static void clocks_go_on(void **state)
{
    (void)state;
    int64_t before = clock_steady_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_steady_us();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_now_us() > INT64_C(1700000000) * US_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats), cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(parses),  cmocka_unit_test(parses_dates),
        cmocka_unit_test(refuses), cmocka_unit_test(clocks_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
