#include "cli/account.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "chat/login.h"

void cli_call_init(struct cli_call *c, struct cli *cli, struct db *db)
{
    const struct conf *conf = cli->conf;
    c->limits = (struct chat_limits){
        .participants_max = conf->participants_max,
        .sessions_per_user_max = conf->sessions_per_user_max,
        .password_iterations = conf->password_iterations,
    };
    c->call = (struct call){.db = db,
                            .arena = cli->arena,
                            .now_us = clock_now_us(),
                            .limits = &c->limits,
                            .problems = &c->problems};
    problems_init(&c->problems, cli->arena);
}

bool cli_call_complain(struct cli_call *c)
{
    bool any = c->problems.first != NULL;
    for (const struct problem *p = c->problems.first; p != NULL; p = p->next) {
        (void)cli_fail(1, "%s: %.*s", p->field, STR_ARG(p->text));
    }
    problems_init(&c->problems, c->call.arena);
    return any;
}

bool cli_password_from_environment(const char *const *names, size_t count, struct str *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        *out = str_of(value);
        if (!utf8_valid(*out, NULL) || out->n >= TERMINAL_LINE_MAX) {
            (void)cli_fail(1, "the password in %s is not UTF-8, or too long.", names[i]);
            return false;
        }
        return true;
    }
    (void)cli_fail(1, "--noinput takes the password from the environment: set %s.", names[0]);
    return false;
}

bool cli_password_is_good(struct cli_call *c, struct str password, const struct user *user)
{
    chat_password_judge(&c->call, "password", password, user);
    return !cli_call_complain(c);
}

enum cli_password cli_ask_password(struct cli_call *c, struct terminal *t, const struct user *user,
                                   struct str *out)
{
    struct str again;
    struct arena *a = c->call.arena;
    if (!terminal_ask(t, a, "Password: ", true, out) ||
        !terminal_ask(t, a, "Password (again): ", true, &again)) {
        return CLI_PASSWORD_END;
    }
    if (!str_eq(*out, again)) {
        (void)cli_fail(1, "the two passwords are not the same.");
        return CLI_PASSWORD_DIFFERS;
    }
    if (out->n == 0) {
        (void)cli_fail(1, "the password is empty.");
        return CLI_PASSWORD_DIFFERS;
    }
    return cli_password_is_good(c, *out, user) ? CLI_PASSWORD_GOOD : CLI_PASSWORD_WEAK;
}
