/* Passwords: proving, judging and changing them. What computes a hash takes a tenth of a second and
 * more, by design: it belongs on the pool for hashes, never into the writer. */
#pragma once

#include "chat/call.h"

/* What the slow stage of a log-in found out, for the writer. */
struct login {
    struct user user;
    struct str password_hash; /* as it was stored */
    struct str rehash;        /* to store instead, as the setting has risen; absent: none */
};

/* Slow. `identifier`: username or e-mail. An unknown user, a wrong password and an inactive user
 * are all ERR_BAD_LOGIN, in the same time. */
enum err chat_login_check(struct call *c, struct str identifier, struct str password,
                          struct login *out) CHECKED;
/* Whose log-in that would be, for counting failures whatever name is used; zero: nobody's. */
enum err chat_login_account(struct call *c, struct str identifier, struct uuid *id) CHECKED;
/* In the writer: is all of it still so? Reads login->user anew, stores the rehash. ERR_BAD_LOGIN;
 * ERR_BUSY: the stored hash is another one by now, which says nothing about the password. */
enum err chat_login_confirm(struct call *c, struct login *login) CHECKED;

/* Django's validators; what they say goes into c->problems under `field`. */
void chat_password_judge(struct call *c, const char *field, struct str password,
                         const struct user *user);

struct password_change {
    struct str old_hash;
    struct str new_hash;
};

/* Slow. Proves and judges, then hashes. ERR_INVALID with problems of old_password and
 * new_password. */
enum err chat_password_change_check(struct call *c, struct str old_password,
                                    struct str new_password, struct password_change *out) CHECKED;
/* In the writer: stores it and ends the caller's other sessions and Tokens. ERR_INVALID if the
 * password has changed since. */
enum err chat_password_change(struct call *c, const struct password_change *change) CHECKED;

/* For those who may set another's: all of his sessions end but `keep_session`. */
enum err chat_password_set(struct call *c, struct uuid user_id, struct str password_hash,
                           struct uuid keep_session) CHECKED;
