#include "api/json_user.h"

#include "base/utf8.h"
#include "chat/account.h"

static const struct shape_field user_fields[] = {
    SHAPE_USER_FIELDS,
    {.name = "role", .type = SHAPE_STRING, .choices = ROLE_CHOICES},
};
const struct shape shape_user = {.name = "User", FIELDS(user_fields)};
const struct shape shape_user_page = {.name = "User", FIELDS(user_fields), .paged = true};

/* "First Last", either alone, or the username. */
static struct str full_name(struct arena *a, const struct user *user)
{
    struct str both = utf8_trim(
        arena_printf(a, "%.*s %.*s", STR_ARG(user->first_name), STR_ARG(user->last_name)));
    return both.n > 0 ? both : user->username;
}

static void write_fields(struct req *r, const struct user *user, bool contacts, const char *role)
{
    struct json_out *o = &r->out;
    bool shown = contacts && user->deleted_at == 0;
    json_field_uuid(o, "id", user->id);
    json_field_uuid(o, "user_id", user->id);
    json_field_str(o, "username", user->username);
    json_field_str_or_null(o, "email", shown ? user->email : STR_NULL);
    json_field_str(o, "first_name", user->first_name);
    json_field_str(o, "last_name", user->last_name);
    json_field_str(o, "full_name", full_name(r->arena, user));
    json_field_str_or_null(o, "phone_number", shown ? user->phone_number : STR_NULL);
    json_field_str(o, "role", str_of(role));
    json_field_null(o, "avatar");
    json_field_raw(o, "metadata", user->metadata);
    json_field_time(o, "created_at", user->created_at);
    json_field_time_or_null(o, "last_seen", user->last_seen_at);
}

void api_user_fields(struct req *r, const struct user *user, const char *role)
{
    write_fields(r, user, chat_account_contacts_visible(&r->call, user), role);
}

void api_own_user_fields(struct req *r, const struct user *user)
{
    write_fields(r, user, true, role_names[user->role]);
}

void api_write_user(struct req *r, const struct user *user)
{
    json_open_object(&r->out);
    api_user_fields(r, user, role_names[user->role]);
    json_close_object(&r->out);
}
