/* confab configuration: the settings in force, or docs/configuration.md. */
#include <stdio.h>

#include "cli/options.h"

static const char about[] =
    "Prints every setting, its value and where that is from; of a secret only whether\n"
    "it is set.";

static const char page_head[] =
    "# Settings\n"
    "\n"
    "This page is printed by `confab configuration --markdown` from the table that parses the\n"
    "settings (`src/base/conf_table.c`); do not edit it by hand.\n"
    "\n"
    "None has to be set. A setting is looked for in this order; the first that has it counts:\n"
    "\n"
    "1. the flag: `confab serve --http-threads 4` or `--http-threads=4`; a switch is "
    "`--debug`, its\n"
    "   opposite `--no-debug`\n"
    "2. the environment: `HTTP_THREADS=4`\n"
    "3. the file `.env` in the working folder (or the one that `ENV_FILE` names): lines of\n"
    "   `NAME=value`, as django-environ reads them\n"
    "4. the default\n"
    "\n"
    "A value that cannot be taken stops every command with one sentence that names the setting,\n"
    "where it is from, and what to do. `confab configuration` prints what is in "
    "force and where it\n"
    "is from; `confab check --deploy` warns of what is unwise on a server that others reach.\n"
    "\n"
    "A secret (`SECRET_KEY`, passwords) is never taken from a flag: other users of "
    "the machine see\n"
    "command lines. The passwords of `confab createsuperuser --noinput` and `confab "
    "changepassword\n"
    "--noinput` are read from `CONFAB_SUPERUSER_PASSWORD` and `CONFAB_PASSWORD`; "
    "they are no settings\n"
    "and not looked for in `.env`.\n"
    "\n";

int cli_configuration(struct cli *cli)
{
    bool markdown = false;
    const struct cli_option options[] = {
        {.name = "--markdown", .on = &markdown, .help = "print docs/configuration.md instead"},
    };
    const struct cli_usage usage = {.command = "configuration",
                                    .about = about,
                                    .options = options,
                                    .option_count = COUNT_OF(options)};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    if (markdown) {
        fputs(page_head, stdout);
        conf_print_markdown(stdout);
    } else {
        conf_print_values(cli->conf, stdout);
    }
    return 0;
}
