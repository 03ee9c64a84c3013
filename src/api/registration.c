#include "api/registration.h"

#include "api/auth.h"
#include "api/json_user.h"
#include "crypto/password.h"

const struct field api_registration_input[REGISTRATION_FIELDS] = {
    ACCOUNT_FIELDS,
    {.name = "role", .type = FIELD_CHOICE, .blank = true, .choices = ROLE_CHOICES},
    {.name = "password", .type = FIELD_SECRET, .required = true, .max = PASSWORD_LENGTH_MAX},
    {.name = "password_confirm",
     .aliases = "confirm_password",
     .type = FIELD_SECRET,
     .blank = true,
     .help = "If it is sent, it must be the same."},
};

struct account_draft api_account_draft(const struct req *r)
{
    struct account_draft draft = {
        .username = req_input(r, "username")->text,
        .email = req_input(r, "email")->text,
        .first_name = req_input(r, "first_name")->text,
        .last_name = req_input(r, "last_name")->text,
        .phone_number = req_input(r, "phone_number")->text,
        .password = req_input(r, "password")->text,
    };
    if (!role_from(req_input(r, "role")->text, &draft.role)) {
        draft.role = ROLE_GUEST;
    }
    return draft;
}

static const struct shape_field registration_fields[] = {
    SHAPE_USER_FIELDS,
    {.name = "role", .type = SHAPE_STRING, .choices = ROLE_CHOICES},
    {.name = "user", .type = SHAPE_OBJECT, .of = &shape_user},
    {.name = "access", .type = SHAPE_STRING},
    {.name = "refresh", .type = SHAPE_STRING},
    {.name = "tokens", .type = SHAPE_OBJECT, .of = &shape_token_pair},
};
const struct shape shape_registration = {.name = "Registration", FIELDS(registration_fields)};

static void check_role(struct req *r)
{
    const struct value *role = req_input(r, "role");
    if (!value_is_set(role)) {
        return;
    }
    if (role->text.n == 0) {
        (void)req_problem(r, "role", STR("\"\" is not a valid choice."));
    } else if (str_eq(role->text, STR("admin"))) {
        (void)req_problem(r, "role", STR("The admin role cannot be chosen at registration."));
    }
}

static void check_confirmation(struct req *r)
{
    const struct value *confirm = req_input(r, "password_confirm");
    if (value_is_set(confirm) && !str_eq(confirm->text, req_input(r, "password")->text)) {
        (void)req_problem(r, "password_confirm", STR("The two password fields didn't match."));
    }
}

static enum err check(struct req *r)
{
    const struct account_draft draft = api_account_draft(r);
    check_role(r);
    check_confirmation(r);
    return chat_account_check(&r->call, &draft);
}

/* Beside a body that is bad already, so that all problems are told at once. What came through the
 * slow stage was checked there, and what may have changed since api_register looks at again. */
enum err api_registration_check(struct req *r)
{
    return r->slow_result != NULL || r->body_error != ERR_OK ? ERR_OK : check(r);
}

enum err api_registration_slow(struct req *r)
{
    enum err e = check(r);
    if (e == ERR_OK) {
        struct str *hash = ARENA_NEW(r->arena, struct str);
        *hash = password_hash(r->arena, req_input(r, "password")->text,
                              r->call.limits->password_iterations);
        r->slow_result = hash;
    }
    return e;
}

enum err api_register(struct req *r)
{
    const struct account_draft draft = api_account_draft(r);
    const struct str *hash = r->slow_result;
    struct token_pair pair;
    struct user user;
    enum err e = chat_account_create(&r->call, &draft, *hash, &user);
    if (e == ERR_OK) {
        e = api_open_session(r, user.id, &pair);
    }
    if (e != ERR_OK) {
        return e;
    }
    struct json_out *o = &r->out;
    json_open_object(o);
    api_own_user_fields(r, &user);
    json_field_open_object(o, "user");
    api_own_user_fields(r, &user);
    json_close_object(o);
    api_pair_fields(r, &pair);
    json_field_open_object(o, "tokens");
    api_pair_fields(r, &pair);
    json_close_object(o);
    json_close_object(o);
    return ERR_OK;
}

const struct resource api_registration_resource = {
    .name = "Register",
    .description = "Makes an account and logs it in.",
    .paths = {"users/register/", "register/", "auth/register/"},
    .methods = {REGISTRATION_ROUTE},
};
