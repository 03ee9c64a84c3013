/* confab openapi: the document of /api/schema/ on standard output. */
#include <stdio.h>

#include "cli/options.h"
#include "web/openapi.h"
#include "json/write.h"
#include "json/yaml.h"

static bool print(const struct conf *conf, bool as_yaml)
{
    struct buf json;
    struct buf text;
    buf_init(&json, OPENAPI_BYTES_MAX);
    buf_init(&text, OPENAPI_BYTES_MAX);
    openapi_write(conf, &json);
    if (as_yaml) {
        yaml_from_json(&text, buf_view(&json));
    } else {
        json_indent(&text, buf_view(&json), 2);
        buf_char(&text, '\n');
    }
    bool good = !json.failed && !text.failed && fwrite(text.p, 1, text.n, stdout) == text.n;
    buf_fini(&json);
    buf_fini(&text);
    return good;
}

int cli_openapi(struct cli *cli)
{
    const char *format = "json";
    const struct cli_option options[] = {
        {.name = "--format", .text = &format, .help = "json or yaml"},
    };
    const struct cli_usage usage = {.command = "openapi",
                                    .about = "Prints the OpenAPI 3.1 document of the API.",
                                    .options = options,
                                    .option_count = COUNT_OF(options)};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    bool as_yaml = strcmp(format, "yaml") == 0;
    if (!as_yaml && strcmp(format, "json") != 0) {
        return cli_fail(2, "openapi has the formats json and yaml, not \"%s\".", format);
    }
    return print(cli->conf, as_yaml) ? 0 : cli_fail(1, "the document could not be written.");
}
