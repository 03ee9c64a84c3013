#include "chat/login.h"

#include <inttypes.h>

#include "crypto/hash.h"
#include "crypto/password.h"
#include "store/change.h"
#include "store/session.h"
#include "store/user.h"

#define WRONG_OLD_PASSWORD STR("Your old password was entered incorrectly. Please enter it again.")

/* Computes that many iterations for nothing, so that the time does not tell what was missing. */
static void spend_time(struct call *c, struct str password, int64_t iterations)
{
    struct str nobodys =
        arena_printf(c->arena, "pbkdf2_sha256$%" PRId64 "$%s$%s", iterations,
                     "aaaaaaaaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    bool never = password_verify(password, nobodys, NULL);
    (void)never;
}

/* `hash` absent: there is no such user. *iterations: what was computed with the stored hash. */
static bool prove(struct call *c, struct str password, struct str hash, int64_t *iterations)
{
    int64_t wanted = c->limits->password_iterations;
    bool good = password_verify(password, hash, iterations);
    if (!good && *iterations < wanted) {
        spend_time(c, password, wanted - *iterations);
    }
    return good;
}

enum err chat_login_check(struct call *c, struct str identifier, struct str password,
                          struct login *out)
{
    int64_t iterations;
    bool found;
    *out = (struct login){0};
    enum err e =
        store_user_log_in(c->db, c->arena, identifier, &out->user, &out->password_hash, &found);
    if (e != ERR_OK) {
        return e;
    }
    bool good = prove(c, password, out->password_hash, &iterations);
    if (!found || !good || !out->user.is_active) {
        return ERR_BAD_LOGIN;
    }
    if (iterations < c->limits->password_iterations) {
        out->rehash = password_hash(c->arena, password, c->limits->password_iterations);
    }
    return ERR_OK;
}

enum err chat_login_account(struct call *c, struct str identifier, struct uuid *id)
{
    struct user user;
    struct str hash;
    bool found;
    enum err e = store_user_log_in(c->db, c->arena, identifier, &user, &hash, &found);
    *id = e == ERR_OK && found ? user.id : (struct uuid){{0}};
    return e;
}

static enum err is_still_stored(struct call *c, struct uuid user_id, struct str hash, bool *yes)
{
    struct str stored;
    enum err e = store_user_password(c->db, c->arena, user_id, &stored);
    *yes = e == ERR_OK && stored.p != NULL && secret_eq(stored, hash);
    return e;
}

enum err chat_login_confirm(struct call *c, struct login *login)
{
    struct uuid id = login->user.id;
    bool found = false;
    bool same = false;
    enum err e = store_hold(c->db, id, NULL); /* who changes it has done so, or waits */
    if (e == ERR_OK) {
        e = is_still_stored(c, id, login->password_hash, &same);
    }
    if (e == ERR_OK) {
        e = store_user_get(c->db, c->arena, id, &login->user, &found);
    }
    if (e == ERR_OK && !(found && login->user.is_active)) {
        e = ERR_BAD_LOGIN;
    }
    if (e == ERR_OK && !same) {
        e = ERR_BUSY; /* changed meanwhile, perhaps by another log-in's rehash: to be tried again */
    }
    if (e == ERR_OK && login->rehash.p != NULL) {
        e = store_user_set_password(c->db, id, login->rehash);
    }
    return e;
}

struct judge {
    struct call *c;
    const char *field;
};

static void add_judgement(void *ctx, const char *text)
{
    struct judge *judge = ctx;
    problems_add(judge->c->problems, judge->field, arena_copy(judge->c->arena, str_of(text)));
}

void chat_password_judge(struct call *c, const char *field, struct str password,
                         const struct user *user)
{
    const struct password_like like[] = {
        {"username", user->username},
        {"first name", user->first_name},
        {"last name", user->last_name},
        {"email address", user->email},
    };
    password_check(password, like, COUNT_OF(like), add_judgement, &(struct judge){c, field});
}

enum err chat_password_change_check(struct call *c, struct str old_password,
                                    struct str new_password, struct password_change *out)
{
    int64_t iterations;
    *out = (struct password_change){0};
    enum err e = store_user_password(c->db, c->arena, c->me->id, &out->old_hash);
    if (e != ERR_OK) {
        return e;
    }
    if (!prove(c, old_password, out->old_hash, &iterations)) {
        problems_add(c->problems, "old_password", WRONG_OLD_PASSWORD);
    }
    chat_password_judge(c, "new_password", new_password, c->me);
    if (c->problems->first != NULL) {
        return ERR_INVALID;
    }
    out->new_hash = password_hash(c->arena, new_password, c->limits->password_iterations);
    return ERR_OK;
}

enum err chat_password_set(struct call *c, struct uuid user_id, struct str password_hash,
                           struct uuid keep_session)
{
    enum err e = store_hold(c->db, user_id, NULL); /* a log-in by the old one is over, or waits */
    if (e == ERR_OK) {
        e = store_user_set_password(c->db, user_id, password_hash);
    }
    if (e == ERR_OK) {
        e = store_session_revoke_others(c->db, user_id, keep_session, c->now_us);
    }
    return e;
}

enum err chat_password_change(struct call *c, const struct password_change *change)
{
    bool same = false;
    enum err e = store_hold(c->db, c->me->id, NULL);
    if (e == ERR_OK) {
        e = is_still_stored(c, c->me->id, change->old_hash, &same);
    }
    if (e == ERR_OK && !same) {
        problems_add(c->problems, "old_password", WRONG_OLD_PASSWORD);
        e = ERR_INVALID;
    }
    return e == ERR_OK ? chat_password_set(c, c->me->id, change->new_hash, c->session_id) : e;
}
