/* cli/options.c: flags, values, the one argument, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/options.h"

struct parsed {
    bool good;
    int code;
    bool plan;
    const char *email;
    int64_t users;
    const char *target;
};

enum { ARGS_MAX = 8 };

/* Both outputs are thrown away while it parses. */
static int mute(FILE *stream)
{
    int kept = dup(fileno(stream));
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(kept >= 0 && nowhere >= 0);
    (void)fflush(stream);
    assert_true(dup2(nowhere, fileno(stream)) >= 0);
    (void)close(nowhere);
    return kept;
}

static void unmute(FILE *stream, int kept)
{
    (void)fflush(stream);
    assert_true(dup2(kept, fileno(stream)) >= 0);
    (void)close(kept);
}

static struct parsed parse(const char *words, bool with_argument)
{
    struct parsed p = {.code = -1, .email = "nobody", .users = 7};
    struct cli cli = {0};
    char text[256];
    char *argv[ARGS_MAX];
    const struct cli_option options[] = {
        {.name = "--plan", .on = &p.plan, .help = "x"},
        {.name = "--email", .text = &p.email, .help = "x"},
        {.name = "--users", .number = &p.users, .min = 2, .max = 9, .help = "x"},
    };
    const struct cli_usage usage = {.command = "test",
                                    .about = "x",
                                    .options = options,
                                    .option_count = COUNT_OF(options),
                                    .argument_name = with_argument ? "TARGET" : NULL,
                                    .argument = &p.target,
                                    .argument_required = with_argument};
    (void)snprintf(text, sizeof(text), "%s", words);
    for (char *word = text; *word != '\0' && cli.argc < ARGS_MAX;) {
        argv[cli.argc++] = word;
        word += strcspn(word, " ");
        if (*word == ' ') {
            *word++ = '\0';
        }
    }
    cli.argv = argv;
    int out = mute(stdout);
    int err = mute(stderr);
    p.good = cli_parse(&cli, &usage, &p.code);
    /* What was given lives in `text`, which ends here. */
    p.email = p.good && strcmp(p.email, "a@b") == 0 ? "a@b" : p.good ? p.email : NULL;
    p.target = p.target == NULL ? NULL : strcmp(p.target, "zero") == 0 ? "zero" : "other";
    unmute(stdout, out);
    unmute(stderr, err);
    return p;
}

static void test_nothing_given(void **state)
{
    (void)state;
    struct parsed p = parse("", false);
    assert_true(p.good);
    assert_false(p.plan);
    assert_string_equal(p.email, "nobody");
    assert_int_equal(p.users, 7);
}

static void test_flags(void **state)
{
    (void)state;
    struct parsed p = parse("--plan --email a@b --users 9", false);
    assert_true(p.good && p.plan);
    assert_string_equal(p.email, "a@b");
    assert_int_equal(p.users, 9);
    p = parse("--users=2 --email=a@b", false);
    assert_true(p.good && !p.plan);
    assert_string_equal(p.email, "a@b");
    assert_int_equal(p.users, 2);
}

static void test_argument(void **state)
{
    (void)state;
    struct parsed p = parse("zero", true);
    assert_true(p.good);
    assert_string_equal(p.target, "zero");
    p = parse("--plan zero --users 3", true);
    assert_true(p.good && p.plan);
    assert_string_equal(p.target, "zero");
    p = parse("-- --plan", true);
    assert_true(p.good && !p.plan);
    assert_string_equal(p.target, "other");
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "--nonsense", "--plan=1",  "--email",  "--users",     "--users 1",
        "--users 10", "--users x", "--users=", "--users 3.5", "-p",
        "--pla",      "--plan-",   "one",      "- ",          "--email \xFF",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct parsed p = parse(bad[i], false);
        if (p.good || p.code != 2) {
            fail_msg("\"%s\" should be wrong use", bad[i]);
        }
    }
    assert_int_equal(parse("", true).code, 2); /* the argument is missing */
    assert_int_equal(parse("one two", true).code, 2);
}

static void test_help(void **state)
{
    (void)state;
    assert_int_equal(parse("--help", false).code, 0);
    assert_int_equal(parse("-h", true).code, 0);
    assert_false(parse("--plan --help", true).good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_given), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_argument),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
