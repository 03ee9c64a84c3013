/* confab check: would the server start, and is it wise to let others reach it? Each finding has a
 * code that does not change. */
#include <stdio.h>

#include "base/conf_advice.h"
#include "cli/database.h"
#include "cli/options.h"
#include "store/queries.h"

static const char about[] =
    "Opens the database, prepares every query, and looks at the migrations. Settings\n"
    "that cannot be taken stop it as they stop every command. The exit code is 1 if\n"
    "there is an error, 0 if there are warnings only.";

enum { FINDINGS_MAX = 32 };

struct finding {
    const char *code; /* "confab.W001" */
    struct str text;
};

struct report {
    struct cli *cli;
    struct finding errors[FINDINGS_MAX];
    struct finding warnings[FINDINGS_MAX];
    size_t error_count;
    size_t warning_count;
};

static void warn(struct report *r, const char *code, struct str text)
{
    if (r->warning_count < FINDINGS_MAX) {
        r->warnings[r->warning_count++] = (struct finding){code, text};
    }
}

static void complain(struct report *r, const char *code, struct str text)
{
    if (r->error_count < FINDINGS_MAX) {
        r->errors[r->error_count++] = (struct finding){code, text};
    }
}

/* ------- the database ------- */

static void check_queries(struct report *r)
{
    struct db *db = NULL;
    struct str problem = STR("");
    const struct db_options options = {.queries = store_queries,
                                       .busy_timeout_ms = r->cli->conf->db_busy_timeout_ms};
    if (db_open(cli_database_url(r->cli), &options, &db, r->cli->arena, &problem) != ERR_OK) {
        complain(r, "confab.E001", problem);
        return;
    }
    if (db_prepare_all(db) != ERR_OK) {
        complain(r, "confab.E003",
                 STR("A query does not fit the database (the log says which): its tables were "
                     "changed by something else than `confab migrate`."));
    }
    db_close(db);
}

static void report_unmigrated(struct report *r, struct str what)
{
    struct str text = arena_printf(
        r->cli->arena, "%.*s; `confab migrate` sees to it%s.", STR_ARG(what),
        r->cli->conf->auto_migrate ? ", and so does the next start of the server" : "");
    if (r->cli->conf->auto_migrate) {
        warn(r, "confab.W001", text);
    } else {
        complain(r, "confab.E002", text);
    }
}

static void check_database(struct report *r)
{
    struct cli *cli = r->cli;
    struct db *db;
    struct migrations all;
    struct str problem = STR("");
    if (!cli_database_exists(cli)) {
        report_unmigrated(r, arena_printf(cli->arena, "There is no database at %s yet",
                                          cli->conf->database_name));
        return;
    }
    if (cli_open_migrations(cli, cli_database_url(cli), &db, &all, &problem) != ERR_OK) {
        complain(r, "confab.E001", problem);
        return;
    }
    db_close(db);
    if (all.applied < all.count) {
        report_unmigrated(r, arena_printf(cli->arena, "%zu of %zu migrations are not applied",
                                          all.count - all.applied, all.count));
        return;
    }
    check_queries(r);
}

/* ------- settings ------- */

static void take_advice(void *context, const struct conf_advice *advice)
{
    warn(context, advice->code, advice->text);
}

static void check_settings(struct report *r, bool deploy)
{
    struct str problem;
    if (!cli_replica_fits(r->cli->conf, &problem)) {
        complain(r, "confab.E004", problem);
    }
    conf_advise(r->cli->conf, deploy, r->cli->arena, take_advice, r);
}

/* ------- the command ------- */

static void print_findings(const char *title, const struct finding *list, size_t count)
{
    if (count == 0) {
        return;
    }
    fprintf(stderr, "\n%s:\n", title);
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%s: %.*s\n", list[i].code, STR_ARG(list[i].text));
    }
}

static int print_report(const struct report *r)
{
    size_t count = r->error_count + r->warning_count;
    if (count == 0) {
        puts("System check identified no issues.");
        return 0;
    }
    fputs("System check identified some issues:\n", stderr);
    print_findings("ERRORS", r->errors, r->error_count);
    print_findings("WARNINGS", r->warnings, r->warning_count);
    fprintf(stderr, "\nSystem check identified %zu issue%s.\n", count, count == 1 ? "" : "s");
    return r->error_count > 0 ? 1 : 0;
}

int cli_check(struct cli *cli)
{
    struct report report = {.cli = cli};
    bool deploy = false;
    const struct cli_option options[] = {
        {.name = "--deploy", .on = &deploy, .help = "warn of what is unwise in production"},
    };
    const struct cli_usage usage = {
        .command = "check", .about = about, .options = options, .option_count = COUNT_OF(options)};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    check_database(&report);
    check_settings(&report, deploy);
    return print_report(&report);
}
