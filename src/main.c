/* The program `confab`: settings, then a command. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/cli.h"

static const struct command {
    const char *name;
    int (*run)(struct cli *cli);
    const char *help; /* NULL: not for people */
} commands[] = {
    {"serve", cli_serve, "run the server"},
    {"migrate", cli_migrate,
     "bring the database up to date, or back: migrate [target] [--plan] [--list]"},
    {"createsuperuser", cli_createsuperuser,
     "make an admin: asks, or --email --username --noinput"},
    {"changepassword", cli_changepassword, "set a user's password: changepassword USER"},
    {"check", cli_check, "check settings and database; --deploy: is it fit for production?"},
    {"seed-demo", cli_seed_demo,
     "fill an empty database: --users N --conversations N --messages N"},
    {"move", cli_move, "copy a database into another: move --from URL --to URL"},
    {"import-django", cli_import_django,
     "take over a database of the Django app: import-django URL"},
    {"openapi", cli_openapi, "print the OpenAPI document: --format json or yaml"},
    {"configuration", cli_configuration,
     "print the settings in force; --markdown: their documentation"},
    {"version", cli_version, "print the version"},
};

extern char **environ;

static int help(FILE *out, int code)
{
    fputs("Usage: confab COMMAND [settings] [arguments]\n\nCommands:\n", out);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].help);
    }
    fputc('\n', out);
    conf_print_help(out);
    return code;
}

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum log_level)i;
        }
    }
    return LOG_INFO;
}

static int run(struct cli *cli, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].run(cli);
        }
    }
    return cli_fail(2, "there is no command \"%s\"; see `confab --help`.", name);
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct conf conf;
    struct buf error;
    umask(077); /* what it writes (database, key) is for its user alone */
    arena_init(&arena);
    buf_init(&error, 4096);
    conf_init(&conf);
    int code;
    if (argc < 2) {
        code = help(stderr, 2);
    } else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
               strcmp(argv[1], "help") == 0) {
        code = help(stdout, 0);
    } else if (!conf_load(&conf, &arena, &argc, argv, environ, &error)) {
        code = cli_fail(2, "%.*s", STR_ARG(buf_view(&error)));
    } else if (argc < 2) {
        code = help(stderr, 2);
    } else {
        log_set_level(level_of(conf.log_level));
        struct cli cli = {&conf, &arena, argc - 2, argv + 2};
        code = run(&cli, argv[1]);
    }
    buf_fini(&error);
    arena_fini(&arena);
    return code;
}
