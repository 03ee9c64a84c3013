#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { CAUGHT_MAX = 16 * 1024 };

static int saved_stderr;
static int pipe_ends[2];

static void catch_begin(void)
{
    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
}

static struct str catch_end(char out[CAUGHT_MAX])
{
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    ssize_t n = read(pipe_ends[0], out, CAUGHT_MAX);
    (void)close(saved_stderr);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    return (struct str){out, n > 0 ? (size_t)n : 0};
}

/* "TIME level text" without the line end; asserts that it is one line. */
static struct str text_of(struct str line)
{
    int64_t us;
    bool is_date;
    assert_true(str_ends(line, STR("\n")));
    line.n--;
    assert_false(str_contains_byte(line, '\n'));
    assert_true(time_parse(str_cut(&line, ' '), &us, &is_date));
    return line;
}

static void writes_one_line(void **state)
{
    char out[CAUGHT_MAX];
    (void)state;
    catch_begin();
    errno = ENOENT;
    log_info("listening address=%s:%d", "127.0.0.1", 8000);
    int errno_after = errno;
    struct str line = catch_end(out);
    assert_int_equal(errno_after, ENOENT);
    assert_true(str_eq(text_of(line), STR("info listening address=127.0.0.1:8000")));
}

static void masks_control_characters(void **state)
{
    char out[CAUGHT_MAX];
    (void)state;
    catch_begin();
    log_error("a\nb\r\x1b[31m\x7f\xC2\x9B\xC2\xA0\xC3\xA9");
    assert_true(str_eq(text_of(catch_end(out)), STR("error a?b??[31m???\xC2\xA0\xC3\xA9")));
}

static void drops_what_is_below_the_level(void **state)
{
    char out[CAUGHT_MAX];
    (void)state;
    catch_begin();
    log_debug("no");
    log_set_level(LOG_ERROR);
    log_warning("no");
    log_set_level(LOG_DEBUG);
    log_debug("yes");
    log_set_level(LOG_INFO);
    assert_true(str_eq(text_of(catch_end(out)), STR("debug yes")));
}

static void cuts_long_lines(void **state)
{
    static char text[9000];
    char out[CAUGHT_MAX];
    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    for (int shift = 0; shift < 2; shift++) { /* whole characters at either parity */
        catch_begin();
        log_info("%s%s", shift == 0 ? "" : "x", text);
        struct str line = catch_end(out);
        assert_true(line.n <= 4096);
        assert_true(line.n > 4000);
        assert_true(str_ends(text_of(line), STR("\xC3\xA9...")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_one_line),
        cmocka_unit_test(masks_control_characters),
        cmocka_unit_test(drops_what_is_below_the_level),
        cmocka_unit_test(cuts_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
