/* confab version. */
#include <stdio.h>

#include "cli/options.h"

int cli_version(struct cli *cli)
{
    const struct cli_usage usage = {.command = "version", .about = "Prints the version."};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    puts("confab " CONFAB_VERSION);
    return 0;
}
