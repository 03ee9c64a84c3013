/* The list of users, one user, oneself, one's password. */
#include "api/users.h"

#include "api/auth.h"
#include "api/filters.h"
#include "api/json_user.h"
#include "api/registration.h"
#include "base/utf8.h"
#include "chat/account.h"
#include "chat/login.h"
#include "chat/name.h"
#include "store/change.h"

/* --- the list ------------------------------------------------------------------------------ */

static const struct field list_query[] = {
    {.name = "search",
     .aliases = "q",
     .type = FIELD_TEXT,
     .help = "Beginnings of words of the names; all must be there."},
    {.name = "username", .type = FIELD_TEXT, .help = "Part of the username."},
    {.name = "email", .type = FIELD_TEXT, .help = "The whole address, where you may see it."},
    {.name = "role", .type = FIELD_CHOICE, .choices = ROLE_CHOICES},
    {.name = "ordering",
     .type = FIELD_TEXT,
     .help = "created_at, username; with a minus the other way round."},
    PAGE_FIELDS,
};

const struct ordering api_user_orderings[USER_ORDERINGS] = {
    [USERS_BY_CREATED] = {"created_at", 'c'},
    [USERS_BY_USERNAME] = {"username", 'u'},
    [USERS_BY_EMAIL] = {"email", 'e'},
    [USERS_BY_SEEN] = {"last_seen", 'l'},
};

enum err api_read_user_filter(struct req *r, struct user_filter *filter, bool *nobody)
{
    const struct value *search = req_filter(r, "search");
    const struct value *username = req_filter(r, "username");
    const struct value *email = req_filter(r, "email");
    *filter = (struct user_filter){.role = api_text_filter(r, "role")};
    *nobody = false;
    if (value_is_set(username)) {
        filter->username = utf8_fold(r->arena, username->text);
    }
    if (value_is_set(search)) {
        chat_account_search(&r->call, search->text, filter);
    }
    if (!value_is_set(email)) {
        return ERR_OK;
    }
    struct user found;
    bool there = false;
    enum err e = ERR_OK;
    if (str_contains_byte(email->text, '@')) {
        e = chat_account_find(&r->call, email->text, &found, &there);
    }
    *nobody = !there;
    filter->id = there ? found.id : filter->id;
    return e;
}

static enum err count_users(struct req *r, struct pager *p, const struct user_filter *filter,
                            bool nobody)
{
    int64_t count = 0;
    enum err e = ERR_OK;
    if (!nobody) {
        e = store_user_count(r->call.db, r->arena, filter, PAGER_COUNT_MAX + 1, &count);
    }
    bool capped = count > PAGER_COUNT_MAX && !user_filter_is_empty(filter);
    return e == ERR_OK ? pager_set_count(p, count, capped) : e;
}

static void write_page(struct req *r, struct pager *p, const struct user *rows, size_t fetched,
                       enum user_order order)
{
    static const struct list_key none;
    size_t n = pager_rows(p, fetched);
    pager_open(p, n > 0 ? store_user_key(r->arena, &rows[pager_index(p, n, 0)], order) : none,
               n > 0 ? store_user_key(r->arena, &rows[pager_index(p, n, n - 1)], order) : none);
    for (size_t i = 0; i < n; i++) {
        api_write_user(r, &rows[pager_index(p, n, i)]);
    }
    pager_close(p);
}

static enum err list_users(struct req *r)
{
    struct user_filter filter;
    struct pager p;
    bool descending = false;
    bool nobody;
    struct user *rows = NULL;
    size_t n = 0;
    enum user_order order =
        (enum user_order)pager_ordering(r, api_user_orderings, USER_ORDERINGS_OPEN, &descending);
    enum err e = pager_init(&p, r, api_user_orderings[order].letter, descending);
    if (e == ERR_OK) {
        e = api_read_user_filter(r, &filter, &nobody);
    }
    if (e == ERR_OK && pager_needs_count(&p)) {
        e = count_users(r, &p, &filter, nobody);
    }
    if (e == ERR_OK && !nobody) {
        e = store_user_list(r->call.db, r->arena, &filter, order, &p.window, &rows, &n);
    }
    if (e == ERR_OK) {
        write_page(r, &p, rows, n, order);
    }
    return e;
}

