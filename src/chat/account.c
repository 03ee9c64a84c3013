#include "chat/account.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "chat/audit.h"
#include "chat/email.h"
#include "chat/login.h"
#include "chat/name.h"
#include "chat/participant.h"
#include "crypto/password.h"
#include "crypto/random.h"
#include "store/change.h"
#include "store/demotion.h"
#include "store/erasure.h"
#include "store/session.h"
#include "store/system.h"
#include "json/write.h"

enum {
    WORDS_MAX = 64,
    COUNTED_NAMES = 20,
    RANDOM_NAMES = 10,
    AUDIT_DETAIL_MAX = 4096,
    ERASED_AT_ONCE = 100,
    LEFT_AT_ONCE = 500,
    DEMOTED_AT_ONCE = 500,
    ERASED_SHORTLY = 5,
    LEFT_SHORTLY = 5,
};

static bool is_me(const struct call *c, const struct user *user)
{
    return c->me != NULL && uuid_eq(c->me->id, user->id);
}

/* --- finding and showing ------------------------------------------------------------------- */

bool chat_account_contacts_visible(struct call *c, const struct user *user)
{
    bool share = false;
    if (c->me == NULL) {
        return false;
    }
    if (is_me(c, user) || call_is_admin(c)) {
        return true;
    }
    return c->limits->contacts_for_members &&
           store_user_share(c->db, c->me->id, user->id, &share) == ERR_OK && share;
}

enum err chat_account_find(struct call *c, struct str ref, struct user *out, bool *found)
{
    enum err e = store_user_find(c->db, c->arena, ref, out, found);
    if (e == ERR_OK && *found && str_contains_byte(ref, '@')) {
        *found = chat_account_contacts_visible(c, out);
    }
    return e;
}

enum err chat_account_may_change(const struct call *c, const struct user *user)
{
    return is_me(c, user) || call_is_admin(c) ? ERR_OK : ERR_FORBIDDEN;
}

void chat_account_search(struct call *c, struct str text, struct user_filter *filter)
{
    filter->private_words = call_is_admin(c);
    filter->word_count = name_words(c->arena, text, filter->words, USER_WORDS_MAX);
    if (filter->word_count == 0) {
        filter->words[filter->word_count++] = text; /* no word begins so */
    }
}

/* --- checking ------------------------------------------------------------------------------ */

