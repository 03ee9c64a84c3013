/* What admins alone do with accounts and sessions, beside what they may do where others do it too
 * (chat/account.h, chat/conversation.h, chat/message.h). That the caller is an admin is the route's to
 * see to. Each change is in the audit log. */
#pragma once

#include "chat/account.h"
#include "store/model.h"

/* chat_account_create(). `password_hash` absent: nobody can log in until a password is set. */
enum err chat_admin_create_user(struct call *c, const struct account_draft *draft,
                                struct str password_hash, struct user *out) CHECKED;
/* Sets it and ends the user's sessions and Tokens, but for the one the caller uses. */
enum err chat_admin_set_password(struct call *c, const struct user *user, struct str password_hash)
    CHECKED;

/* Ends all of the user's sessions and Tokens, but for the one the caller uses. */
enum err chat_admin_end_sessions(struct call *c, const struct user *user) CHECKED;
/* A live session or Token, whosever it is. ERR_NOT_FOUND. */
enum err chat_admin_find_session(struct call *c, struct uuid id, struct session *out) CHECKED;
enum err chat_admin_end_session(struct call *c, struct session *session) CHECKED;

/* Puts background work back in its place (store/job.h). */
enum err chat_admin_retry(struct call *c, struct uuid id) CHECKED;
