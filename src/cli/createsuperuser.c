/* confab createsuperuser: makes an admin. Works beside a running server: its own transaction is one
 * more commit to it. */
#include <stdio.h>

#include "base/clock.h"
#include "chat/name.h"
#include "cli/account.h"
#include "cli/database.h"
#include "cli/options.h"
#include "crypto/password.h"

static const char about[] =
    "Makes an account that is an admin. Asks for what the flags do not say; with\n"
    "--noinput it asks nothing and takes the password from the environment:\n"
    "CONFAB_SUPERUSER_PASSWORD, or DJANGO_SUPERUSER_PASSWORD.";

static const char *const password_names[] = {"CONFAB_SUPERUSER_PASSWORD",
                                             "DJANGO_SUPERUSER_PASSWORD"};

struct maker {
    struct cli_call c;
    struct terminal terminal;
    struct account_draft draft;
    bool noinput;
};

/* Looks at the names in `draft` in a snapshot of their own, and says what is wrong. */
static enum err check_names(struct maker *m, const struct account_draft *draft, bool *good)
{
    struct call *call = &m->c.call;
    enum err e = db_begin_read(call->db);
    if (e != ERR_OK) {
        return e;
    }
    e = chat_account_check(call, draft);
    db_rollback(call->db); /* nothing was written */
    *good = !cli_call_complain(&m->c);
    return e == ERR_INVALID ? ERR_OK : e;
}

/* Asks until the answer is one that can be taken; a pipe is asked once. False: no answer, or *e. */
static bool ask_email(struct maker *m, enum err *e)
{
    bool good = false;
    do {
        struct account_draft draft = {0};
        if (!terminal_ask(&m->terminal, m->c.call.arena, "Email address: ", false, &draft.email)) {
            return false;
        }
        draft.email = str_trim(draft.email);
        if (draft.email.n == 0) {
            (void)cli_fail(1, "an e-mail address is needed.");
            continue;
        }
        *e = check_names(m, &draft, &good);
        m->draft.email = draft.email;
    } while (*e == ERR_OK && !good && m->terminal.is_person);
    return *e == ERR_OK && good;
}

static bool ask_username(struct maker *m, enum err *e)
{
    struct arena *a = m->c.call.arena;
    struct str proposed = username_from_email(a, m->draft.email);
    const char *prompt =
        arena_printf(a, "Username (leave blank to use '%.*s'): ", STR_ARG(proposed)).p;
    bool good = false;
    do {
        struct account_draft draft = {0};
        if (!terminal_ask(&m->terminal, a, prompt, false, &draft.username)) {
            return false;
        }
        draft.username = str_trim(draft.username);
        if (draft.username.n == 0) {
            draft.username = proposed;
        }
        *e = check_names(m, &draft, &good);
        m->draft.username = draft.username;
    } while (*e == ERR_OK && !good && m->terminal.is_person);
    return *e == ERR_OK && good;
}

static bool bypasses(struct maker *m)
{
    struct str answer = STR("");
    return m->terminal.is_person &&
           terminal_ask(&m->terminal, m->c.call.arena,
                        "Bypass password validation and create user anyway? [y/N]: ", false,
                        &answer) &&
           str_eq_nocase(str_trim(answer), STR("y"));
}

static bool ask_password(struct maker *m)
{
    const struct user like = {.username = m->draft.username, .email = m->draft.email};
    do {
        enum cli_password got = cli_ask_password(&m->c, &m->terminal, &like, &m->draft.password);
        if (got == CLI_PASSWORD_GOOD || (got == CLI_PASSWORD_WEAK && bypasses(m))) {
            return true;
        }
        if (got == CLI_PASSWORD_END) {
            return false;
        }
    } while (m->terminal.is_person);
    return false;
}

/* False: the command has failed; a sentence is printed unless *e says so. */
static bool complete_draft(struct maker *m, enum err *e)
{
    bool good = true;
    if (m->noinput) {
        if (!cli_password_from_environment(password_names, COUNT_OF(password_names),
                                           &m->draft.password)) {
            return false;
        }
        *e = check_names(m, &m->draft, &good);
        return *e == ERR_OK && good;
    }
    if (m->draft.email.n > 0 || m->draft.username.n > 0) {
        *e = check_names(m, &m->draft, &good);
        if (*e != ERR_OK || !good) {
            return false;
        }
    }
    return (m->draft.email.n > 0 || ask_email(m, e)) &&
           (m->draft.username.n > 0 || ask_username(m, e)) && ask_password(m);
}

static enum err store(struct maker *m, struct user *user)
{
    struct call *call = &m->c.call;
    struct str hash =
        password_hash(call->arena, m->draft.password, call->limits->password_iterations);
    enum err e = cli_begin_write(call->db);
    if (e != ERR_OK) {
        return e;
    }
    call->now_us = clock_now_us(); /* a person may have taken his time */
    m->draft.role = ROLE_ADMIN;
    e = chat_account_create(call, &m->draft, hash, user);
    if (e == ERR_OK) {
        return db_commit(call->db);
    }
    db_rollback(call->db);
    return e;
}

static int make(struct maker *m)
{
    struct user user;
    enum err e = ERR_OK;
    bool complete = complete_draft(m, &e);
    if (complete) {
        e = store(m, &user);
    }
    if (e == ERR_INVALID) {
        (void)cli_call_complain(&m->c); /* taken by somebody in the meantime */
        return 1;
    }
    if (e != ERR_OK) {
        return cli_fail_database(e);
    }
    if (!complete) {
        return 1;
    }
    printf("Superuser %.*s <%.*s> created.\n", STR_ARG(user.username), STR_ARG(user.email));
    return 0;
}

int cli_createsuperuser(struct cli *cli)
{
    struct maker m = {0};
    struct db *db = NULL;
    const char *email = "";
    const char *username = "";
    struct str problem = STR("");
    const struct cli_option options[] = {
        {.name = "--email", .text = &email, .help = "e-mail address"},
        {.name = "--username",
         .text = &username,
         .help = "name; left out with --noinput: made of the e-mail address"},
        {.name = "--noinput", .on = &m.noinput, .help = "ask nothing"},
    };
    const struct cli_usage usage = {.command = "createsuperuser",
                                    .about = about,
                                    .options = options,
                                    .option_count = COUNT_OF(options)};
    int code;
    if (!cli_parse(cli, &usage, &code)) {
        return code;
    }
    m.draft.email = str_trim(str_of(email));
    m.draft.username = str_trim(str_of(username));
    if (m.noinput && m.draft.email.n == 0) {
        return cli_fail(2, "createsuperuser --noinput needs --email.");
    }
    if (cli_open_database(cli, &db, &problem) != ERR_OK) {
        return cli_fail(1, "%.*s", STR_ARG(problem));
    }
    cli_call_init(&m.c, cli, db);
    terminal_init(&m.terminal);
    code = make(&m);
    db_close(db);
    return code;
}
