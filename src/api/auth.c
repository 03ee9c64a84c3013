/* Log-in, refresh, verify, revoke, log-out, and DRF's own Token. */
#include "api/auth.h"

#include "api/json_user.h"
#include "chat/login.h"

static const struct shape_field pair_fields[] = {
    {.name = "access", .type = SHAPE_STRING},
    {.name = "refresh", .type = SHAPE_STRING},
};
const struct shape shape_token_pair = {.name = "TokenPair", FIELDS(pair_fields)};

static const struct shape_field detail_fields[] = {{.name = "detail", .type = SHAPE_STRING}};
const struct shape shape_detail = {.name = "Detail", FIELDS(detail_fields)};

static struct device device_of(const struct req *r)
{
    return (struct device){r->user_agent, r->address};
}

enum err api_open_session(struct req *r, struct uuid user_id, struct token_pair *out)
{
    struct session session;
    const struct device device = device_of(r);
    enum err e = chat_session_open(&r->call, user_id, &device, &session);
    if (e == ERR_OK) {
        *out = chat_session_tokens(&r->call, &session);
    }
    return e;
}

void api_pair_fields(struct req *r, const struct token_pair *pair)
{
    json_field_str(&r->out, "access", pair->access);
    json_field_str(&r->out, "refresh", pair->refresh);
}

static void write_pair(struct req *r, const struct token_pair *pair)
{
    json_open_object(&r->out);
    api_pair_fields(r, pair);
    json_close_object(&r->out);
}

/* A token as clients send it: blanks around are not part of it. Absent or blank: empty. */
static struct str sent_token(const struct req *r, const char *field)
{
    return str_trim(req_input(r, field)->text);
}

/* --- log in -------------------------------------------------------------------------------- */

static const struct field login_input[] = {
    {.name = "email",
     .aliases = "username",
     .type = FIELD_TEXT,
     .required = true,
     .help = "E-mail address or username."},
    {.name = "password", .type = FIELD_SECRET, .required = true},
};

static const struct shape_field login_fields[] = {
    {.name = "refresh", .type = SHAPE_STRING},
    {.name = "access", .type = SHAPE_STRING},
    {.name = "user_id", .type = SHAPE_UUID},
    {.name = "user", .type = SHAPE_OBJECT, .of = &shape_user},
};
static const struct shape shape_login = {.name = "Login", FIELDS(login_fields)};

/* The first field of the route is the one that identifies. */
static enum err check_login(struct req *r)
{
    struct login *login = ARENA_NEW(r->arena, struct login);
    r->slow_result = login;
    return chat_login_check(&r->call, r->input[0].text, req_input(r, "password")->text, login);
}

static enum err log_in(struct req *r)
{
    struct login *login = r->slow_result;
    struct token_pair pair;
    enum err e = chat_login_confirm(&r->call, login);
    if (e == ERR_OK) {
        e = api_open_session(r, login->user.id, &pair);
    }
    if (e != ERR_OK) {
        return e;
    }
    struct json_out *o = &r->out;
    json_open_object(o);
    api_pair_fields(r, &pair);
    json_field_uuid(o, "user_id", login->user.id);
    json_field_open_object(o, "user");
    api_own_user_fields(r, &login->user);
    json_close_object(o);
    json_close_object(o);
    return ERR_OK;
}

const struct resource api_login_resource = {
    .name = "Token Obtain Pair",
    .description = "Takes a username or e-mail address and a password, and returns an access and a "
                   "refresh token.",
    .paths = {"token/", "auth/login/", "login/", "auth/token/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_IGNORE,
                 .db = ROUTE_WRITE,
                 .throttle = THROTTLE_LOGIN,
                 .input = FIELDS(login_input),
                 .slow = check_login,
                 .handle = log_in,
                 .fails = FAILS(ERR_BAD_LOGIN),
                 .out = &shape_login,
                 .status = 200,
                 .secret = true}},
};

/* --- DRF's own Token ----------------------------------------------------------------------- */

static const struct field token_auth_input[] = {
    {.name = "username",
     .aliases = "email",
     .type = FIELD_TEXT,
     .required = true,
     .help = "Username or e-mail address."},
    {.name = "password", .type = FIELD_SECRET, .required = true},
};

static const struct shape_field token_auth_fields[] = {{.name = "token", .type = SHAPE_STRING}};
static const struct shape shape_token_auth = {.name = "Token", FIELDS(token_auth_fields)};

/* DRF's answer to a bad log-in here is a 400. */
static enum err as_invalid(struct req *r, enum err e)
{
    return e == ERR_BAD_LOGIN ? req_problem(r, "non_field_errors",
                                            STR("Unable to log in with provided credentials."))
                              : e;
}

static enum err check_token_auth(struct req *r)
{
    return as_invalid(r, check_login(r));
}

static enum err token_auth(struct req *r)
{
    struct login *login = r->slow_result;
    const struct device device = device_of(r);
    struct str key;
    enum err e = as_invalid(r, chat_login_confirm(&r->call, login));
    if (e == ERR_OK) {
        e = chat_token_open(&r->call, login->user.id, &device, &key);
    }
    if (e != ERR_OK) {
        return e;
    }
    json_open_object(&r->out);
    json_field_str(&r->out, "token", key);
    json_close_object(&r->out);
    return ERR_OK;
}

