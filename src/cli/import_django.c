#include "cli/cli.h"
int cli_import_django(struct cli *cli)
{
    (void)cli;
    return 1;
}
