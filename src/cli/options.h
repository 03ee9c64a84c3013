/* A command's own flags and its argument, by a table that is its `--help` too. */
#pragma once

#include "cli/cli.h"

/* Exactly one of the three targets is set; what it holds before is the default. */
struct cli_option {
    const char *name; /* "--users" */
    bool *on;
    const char **text;
    int64_t *number;
    int64_t min, max; /* of a number */
    const char *help; /* one line */
};

struct cli_usage {
    const char *command; /* "migrate" */
    const char *about;   /* a sentence or more, in lines of at most 80 characters */
    const struct cli_option *options;
    size_t option_count;
    const char *argument_name; /* "TARGET"; NULL: the command takes none */
    const char **argument;     /* where it goes */
    bool argument_required;
};

/* False: the command is over and *code is its exit code: help was asked for, or what stands there
 * is wrong. Text that gets through is UTF-8. */
bool cli_parse(const struct cli *cli, const struct cli_usage *usage, int *code) CHECKED;
