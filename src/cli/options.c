#include "cli/options.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"

enum { WRONG_USE = 2, HELP_COLUMN = 22 };

static void print_option(const struct cli_option *option)
{
    const char *value = option->number != NULL ? " N" : option->text != NULL ? " TEXT" : "";
    int width = printf("  %s%s", option->name, value);
    printf("%*s%s", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", option->help);
    if (option->number != NULL) {
        printf(" [%" PRId64 "]", *option->number);
    }
    putchar('\n');
}

static void print_help(const struct cli_usage *usage)
{
    printf("Usage: confab %s [settings]", usage->command);
    if (usage->option_count > 0) {
        fputs(" [flags]", stdout);
    }
    if (usage->argument_name != NULL) {
        printf(usage->argument_required ? " %s" : " [%s]", usage->argument_name);
    }
    printf("\n\n%s\n", usage->about);
    if (usage->option_count > 0) {
        fputs("\nFlags:\n", stdout);
    }
    for (size_t i = 0; i < usage->option_count; i++) {
        print_option(&usage->options[i]);
    }
    fputs("\n`confab --help` has the settings.\n", stdout);
}

static int refuse(const struct cli_usage *usage, const char *what, const char *word)
{
    return cli_fail(WRONG_USE, "%s %s \"%s\"; see `confab %s --help`.", usage->command, what, word,
                    usage->command);
}

static const struct cli_option *find_option(const struct cli_usage *usage, struct str name)
{
    for (size_t i = 0; i < usage->option_count; i++) {
        if (str_eq(name, str_of(usage->options[i].name))) {
            return &usage->options[i];
        }
    }
    return NULL;
}

static bool set_option(const struct cli_option *option, const char *value, int *code)
{
    if (!utf8_valid(str_of(value), NULL)) {
        *code = cli_fail(WRONG_USE, "the value of %s is not UTF-8.", option->name);
        return false;
    }
    if (option->text != NULL) {
        *option->text = value;
        return true;
    }
    if (!str_to_i64(str_of(value), option->number) || *option->number < option->min ||
        *option->number > option->max) {
        *code = cli_fail(WRONG_USE,
                         "%s takes a whole number from %" PRId64 " to %" PRId64 ", not \"%s\".",
                         option->name, option->min, option->max, value);
        return false;
    }
    return true;
}

/* The flag at argv[*at], and the value that may stand behind it. */
static bool take_flag(const struct cli *cli, const struct cli_usage *usage, int *at, int *code)
{
    const char *word = cli->argv[*at];
    struct str value = str_of(word);
    struct str name = str_cut(&value, '=');
    const struct cli_option *option = find_option(usage, name);
    if (option == NULL) {
        *code = refuse(usage, "takes no flag", word);
        return false;
    }
    if (option->on != NULL) {
        *option->on = true;
        if (value.p != NULL) {
            *code = refuse(usage, "has a flag that takes no value:", word);
        }
        return value.p == NULL;
    }
    if (value.p == NULL && *at + 1 == cli->argc) {
        *code = cli_fail(WRONG_USE, "%s needs a value.", option->name);
        return false;
    }
    return set_option(option, value.p != NULL ? value.p : cli->argv[++*at], code);
}

static bool take_argument(const struct cli_usage *usage, const char *word, int *code)
{
    if (usage->argument_name == NULL || *usage->argument != NULL ||
        !utf8_valid(str_of(word), NULL)) {
        *code = refuse(usage, "takes no argument", word);
        return false;
    }
    *usage->argument = word;
    return true;
}

bool cli_parse(const struct cli *cli, const struct cli_usage *usage, int *code)
{
    bool only_arguments = false;
    for (int i = 0; i < cli->argc; i++) {
        struct str word = str_of(cli->argv[i]);
        bool good = true;
        if (only_arguments || word.n == 0 || word.p[0] != '-') {
            good = take_argument(usage, cli->argv[i], code);
        } else if (str_eq(word, STR("--"))) {
            only_arguments = true;
        } else if (str_eq(word, STR("--help")) || str_eq(word, STR("-h"))) {
            print_help(usage);
            *code = 0;
            return false;
        } else {
            good = take_flag(cli, usage, &i, code);
        }
        if (!good) {
            return false;
        }
    }
    if (usage->argument_required && *usage->argument == NULL) {
        *code = cli_fail(WRONG_USE, "%s needs a %s; see `confab %s --help`.", usage->command,
                         usage->argument_name, usage->command);
        return false;
    }
    return true;
}