#define LIST_ROUTE                                                                                 \
    {                                                                                              \
        .method = "GET", .access = ACCESS_USER, .db = ROUTE_READ, .query = FIELDS(list_query),     \
        .handle = list_users, .out = &shape_user_page, .status = 200                               \
    }

const struct resource api_user_list_resource = {
    .name = "User List",
    .description = "People.",
    .paths = {"users/"},
    .methods = {LIST_ROUTE, REGISTRATION_ROUTE},
};

const struct resource api_user_search_resource = {
    .name = "User Search",
    .description = "People by the beginnings of their names' words.",
    .paths = {"users/search/"},
    .methods = {LIST_ROUTE},
};

/* --- one user ------------------------------------------------------------------------------ */

const struct field api_user_save_input[USER_SAVE_FIELDS] = {
    EMAIL_FIELD,
    {.name = "username", .type = FIELD_TEXT, .max = USERNAME_LENGTH_MAX},
    PERSON_FIELDS,
    {.name = "metadata", .type = FIELD_OBJECT, .max = USER_METADATA_BYTES_MAX},
    {.name = "role",
     .type = FIELD_CHOICE,
     .choices = ROLE_CHOICES,
     .help = "Changed by admins only."},
    {.name = "is_active", .type = FIELD_BOOL, .help = "Changed by admins only."},
    {.name = "password",
     .type = FIELD_SECRET,
     .nullable = true,
     .blank = true,
     .help = "Refused: use users/me/password/."},
};