static bool has_problem(const struct call *c, const char *field)
{
    for (const struct problem *p = c->problems->first; p != NULL; p = p->next) {
        if (strcmp(p->field, field) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_others(struct uuid owner, struct uuid id)
{
    return !uuid_is_zero(owner) && !uuid_eq(owner, id);
}

/* `id`: of the account that the name is for; zero for a new one. */
static enum err check_username(struct call *c, struct uuid id, struct str username)
{
    struct uuid owner;
    if (username.n == 0 || has_problem(c, "username")) {
        return ERR_OK;
    }
    if (!username_valid(username)) {
        problems_add(c->problems, "username",
                     STR("Enter a valid username. This value may contain only letters, numbers, "
                         "and ./+/-/_ characters."));
        return ERR_OK;
    }
    enum err e = store_user_by_username(c->db, username_key(c->arena, username), &owner);
    if (e == ERR_OK && is_others(owner, id)) {
        problems_add(c->problems, "username", STR("user with this username already exists."));
    }
    return e;
}

static enum err check_email(struct call *c, struct uuid id, struct str email)
{
    struct uuid owner;
    if (email.n == 0 || has_problem(c, "email")) {
        return ERR_OK;
    }
    if (!email_valid(email) || utf8_length(email) > EMAIL_LENGTH_MAX) {
        problems_add(c->problems, "email", STR("Enter a valid email address."));
        return ERR_OK;
    }
    enum err e = store_user_by_email(c->db, email_key(c->arena, email), &owner);
    if (e == ERR_OK && is_others(owner, id)) {
        problems_add(c->problems, "email", STR("user with this email already exists."));
    }
    return e;
}

static enum err check_names(struct call *c, struct uuid id, struct str username, struct str email)
{
    enum err e = check_email(c, id, email);
    if (e == ERR_OK) {
        e = check_username(c, id, username);
    }
    return e == ERR_OK && c->problems->first != NULL ? ERR_INVALID : e;
}

enum err chat_account_check(struct call *c, const struct account_draft *draft)
{
    const struct user like = {
        .username = draft->username,
        .email = draft->email,
        .first_name = draft->first_name,
        .last_name = draft->last_name,
    };
    if (draft->password.n > 0 && !has_problem(c, "password")) {
        chat_password_judge(c, "password", draft->password, &like);
    }
    return check_names(c, (struct uuid){{0}}, draft->username, draft->email);
}

/* Names that stay are not judged: they may come from a database with other rules. */
enum err chat_account_check_change(struct call *c, const struct user *old,
                                   const struct user *changed)
{
    bool same_username = str_eq(old->username, changed->username);
    bool same_email = str_eq(old->email, changed->email);
    return check_names(c, old->id, same_username ? STR("") : changed->username,
                       same_email ? STR("") : changed->email);
}

/* --- storing ------------------------------------------------------------------------------- */

static struct user_keys keys_of(struct call *c, const struct user *user)
{
    return (struct user_keys){
        .username = username_key(c->arena, user->username),
        .email = user->email.n > 0 ? email_key(c->arena, user->email) : STR_NULL,
    };
}

/* Somebody else than this transaction took a name (another process, another node). */
static enum err taken(struct call *c, enum err e)
{
    if (e != ERR_DB_UNIQUE) {
        return e;
    }
    problems_add(c->problems, "non_field_errors",
                 STR("user with this email or username already exists."));
    return ERR_INVALID;
}

static enum err store_words(struct call *c, const struct user *user)
{
    const struct str public_texts[] = {user->username, user->first_name, user->last_name};
    struct str words[WORDS_MAX];
    size_t n = 0;
    enum err e = store_user_clear_words(c->db, user->id);
    for (size_t i = 0; i < COUNT_OF(public_texts); i++) {
        n += name_words(c->arena, public_texts[i], words + n, WORDS_MAX - n);
    }
    if (e == ERR_OK) {
        e = store_user_add_words(c->db, user->id, words, n, false);
    }
    n = name_words(c->arena, user->email, words, WORDS_MAX);
    if (e == ERR_OK) {
        e = store_user_add_words(c->db, user->id, words, n, true);
    }
    return e;
}

/* --- making -------------------------------------------------------------------------------- */

static enum err add_user(struct call *c, const struct user *user, struct str password_hash)
{
    struct user_keys keys = keys_of(c, user);
    enum err e = store_user_add(c->db, user, &keys, password_hash);
    if (e == ERR_OK) {
        e = store_words(c, user);
    }
    return e == ERR_OK ? store_tally_add(c->db, TALLY_USERS, 1) : e;
}

/* "ann", "ann2", "ann3" ..., then "ann" and six random digits. */
static struct str name_candidate(struct call *c, struct str base, int attempt)
{
    uint32_t random;
    if (attempt == 0) {
        return base;
    }
    if (attempt < COUNTED_NAMES) {
        return arena_printf(c->arena, "%.*s%d", STR_ARG(base), attempt + 1);
    }
    random_bytes(&random, sizeof(random));
    return arena_printf(c->arena, "%.*s%06" PRIu32, STR_ARG(base), random % 1000000);
}

static enum err find_free_username(struct call *c, struct str email, struct str *out)
{
    struct str base = username_from_email(c->arena, email);
    for (int attempt = 0; attempt < COUNTED_NAMES + RANDOM_NAMES; attempt++) {
        struct uuid owner;
        *out = name_candidate(c, base, attempt);
        enum err e = store_user_by_username(c->db, username_key(c->arena, *out), &owner);
        if (e != ERR_OK) {
            return e;
        }
        if (uuid_is_zero(owner) && username_valid(*out)) {
            return ERR_OK;
        }
    }
    return ERR_CONFLICT;
}

static struct str or_empty(struct str text)
{
    return text.p == NULL ? STR("") : text;
}

enum err chat_account_create(struct call *c, const struct account_draft *draft,
                             struct str password_hash, struct user *out)
{
    *out = (struct user){
        .id = store_new_id(c->db),
        .username = or_empty(draft->username),
        .email = email_normalise(c->arena, or_empty(draft->email)),
        .first_name = or_empty(draft->first_name),
        .last_name = or_empty(draft->last_name),
        .phone_number = or_empty(draft->phone_number),
        .role = draft->role,
        .metadata = STR("{}"),
        .is_active = true,
        .created_at = c->now_us,
    };
    enum err e = check_names(c, out->id, out->username, out->email);
    if (e == ERR_OK && out->username.n == 0) {
        e = find_free_username(c, out->email, &out->username);
    }
    if (e != ERR_OK) {
        return e;
    }
    return taken(c, add_user(c, out, password_hash));
}

enum err chat_account_take_over(struct call *c, struct user *user, struct str password_hash)
{
    struct uuid owner = {{0}};
    const struct user_keys keys = keys_of(c, user);
    bool valid = username_valid(user->username);
    enum err e = valid ? store_user_by_username(c->db, keys.username, &owner) : ERR_OK;
    if (e == ERR_OK && (!valid || !uuid_is_zero(owner))) {
        struct str like = user->email.n > 0 ? user->email : user->username;
        e = find_free_username(c, like, &user->username);
    }
    if (e == ERR_OK && keys.email.p != NULL) {
        e = store_user_by_email(c->db, keys.email, &owner);
        e = e == ERR_OK && !uuid_is_zero(owner) ? ERR_CONFLICT : e;
    }
    return e == ERR_OK ? add_user(c, user, password_hash) : e;
}

/* --- changing ------------------------------------------------------------------------------ */

static enum err check_last_admin(struct call *c, const struct user *user)
{
    int64_t others = 0;
    if (user->role != ROLE_ADMIN || !user->is_active) {
        return ERR_OK;
    }
    enum err e = store_user_other_admins(c->db, user->id, &others);
    return e == ERR_OK && others == 0 ? ERR_LAST_ADMIN : e;
}

static bool same_names(const struct user *a, const struct user *b)
{
    return str_eq(a->username, b->username) && str_eq(a->email, b->email) &&
           str_eq(a->first_name, b->first_name) && str_eq(a->last_name, b->last_name);
}

static bool same_power(const struct user *a, const struct user *b)
{
    return a->role == b->role && a->is_active == b->is_active;
}

static bool same_rest(const struct user *a, const struct user *b)
{
    return str_eq(a->phone_number, b->phone_number) && str_eq(a->metadata, b->metadata);
}

/* {"names": true, "role": "host", "is_active": false}: what changed; of personal data only that. */
static struct str change_as_json(struct call *c, const struct user *old, const struct user *changed)
{
    struct buf text;
    struct json_out o;
    buf_init(&text, AUDIT_DETAIL_MAX);
    json_out_init(&o, &text);
    json_open_object(&o);
    if (!same_names(old, changed)) {
        json_field_bool(&o, "names", true);
    }
    if (!same_rest(old, changed)) {
        json_field_bool(&o, "other", true);
    }
    if (old->role != changed->role) {
        json_field_str(&o, "role", str_of(role_names[changed->role]));
    }
    if (old->is_active != changed->is_active) {
        json_field_bool(&o, "is_active", changed->is_active);
    }
    json_close_object(&o);
    return buf_end(&text, c->arena);
}

/* An admin's use of power over others leaves a trace. */
static enum err audit(struct call *c, const struct user *user, const char *action,
                      struct str detail)
{
    if (c->me == NULL || is_me(c, user)) {
        return ERR_OK;
    }
    return chat_audit_add(c, action, user->id, detail);
}

static enum err store_change(struct call *c, const struct user *old, const struct user *changed)
{
    struct user_keys keys = keys_of(c, changed);
    enum err e = taken(c, store_user_save(c->db, changed, &keys));
    if (e == ERR_OK && !same_names(old, changed)) {
        e = store_words(c, changed);
    }
    return e;
}

/* Only a host can be a moderator. */
static bool stops_hosting(const struct user *old, const struct user *changed)
{
    return old->role != ROLE_GUEST && changed->role == ROLE_GUEST;
}

static enum err end_moderating(struct call *c, const struct user *old, const struct user *changed)
{
    bool over = true;
    if (!stops_hosting(old, changed)) {
        return ERR_OK;
    }
    enum err e = chat_participant_demote_some(c, old->id, DEMOTED_AT_ONCE, &over);
    return e == ERR_OK && !over ? store_demotion_add(c->db, old->id, c->now_us) : e;
}

enum err chat_account_demote_step(struct call *c, struct uuid user_id, int64_t most, bool *over)
{
    struct user user;
    bool found = false;
    *over = true;
    enum err e = store_user_get(c->db, c->arena, user_id, &user, &found);
    if (e == ERR_OK && found && user.role == ROLE_GUEST) {
        e = chat_participant_demote_some(c, user_id, most, over);
    }
    return e == ERR_OK && *over ? store_demotion_end(c->db, user_id) : e;
}

static bool stops_ruling(const struct user *old, const struct user *changed)
{
    return old->role == ROLE_ADMIN && old->is_active &&
           (changed->role != ROLE_ADMIN || !changed->is_active);
}

/* Who is let in again logs in again: what was signed in before stays signed out for good. */
static enum err end_sessions(struct call *c, const struct user *old, const struct user *changed)
{
    const struct uuid none = {{0}};
    if (old->is_active == changed->is_active) {
        return ERR_OK;
    }
    return store_session_revoke_others(c->db, old->id, none, c->now_us);
}

enum err chat_account_update(struct call *c, const struct user *old, struct user *changed)
{
    enum err e = ERR_OK;
    if (!call_is_admin(c)) {
        changed->role = old->role;
        changed->is_active = old->is_active;
    }
    if (stops_hosting(old, changed) || stops_ruling(old, changed)) {
        e = store_hold_all(c->db); /* what he moderates, and other admins, may be anywhere */
    }
    changed->email = email_normalise(c->arena, changed->email);
    if (same_names(old, changed) && same_power(old, changed) && same_rest(old, changed)) {
        return ERR_OK;
    }
    if (e == ERR_OK && (changed->role != ROLE_ADMIN || !changed->is_active)) {
        e = check_last_admin(c, old);
    }
    if (e == ERR_OK) {
        e = chat_account_check_change(c, old, changed);
    }
    if (e == ERR_OK) {
        e = store_change(c, old, changed);
    }
    if (e == ERR_OK) {
        e = end_moderating(c, old, changed);
    }
    if (e == ERR_OK) {
        e = end_sessions(c, old, changed);
    }
    return e == ERR_OK ? audit(c, old, "user.update", change_as_json(c, old, changed)) : e;
}

/* --- deleting ------------------------------------------------------------------------------ */

/* The row stays, as messages refer to it, with nothing in it that says who it was. */
static enum err empty_row(struct call *c, const struct user *user)
{
    char id[UUID_TEXT];
    uuid_format(user->id, id);
    const struct user gone = {
        .id = user->id,
        .username = arena_printf(c->arena, "deleted-%.*s", UUID_TEXT, id),
        .email = STR(""),
        .first_name = STR(""),
        .last_name = STR(""),
        .phone_number = STR(""),
        .role = ROLE_GUEST,
        .metadata = STR("{}"),
        .deleted_at = c->now_us,
    };
    /* A key that no username has: nobody can take it first and so stop the deletion. */
    const struct user_keys keys = {.username = arena_printf(c->arena, "@%.*s", UUID_TEXT, id)};
    enum err e = store_user_save(c->db, &gone, &keys);
    if (e == ERR_OK) {
        e = store_user_set_password(c->db, user->id, PASSWORD_UNUSABLE);
    }
    return e == ERR_OK ? store_user_clear_words(c->db, user->id) : e;
}

/* The first messages at once, which is all of them for most people; the rest in the background. */
static enum err begin_erasure(struct call *c, const struct user *user, bool has_left, int64_t most)
{
    const struct erasure erasure = {ERASE_USER, user->id};
    struct list_key at = {.n = INT64_MIN};
    bool over;
    enum err e = store_erasure_add(c->db, "user", user->id, c->now_us);
    if (e != ERR_OK || !has_left) {
        return e;
    }
    return store_erasure_step(c->db, c->arena, c->now_us, &erasure, most, &at, &over);
}

static enum err end_everything(struct call *c, const struct user *user, int64_t leave,
                               int64_t erase)
{
    bool has_left = false;
    enum err e = chat_participant_leave_some(c, user->id, leave, &has_left);
    if (e == ERR_OK) {
        e = store_session_revoke_others(c->db, user->id, (struct uuid){{0}}, c->now_us);
    }
    return e == ERR_OK ? begin_erasure(c, user, has_left, erase) : e;
}

static enum err delete_account(struct call *c, const struct user *user, int64_t leave,
                               int64_t erase)
{
    enum err e = store_hold_all(c->db);
    if (e == ERR_OK) {
        e = check_last_admin(c, user);
    }
    if (e == ERR_OK) {
        e = end_everything(c, user, leave, erase);
    }
    if (e == ERR_OK) {
        e = empty_row(c, user);
    }
    if (e == ERR_OK) {
        e = store_tally_add(c->db, TALLY_USERS, -1);
    }
    return e == ERR_OK ? audit(c, user, "user.delete", STR("{}")) : e;
}

enum err chat_account_delete(struct call *c, const struct user *user)
{
    return delete_account(c, user, LEFT_AT_ONCE, ERASED_AT_ONCE);
}

enum err chat_account_delete_shortly(struct call *c, const struct user *user)
{
    return delete_account(c, user, LEFT_SHORTLY, ERASED_SHORTLY);
}
