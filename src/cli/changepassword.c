/* confab changepassword: sets the password of a user and ends his sessions. Works beside a running
 * server. */
#include <stdio.h>

#include "base/clock.h"
#include "chat/login.h"
#include "cli/account.h"
#include "cli/database.h"
#include "cli/options.h"
#include "crypto/password.h"
#include "store/user.h"

enum { TRIES = 3 };

static const char about[] =
    "Sets the password of a user (id, username or e-mail address) and signs all devices\n"
    "out. Asks twice, or reads two lines from a pipe; with --noinput it takes the\n"
    "password from the environment: CONFAB_PASSWORD, or the variables of createsuperuser.";

static const char *const password_names[] = {"CONFAB_PASSWORD", "CONFAB_SUPERUSER_PASSWORD",
                                             "DJANGO_SUPERUSER_PASSWORD"};

static bool get_password(struct cli_call *c, const struct user *user, bool noinput, struct str *out)
{
    struct terminal terminal;
    if (noinput) {
        return cli_password_from_environment(password_names, COUNT_OF(password_names), out) &&
               cli_password_is_good(c, *out, user);
    }
    terminal_init(&terminal);
    if (terminal.is_person) {
        printf("Changing password for user '%.*s'\n", STR_ARG(user->username));
        fflush(stdout);
    }
    for (int i = 0; i < TRIES; i++) {
        enum cli_password got = cli_ask_password(c, &terminal, user, out);
        if (got == CLI_PASSWORD_GOOD || got == CLI_PASSWORD_END || !terminal.is_person) {
            return got == CLI_PASSWORD_GOOD;
        }
    }
    (void)cli_fail(1, "nothing was changed after %d tries.", TRIES);
    return false;
}

static enum err store(struct cli_call *c, const struct user *user, struct str password)
{
    struct call *call = &c->call;
    struct str hash = password_hash(call->arena, password, call->limits->password_iterations);
    enum err e = cli_begin_write(call->db);
    if (e != ERR_OK) {
        return e;
    }
    call->now_us = clock_now_us(); /* a person may have taken his time */
    e = chat_password_set(call, user->id, hash, (struct uuid){{0}});
    if (e == ERR_OK) {
        return db_commit(call->db);
    }
    db_rollback(call->db);
    return e;
}

static int change(struct cli_call *c, const char *who, bool noinput)
{
    struct user user;
    struct str password;
    bool found = false;
    enum err e = store_user_find(c->call.db, c->call.arena, str_trim(str_of(who)), &user, &found);
    if (e != ERR_OK) {
        return cli_fail_database(e);
    }
    if (!found) {
        return cli_fail(1, "there is no user \"%s\".", who);
    }
    if (!get_password(c, &user, noinput, &password)) {
        return 1;
    }
    e = store(c, &user, password);
    if (e != ERR_OK) {
        return cli_fail_database(e);
    }
    printf("Password changed for user '%.*s'; all devices are signed out.\n",
           STR_ARG(user.username));
    return 0;
}

int cli_changepassword(struct cli *cli)
{
    struct cli_call c;
    struct db *db = NULL;
    const char *who = NULL;
    bool noinput = false;
    struct str problem = STR("");
    const struct cli_option options[] = {
        {.name = "--noinput", .on = &noinput, .help = "ask nothing"},
    };
    const struct cli_usage usage = {.command = "changepassword",
                                    .about = about,
                                    .options = options,
                                    .option_count = COUNT_OF(options),
                                    .argument_name = "USER",
                                    .argument = &who,
                                    .argument_required = true};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    if (cli_open_database(cli, &db, &problem) != ERR_OK) {
        return cli_fail(1, "%.*s", STR_ARG(problem));
    }
    cli_call_init(&c, cli, db);
    code = change(&c, who, noinput);
    db_close(db);
    return code;
}
