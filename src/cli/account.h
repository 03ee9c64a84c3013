/* What createsuperuser and changepassword share: a call to chat/ without a request, and asking for
 * a password. */
#pragma once

#include "chat/account.h"
#include "cli/cli.h"
#include "cli/terminal.h"

struct cli_call {
    struct call call; /* nobody calls, as far as rights go; call.db is set */
    struct chat_limits limits;
    struct problems problems;
};

void cli_call_init(struct cli_call *c, struct cli *cli, struct db *db);
/* Prints what is wrong, a line each, and forgets it. False: nothing was. */
bool cli_call_complain(struct cli_call *c);

/* The first of these variables that is set. False: none, and a sentence has been printed. */
bool cli_password_from_environment(const char *const *names, size_t count, struct str *out) CHECKED;

enum cli_password { CLI_PASSWORD_GOOD, CLI_PASSWORD_WEAK, CLI_PASSWORD_DIFFERS, CLI_PASSWORD_END };

/* Asks twice, judges with Django's validators against `user`, and prints what they say. END: there
 * is nobody to ask any more. */
enum cli_password cli_ask_password(struct cli_call *c, struct terminal *t, const struct user *user,
                                   struct str *out) CHECKED;
/* Judges only. */
bool cli_password_is_good(struct cli_call *c, struct str password, const struct user *user);
