/* Accounts: who may be found, made, changed and deleted, and by whom. */
#pragma once

#include "chat/call.h"
#include "store/user.h"

/* ------- finding and showing ------- */

/* By id, username or e-mail address; the address counts only where the caller may see it. */
enum err chat_account_find(struct call *c, struct str ref, struct user *out, bool *found) CHECKED;
/* May the caller see this user's e-mail address and phone number? */
bool chat_account_contacts_visible(struct call *c, const struct user *user);
/* His own, or he is an admin; else ERR_FORBIDDEN. */
enum err chat_account_may_change(const struct call *c, const struct user *user) CHECKED;

/* Adds the words of `text` to the filter: people who have a word that begins so for each. Text
 * without a letter finds nobody. */
void chat_account_search(struct call *c, struct str text, struct user_filter *filter);

/* ------- making ------- */

struct account_draft {
    struct str username; /* empty: made of the e-mail's local part */
    struct str email;
    struct str first_name;
    struct str last_name;
    struct str phone_number;
    enum role role;
    struct str password; /* for the check only */
};

/* What is wrong with the draft goes into c->problems: the names' form, whether they are taken, the
 * password. Of a field that has a problem already, and of what is empty, nothing is said. Reads
 * only. ERR_INVALID if there is any problem, of whatever source. */
enum err chat_account_check(struct call *c, const struct account_draft *draft) CHECKED;

/* Stores it, with password_hash() of its password (or one for many accounts). What is taken by now
 * is ERR_INVALID with its problem. */
enum err chat_account_create(struct call *c, const struct account_draft *draft,
                             struct str password_hash, struct user *out) CHECKED;
/* Stores a user as another program had him, with his id and his times. A username that is not valid
 * here, or taken, becomes one that is made of his e-mail address. ERR_CONFLICT: somebody has that
 * address already; nothing was written. */
enum err chat_account_take_over(struct call *c, struct user *user, struct str password_hash)
    CHECKED;

/* ------- changing ------- */

/* As chat_account_check, for an account that is there. */
enum err chat_account_check_change(struct call *c, const struct user *old,
                                   const struct user *changed) CHECKED;
/* Stores what differs between `old` and *changed, and completes that: role and is_active count only
 * from an admin. Who becomes a guest is a moderator nowhere any more, at once if it is few
 * conversations, else in the background. ERR_LAST_ADMIN, ERR_INVALID. What an admin changes of
 * others is audited. */
enum err chat_account_update(struct call *c, const struct user *old, struct user *changed) CHECKED;
/* Goes on where a change from host to guest left moderator's roles, with `most` of them; *over:
 * there are no more, or he is a host again, and the request is struck off. */
enum err chat_account_demote_step(struct call *c, struct uuid user_id, int64_t most, bool *over)
    CHECKED;
/* Hides the account at once, ends its sessions and memberships, passes its conversations on; what
 * it wrote is wiped, at once if it is little, else in the background. ERR_LAST_ADMIN. */
enum err chat_account_delete(struct call *c, const struct user *user) CHECKED;
/* The same for one of many in a request: hidden at once too, but what he was in and wrote is left to the
 * background. */
enum err chat_account_delete_shortly(struct call *c, const struct user *user) CHECKED;