/* users/{id}/, or oneself where the path names nobody. */
enum err api_find_user(struct req *r)
{
    struct user *user = ARENA_NEW(r->arena, struct user);
    bool found = false;
    struct uuid id = r->path_ids[0].text.p != NULL ? r->path_ids[0].id : r->user.id;
    r->object = user;
    enum err e =
        store_hold(r->call.db, id, NULL); /* who writes, writes all of what he reads here */
    if (e == ERR_OK) {
        e = store_user_get(r->call.db, r->arena, id, user, &found);
    }
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

static enum err find_changeable(struct req *r)
{
    enum err e = api_find_user(r);
    return e == ERR_OK ? chat_account_may_change(&r->call, r->object) : e;
}

/* The text of a field that was sent, else what was there. */
static struct str changed_text(const struct req *r, const char *field, struct str old)
{
    const struct value *sent = req_input(r, field);
    return value_is_set(sent) ? sent->text : old;
}

static struct user changed_user(const struct req *r)
{
    const struct user *old = r->object;
    struct user changed = *old;
    changed.username = changed_text(r, "username", old->username);
    changed.email = changed_text(r, "email", old->email);
    changed.first_name = changed_text(r, "first_name", old->first_name);
    changed.last_name = changed_text(r, "last_name", old->last_name);
    changed.phone_number = changed_text(r, "phone_number", old->phone_number);
    changed.metadata = changed_text(r, "metadata", old->metadata);
    if (!role_from(changed_text(r, "role", STR_NULL), &changed.role)) {
        changed.role = old->role;
    }
    if (value_is_set(req_input(r, "is_active"))) {
        changed.is_active = req_input(r, "is_active")->n != 0;
    }
    return changed;
}

enum err api_find_changed_user(struct req *r)
{
    enum err e = find_changeable(r);
    if (e != ERR_OK || r->body_error != ERR_OK) {
        return e;
    }
    if (value_is_sent(req_input(r, "password"))) {
        (void)req_problem(r, "password",
                          STR("The password is changed at /api/users/me/password/."));
    }
    const struct user changed = changed_user(r);
    return chat_account_check_change(&r->call, r->object, &changed);
}

static enum err show_user(struct req *r)
{
    api_write_user(r, r->object);
    return ERR_OK;
}

enum err api_save_user(struct req *r, struct user *changed)
{
    *changed = changed_user(r);
    return chat_account_update(&r->call, r->object, changed);
}

static enum err save_user(struct req *r)
{
    struct user changed;
    enum err e = api_save_user(r, &changed);
    if (e == ERR_OK) {
        api_write_user(r, &changed);
    }
    return e;
}

enum err api_delete_user(struct req *r)
{
    return chat_account_delete(&r->call, r->object);
}

#define SAVE_ABOUT                                                                                 \
    "Changes an account, by its user or an admin, who may also change role and is_active."
#define DELETE_ABOUT                                                                               \
    "Hides the account at once and erases it in the background; of its messages tombstones stay."
#define SHOW_ROUTE                                                                                 \
    {                                                                                              \
        .method = "GET", .access = ACCESS_USER, .db = ROUTE_READ, .object = api_find_user,         \
        .handle = show_user, .out = &shape_user, .status = 200                                     \
    }
#define SAVE_ROUTE(name)                                                                           \
    {                                                                                              \
        .method = name, .access = ACCESS_USER, .db = ROUTE_WRITE,                                  \
        .input = FIELDS(api_user_save_input), .object = api_find_changed_user,                     \
        .fails = FAILS(ERR_LAST_ADMIN), .handle = save_user, .about = SAVE_ABOUT,                  \
        .out = &shape_user, .status = 200                                                          \
    }
#define DELETE_ROUTE                                                                               \
    {                                                                                              \
        .method = "DELETE", .access = ACCESS_USER, .db = ROUTE_WRITE, .object = find_changeable,   \
        .fails = FAILS(ERR_LAST_ADMIN), .handle = api_delete_user, .status = 204,                  \
        .about = DELETE_ABOUT                                                                      \
    }

const struct resource api_user_resource = {
    .name = "User Instance",
    .description = "One user.",
    .paths = {"users/{id}/"},
    .within = WITHIN_MANY,
    .methods = {SHOW_ROUTE, SAVE_ROUTE("PUT"), SAVE_ROUTE("PATCH"), DELETE_ROUTE},
};

const struct resource api_me_resource = {
    .name = "Me",
    .description = "The caller.",
    .paths = {"users/me/"},
    .within = WITHIN_MANY, /* DELETE leaves all conversations */
    .methods = {SHOW_ROUTE, SAVE_ROUTE("PUT"), SAVE_ROUTE("PATCH"), DELETE_ROUTE},
};

const struct resource api_profile_resource = {
    .name = "Profile",
    .description = "The caller, as other servers name it.",
    .paths = {"auth/profile/", "auth/user/", "auth/profile/update/"},
    .within = WITHIN_MANY, /* DELETE leaves all conversations */
    .methods = {SHOW_ROUTE, SAVE_ROUTE("PUT"), SAVE_ROUTE("PATCH")},
};

/* --- one's password ------------------------------------------------------------------------ */

static const struct field password_input[] = {
    {.name = "old_password", .type = FIELD_SECRET, .required = true},
    {.name = "new_password", .type = FIELD_SECRET, .required = true, .max = PASSWORD_LENGTH_MAX},
};

static enum err check_password_change(struct req *r)
{
    struct password_change *change = ARENA_NEW(r->arena, struct password_change);
    r->slow_result = change;
    return chat_password_change_check(&r->call, req_input(r, "old_password")->text,
                                      req_input(r, "new_password")->text, change);
}

static enum err change_password(struct req *r)
{
    enum err e = chat_password_change(&r->call, r->slow_result);
    json_open_object(&r->out);
    json_field_str(&r->out, "detail", STR("The password is changed."));
    json_close_object(&r->out);
    return e;
}

const struct resource api_password_resource = {
    .name = "Password",
    .description = "Changes the caller's password and signs his other devices out.",
    .paths = {"users/me/password/"},
    .methods = {{.method = "POST",
                 .access = ACCESS_USER,
                 .db = ROUTE_WRITE,
                 .throttle = THROTTLE_LOGIN,
                 .input = FIELDS(password_input),
                 .slow = check_password_change,
                 .handle = change_password,
                 .out = &shape_detail,
                 .status = 200}},
};
