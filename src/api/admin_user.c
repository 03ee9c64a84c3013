/* admin/users/{id}/: one account, its password, its sessions. */
#include "api/admin_user.h"

#include "api/auth.h"
#include "api/json_user.h"
#include "api/registration.h"
#include "api/users.h"
#include "chat/admin.h"
#include "chat/audit.h"
#include "chat/login.h"
#include "chat/name.h"
#include "crypto/password.h"
#include "serve/page.h"
#include "store/participant.h"
#include "store/session.h"

/* ------- as JSON ------- */

#define ADMIN_USER_FIELDS                                                                          \
    SHAPE_USER_FIELDS, {.name = "role", .type = SHAPE_STRING},                                     \
    {                                                                                              \
        .name = "is_active", .type = SHAPE_BOOL                                                    \
    }

static const struct shape_field admin_user_fields[] = {ADMIN_USER_FIELDS};
const struct shape shape_admin_user = {.name = "AdminUser", FIELDS(admin_user_fields)};
const struct shape shape_admin_user_page = {
    .name = "AdminUser", FIELDS(admin_user_fields), .paged = true};

static const struct shape_field detail_fields[] = {
    ADMIN_USER_FIELDS,
    {.name = "can_log_in", .type = SHAPE_BOOL},
    {.name = "session_count", .type = SHAPE_INT},
    {.name = "conversation_count", .type = SHAPE_INT},
    {.name = "conversation_count_capped", .type = SHAPE_BOOL},
};
static const struct shape shape_admin_user_detail = {.name = "AdminUserDetail",
                                                     FIELDS(detail_fields)};

static void write_fields(struct req *r, const struct user *user)
{
    api_user_fields(r, user, role_names[user->role]);
    json_field_bool(&r->out, "is_active", user->is_active);
}

void api_write_admin_user(struct req *r, const struct user *user)
{
    json_open_object(&r->out);
    write_fields(r, user);
    json_close_object(&r->out);
}

static const struct shape_field person_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "username", .type = SHAPE_STRING, .nullable = true},
};
const struct shape shape_person = {.name = "Person", FIELDS(person_fields)};

void api_write_person(struct req *r, struct uuid id, struct str username)
{
    json_open_object(&r->out);
    json_field_uuid(&r->out, "id", id);
    json_field_str_or_null(&r->out, "username", username);
    json_close_object(&r->out);
}

/* ------- one account ------- */

static enum err answer_user(struct req *r, const struct user *user)
{
    struct call *c = &r->call;
    struct str hash;
    int64_t sessions = 0;
    int64_t conversations = 0;
    enum err e = store_user_password(c->db, c->arena, user->id, &hash);
    if (e == ERR_OK) {
        e = store_session_count(c->db, user->id, c->now_us, &sessions);
    }
    if (e == ERR_OK) {
        e = store_participant_count_some(c->db, user->id, PAGER_COUNT_MAX + 1, &conversations);
    }
    if (e != ERR_OK) {
        return e;
    }
    bool is_capped = conversations > PAGER_COUNT_MAX;
    json_open_object(&r->out);
    write_fields(r, user);
    json_field_bool(&r->out, "can_log_in", user->is_active && password_is_usable(hash));
    json_field_i64(&r->out, "session_count", sessions);
    json_field_i64(&r->out, "conversation_count", is_capped ? PAGER_COUNT_MAX : conversations);
    json_field_bool(&r->out, "conversation_count_capped", is_capped);
    json_close_object(&r->out);
    return ERR_OK;
}

static enum err show_user(struct req *r)
{
    const struct user *user = r->object;
    chat_audit_note(&r->call, "user.read", user->id);
    return answer_user(r, user);
}

static enum err save_user(struct req *r)
{
    struct user changed;
    enum err e = api_save_user(r, &changed);
    return e == ERR_OK ? answer_user(r, &changed) : e;
}

const struct resource api_admin_user_resource = {
    .name = "Admin User Instance",
    .description = "One account with all that an admin may see and change. DELETE erases it.",
    .paths = {"admin/users/{id}/"},
    .within = WITHIN_MANY,
    .methods = {{.method = "GET",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_READ,
                 .object = api_find_user,
                 .handle = show_user,
                 .out = &shape_admin_user_detail,
                 .status = 200},
                {.method = "PATCH",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_WRITE,
                 .input = api_user_save_input,
                 .input_count = USER_SAVE_FIELDS,
                 .object = api_find_changed_user,
                 .fails = FAILS(ERR_LAST_ADMIN),
                 .handle = save_user,
                 .out = &shape_admin_user_detail,
                 .status = 200},
                {.method = "DELETE",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_WRITE,
                 .object = api_find_user,
                 .fails = FAILS(ERR_LAST_ADMIN),
                 .handle = api_delete_user,
                 .status = 204}},
};

/* ------- his password ------- */

static const struct field password_input[] = {
    {.name = "password", .type = FIELD_SECRET, .required = true, .max = PASSWORD_LENGTH_MAX},
};

/* Who sits down at an admin's open browser must not take the account over: his own password needs the
 * old one. (Django asks for it on its page for that, but not in the form of the user.) */
static enum err refuse_own(struct req *r)
{
    const struct user *user = r->object;
    if (!uuid_eq(user->id, r->user.id)) {
        return ERR_OK;
    }
    return req_problem(r, "password",
                       STR("Your own password is changed at /api/users/me/password/, with the old "
                           "one."));
}

static enum err hash_password(struct req *r)
{
    struct str *hash = ARENA_NEW(r->arena, struct str);
    struct str password = req_input(r, "password")->text;
    enum err e = api_find_user(r);
    if (e == ERR_OK) {
        e = refuse_own(r);
    }
    if (e != ERR_OK) {
        return e;
    }
    chat_password_judge(&r->call, "password", password, r->object);
    if (r->problems.first != NULL) {
        return ERR_INVALID;
    }
    *hash = password_hash(r->arena, password, r->call.limits->password_iterations);
    r->slow_result = hash;
    return ERR_OK;
}

static enum err set_password(struct req *r)
{
    const struct str *hash = r->slow_result;
    enum err e = chat_admin_set_password(&r->call, r->object, *hash);
    json_open_object(&r->out);
    json_field_str(&r->out, "detail", STR("The password is set; other sessions have ended."));
    json_close_object(&r->out);
    return e;
}

const struct resource api_admin_user_password_resource = {
    .name = "Admin User Password",
    .description = "Sets another account's password and signs all of its devices out.",
    .paths = {"admin/users/{id}/password/"},
    .within = WITHIN_MANY,
    .methods = {{.method = "POST",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_WRITE,
                 .input = FIELDS(password_input),
                 .slow = hash_password,
                 .object = api_find_user,
                 .handle = set_password,
                 .out = &shape_detail,
                 .status = 200}},
};