const struct resource api_token_auth_resource = {
    .name = "Obtain Auth Token",
    .description = "Returns a long-lived token for Authorization: Token.",
    .paths = {"/api-token-auth/", "api-token-auth/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_IGNORE,
                 .db = ROUTE_WRITE,
                 .throttle = THROTTLE_LOGIN,
                 .input = FIELDS(token_auth_input),
                 .slow = check_token_auth,
                 .handle = token_auth,
                 .out = &shape_token_auth,
                 .status = 200,
                 .secret = true}},
};

/* --- refresh and verify -------------------------------------------------------------------- */

static const struct field refresh_input[] = {
    {.name = "refresh", .aliases = "refresh_token", .type = FIELD_SECRET, .required = true},
};

static enum err refresh(struct req *r)
{
    struct token_pair pair;
    bool reused;
    enum err e = chat_session_refresh(&r->call, sent_token(r, "refresh"), &pair, &reused);
    if (e != ERR_OK) {
        return e;
    }
    if (reused) {
        r->kept_error = ERR_REFRESH_INVALID; /* the device's end is kept all the same */
        return ERR_OK;
    }
    write_pair(r, &pair);
    return ERR_OK;
}

const struct resource api_refresh_resource = {
    .name = "Token Refresh",
    .description = "Takes a refresh token and returns a new pair; the old refresh token ends.",
    .paths = {"token/refresh/", "auth/token/refresh/", "auth/refresh/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_IGNORE,
                 .db = ROUTE_WRITE,
                 .input = FIELDS(refresh_input),
                 .handle = refresh,
                 .fails = FAILS(ERR_REFRESH_INVALID, ERR_TOKEN_TYPE, ERR_USER_NOT_FOUND,
                                ERR_USER_INACTIVE),
                 .out = &shape_token_pair,
                 .status = 200,
                 .secret = true}},
};

static const struct field verify_input[] = {
    {.name = "token", .type = FIELD_SECRET, .required = true},
};

static const struct shape shape_empty = {.name = "Empty"};

static enum err verify(struct req *r)
{
    enum err e = chat_token_verify(&r->call, sent_token(r, "token"));
    json_open_object(&r->out);
    json_close_object(&r->out);
    return e;
}

const struct resource api_verify_resource = {
    .name = "Token Verify",
    .description = "Tells whether an access or refresh token would be accepted.",
    .paths = {"token/verify/", "auth/token/verify/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_IGNORE,
                 .db = ROUTE_READ,
                 .input = FIELDS(verify_input),
                 .handle = verify,
                 .fails = FAILS(ERR_TOKEN_INVALID, ERR_USER_NOT_FOUND, ERR_USER_INACTIVE),
                 .out = &shape_empty,
                 .status = 200}},
};

/* --- out ----------------------------------------------------------------------------------- */

static const struct field out_input[] = {
    {.name = "refresh",
     .aliases = "refresh_token",
     .type = FIELD_SECRET,
     .nullable = true,
     .blank = true,
     .help = "Of the device to sign out; without it, the caller's own."},
};

/* The device that is meant: the refresh token's, else the caller's own. *found is false for a
 * caller who has none (Basic). */
static enum err find_device(struct req *r, struct session *session, bool *found)
{
    struct str token = sent_token(r, "refresh");
    *found = true;
    if (token.n > 0) {
        return chat_session_of_refresh(&r->call, token, session);
    }
    if (r->call.me == NULL) {
        return ERR_NOT_AUTHENTICATED;
    }
    *found = !uuid_is_zero(r->call.session_id);
    return *found ? chat_session_get(&r->call, r->call.session_id, r->call.me->id, session)
                  : ERR_OK;
}

static enum err revoke(struct req *r)
{
    struct session session;
    bool found;
    enum err e = find_device(r, &session, &found);
    return e == ERR_OK && found ? chat_session_revoke(&r->call, &session) : e;
}

const struct resource api_revoke_resource = {
    .name = "Token Revoke",
    .description = "Signs a device out at once.",
    .paths = {"token/revoke/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_ANYONE,
                 .db = ROUTE_WRITE,
                 .input = FIELDS(out_input),
                 .handle = revoke,
                 .fails = FAILS(ERR_NOT_AUTHENTICATED, ERR_REFRESH_INVALID),
                 .status = 205}},
};

static const struct shape_field logout_fields[] = {
    {.name = "detail", .type = SHAPE_STRING},
    {.name = "message", .type = SHAPE_STRING},
};
static const struct shape shape_logout = {.name = "Logout", FIELDS(logout_fields)};

static enum err log_out(struct req *r)
{
    const struct str text = STR("Successfully logged out.");
    struct session session;
    bool found;
    enum err e = find_device(r, &session, &found);
    if (e == ERR_OK && found) {
        e = chat_session_log_out(&r->call, &session);
    }
    json_open_object(&r->out);
    json_field_str(&r->out, "detail", text);
    json_field_str(&r->out, "message", text);
    json_close_object(&r->out);
    return e;
}

const struct resource api_logout_resource = {
    .name = "Logout",
    .description = "Ends a device's refresh token; its access token lives out its time.",
    .paths = {"auth/logout/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_ANYONE,
                 .db = ROUTE_WRITE,
                 .input = FIELDS(out_input),
                 .handle = log_out,
                 .fails = FAILS(ERR_NOT_AUTHENTICATED, ERR_REFRESH_INVALID),
                 .out = &shape_logout,
                 .status = 200}},
};
