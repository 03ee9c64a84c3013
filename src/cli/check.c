/* confab check: would the server start, and is it wise to let others reach it? Each finding has a
 * code that does not change. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/database.h"
#include "cli/options.h"
#include "store/queries.h"

/* As Django's security checks have it, and its default. */
enum { SECRET_KEY_LENGTH = 50, SECRET_KEY_DIFFERENT = 5, ITERATIONS_WISE = 600000 };

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

/* ------- settings that do not go together ------- */

static void check_settings(struct report *r)
{
    const struct conf *conf = r->cli->conf;
    struct str problem;
    if (!cli_replica_fits(conf, &problem)) {
        complain(r, "confab.E004", problem);
    }
    if (conf->access_token_lifetime > conf->refresh_token_lifetime) {
        warn(r, "confab.W002",
             STR("ACCESS_TOKEN_LIFETIME is longer than REFRESH_TOKEN_LIFETIME: nobody would ever "
                 "refresh."));
    }
    if (conf->refresh_grace >= conf->refresh_token_lifetime) {
        warn(r, "confab.W003",
             STR("REFRESH_GRACE is not shorter than REFRESH_TOKEN_LIFETIME: a stolen refresh "
                 "token would not be noticed."));
    }
}

/* ------- --deploy ------- */

static bool is_weak_key(const char *key)
{
    size_t different = 0;
    bool seen[256] = {false};
    for (const unsigned char *c = (const unsigned char *)key; *c != '\0'; c++) {
        different += seen[*c] ? 0 : 1;
        seen[*c] = true;
    }
    return strlen(key) < SECRET_KEY_LENGTH || different < SECRET_KEY_DIFFERENT ||
           str_starts(str_of(key), STR("django-insecure-"));
}

static bool is_open_to_others(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 && (file.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

static void check_secrets(struct report *r)
{
    const struct conf *conf = r->cli->conf;
    struct arena *a = r->cli->arena;
    if (conf->debug) {
        warn(r, "confab.W010", STR("DEBUG is on: failures show what should stay inside."));
    }
    if (conf->secret_key[0] != '\0' && is_weak_key(conf->secret_key)) {
        warn(r, "confab.W011",
             arena_printf(a,
                          "SECRET_KEY has less than %d characters, less than %d different ones, "
                          "or begins with 'django-insecure-': who guesses it can be anybody. Leave "
                          "it empty to have one made.",
                          SECRET_KEY_LENGTH, SECRET_KEY_DIFFERENT));
    }
    if (is_open_to_others(conf->data_dir)) {
        warn(r, "confab.W012",
             arena_printf(a,
                          "DATA_DIR: other users of this machine may look into %s; run "
                          "`chmod -R go= %s`.",
                          conf->data_dir, conf->data_dir));
    }
    if (conf->password_iterations < ITERATIONS_WISE) {
        warn(r, "confab.W013",
             arena_printf(a,
                          "PASSWORD_ITERATIONS is %" PRId64 ": a stolen database would be cracked "
                          "sooner than with %d.",
                          conf->password_iterations, ITERATIONS_WISE));
    }
    if (conf->auth_basic) {
        warn(r, "confab.W014",
             STR("AUTH_BASIC is on: passwords travel with every request, and each costs a hash."));
    }
}

static bool is_loopback(const char *host)
{
    struct str name = str_of(host);
    return str_starts(name, STR("127.")) || str_in_list(name, "localhost,::1");
}

static void check_reach(struct report *r)
{
    const struct conf *conf = r->cli->conf;
    if (str_in_list(STR("*"), conf->allowed_hosts)) {
        warn(r, "confab.W020",
             STR("ALLOWED_HOSTS has \"*\": links in answers may lead to any host that a client "
                 "names."));
    }
    if (strcmp(conf_source(conf, "ALLOWED_HOSTS"), "default") == 0) {
        warn(r, "confab.W021",
             STR("ALLOWED_HOSTS is not set: only requests to this machine's own name are "
                 "answered."));
    }
    if (!str_starts(str_of(conf->public_url), STR("https://"))) {
        warn(r, "confab.W022",
             STR("PUBLIC_URL does not begin with https://: tokens travel in the clear, or links "
                 "lead to where they do."));
    }
    if (!is_loopback(conf->host) && conf->trusted_proxies[0] == '\0') {
        warn(r, "confab.W023",
             STR("HOST is open to the network without TRUSTED_PROXIES: the server speaks plain "
                 "HTTP; put a proxy with TLS in front of it."));
    }
    if (strcmp(conf->cors_allowed_origins, "*") == 0) {
        warn(r, "confab.W024",
             STR("CORS_ALLOWED_ORIGINS is \"*\": any web page may call the API."));
    }
}

static void check_limits(struct report *r)
{
    const struct conf *conf = r->cli->conf;
    if (conf->throttle_login.requests == 0) {
        warn(r, "confab.W030", STR("THROTTLE_LOGIN is off: passwords can be guessed at leisure."));
    }
    if (conf->throttle_register.requests == 0 && conf->throttle_anon.requests == 0) {
        warn(r, "confab.W031",
             STR("THROTTLE_REGISTER and THROTTLE_ANON are off: anybody can make accounts without "
                 "end."));
    }
    if (conf->throttle_user.requests == 0) {
        warn(r, "confab.W032", STR("THROTTLE_USER is off: one user can keep the server busy."));
    }
    if (conf->connections_per_address_max == 0) {
        warn(r, "confab.W033",
             STR("CONNECTIONS_PER_ADDRESS_MAX is 0: one address can take all connections."));
    }
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
    check_settings(&report);
    if (deploy) {
        check_secrets(&report);
        check_reach(&report);
        check_limits(&report);
    }
    return print_report(&report);
}
