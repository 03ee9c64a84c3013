/* admin/users/: the list, with all that an admin may see; making an account; many at once. One account
 * is in admin_user.c. */
#include "api/admin.h"
#include "api/admin_user.h"
#include "api/json_user.h"
#include "api/registration.h"
#include "api/users.h"
#include "chat/admin.h"
#include "crypto/password.h"

/* ------- list ------- */

static const struct field list_query[] = {
    PAGE_FIELDS,
    EXPORT_FIELD,
    {.name = "search",
     .aliases = "q",
     .type = FIELD_TEXT,
     .help = "Beginnings of words of names and addresses; all must be there."},
    {.name = "username", .type = FIELD_TEXT, .scans = true, .help = "Part of the username."},
    {.name = "email", .type = FIELD_TEXT, .help = "The whole address."},
    {.name = "role", .type = FIELD_CHOICE, .choices = ROLE_CHOICES},
    {.name = "is_active", .type = FIELD_BOOL, .help = "May he log in?"},
    {.name = "created_after", .type = FIELD_TIME, .scans = true, .help = "Made then or later."},
    {.name = "created_before", .type = FIELD_TIME, .scans = true, .help = "Made then or earlier."},
    {.name = "last_seen_after",
     .type = FIELD_TIME,
     .scans = true,
     .help = "Last seen then or later; who never was, made then or later."},
    {.name = "last_seen_before",
     .type = FIELD_TIME,
     .scans = true,
     .help = "Last seen then or earlier; who never was, made then or earlier."},
    {.name = "ordering",
     .type = FIELD_TEXT,
     .help = "created_at, username, email, last_seen; with a minus the other way round."},
};

struct users {
    struct user_filter filter;
    enum user_order order;
    struct user *rows;
    struct arena *arena; /* of the rows */
};

static enum err count_users(struct req *r, void *of, int64_t *count, bool *capped)
{
    const struct users *users = of;
    enum err e = store_user_count(r->call.db, r->arena, &users->filter, PAGER_COUNT_MAX + 1, count);
    *capped = *count > PAGER_COUNT_MAX && !user_filter_is_empty(&users->filter);
    return e;
}

static enum err read_users(struct req *r, void *of, const struct window *window, size_t *n)
{
    struct users *users = of;
    users->arena = r->arena;
    return store_user_list(r->call.db, r->arena, &users->filter, users->order, window, &users->rows,
                           n);
}

static struct list_key key_of(const void *of, size_t i)
{
    const struct users *users = of;
    return store_user_key(users->arena, &users->rows[i], users->order);
}

static enum err write_user(struct req *r, void *of, size_t i)
{
    const struct users *users = of;
    api_write_admin_user(r, &users->rows[i]);
    return ERR_OK;
}

static void write_csv(struct csv *csv, const void *of, size_t i)
{
    const struct user *user = &((const struct users *)of)->rows[i];
    api_csv_uuid(csv, user->id);
    api_csv_text(csv, user->username);
    api_csv_text(csv, user->email);
    api_csv_text(csv, user->first_name);
    api_csv_text(csv, user->last_name);
    api_csv_text(csv, user->phone_number);
    api_csv_text(csv, str_of(role_names[user->role]));
    api_csv_bool(csv, user->is_active);
    api_csv_time(csv, user->created_at);
    api_csv_time(csv, user->last_seen_at);
}

static enum err list_users(struct req *r)
{
    static const struct admin_list list = {
        .name = "users",
        .action = "user.list_all",
        .columns = "id,username,email,first_name,last_name,phone_number,role,is_active,created_at,"
                   "last_seen",
        .count = count_users,
        .read = read_users,
        .key = key_of,
        .write = write_user,
        .write_csv = write_csv,
    };
    struct users users;
    bool descending = true;
    bool nobody = false;
    users.order =
        (enum user_order)pager_ordering(r, api_user_orderings, USER_ORDERINGS, &descending);
    enum err e = api_read_user_filter(r, &users.filter, &nobody);
    if (e != ERR_OK) {
        return e;
    }
    users.filter.is_active = api_bool_filter(r, "is_active");
    users.filter.created_from = api_time_filter(r, "created_after");
    users.filter.created_to = api_time_filter(r, "created_before");
    users.filter.seen_from = api_time_filter(r, "last_seen_after");
    users.filter.seen_to = api_time_filter(r, "last_seen_before");
    return api_admin_list(r, &list, api_user_orderings[users.order].letter, descending,
                          nobody ? NULL : &users);
}

/* ------- making one ------- */

static const struct field create_input[] = {
    ACCOUNT_FIELDS,
    {.name = "role", .type = FIELD_CHOICE, .choices = ROLE_CHOICES, .help = "Default: guest."},
    {.name = "password",
     .type = FIELD_SECRET,
     .nullable = true,
     .blank = true,
     .max = PASSWORD_LENGTH_MAX,
     .help = "Without it nobody can log in until one is set."},
};

/* Beside a body that is bad already, so that all problems are told at once. */
static enum err check_draft(struct req *r)
{
    const struct account_draft draft = api_account_draft(r);
    bool checked = r->slow_result != NULL || r->body_error != ERR_OK;
    return checked ? ERR_OK : chat_account_check(&r->call, &draft);
}

/* What is bad in a request with a key the writer tells: the name may be taken by its first coming. */
static enum err hash_password(struct req *r)
{
    struct str *hash = ARENA_NEW(r->arena, struct str);
    struct str password = req_input(r, "password")->text;
    enum err e = check_draft(r);
    if (e == ERR_OK && password.n > 0) {
        *hash = password_hash(r->arena, password, r->call.limits->password_iterations);
    }
    r->slow_result = hash;
    return e == ERR_INVALID && r->idempotency_key.p != NULL ? ERR_OK : e;
}

static enum err create_user(struct req *r)
{
    const struct account_draft draft = api_account_draft(r);
    const struct str *hash = r->slow_result;
    struct user user;
    if (draft.password.n > 0 && hash->p == NULL) { /* it was bad; if it no longer is, once more */
        enum err bad = chat_account_check(&r->call, &draft);
        return bad == ERR_OK ? ERR_BUSY : bad;
    }
    enum err e = chat_admin_create_user(&r->call, &draft, *hash, &user);
    if (e == ERR_OK) {
        r->created = user.id;
        api_write_admin_user(r, &user);
    }
    return e;
}

static enum err is_there(struct req *r)
{
    struct user user;
    bool found = false;
    enum err e = store_user_get(r->call.db, r->arena, r->created, &user, &found);
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

const struct resource api_admin_user_list_resource = {
    .name = "Admin User List",
    .description = "All accounts, newest first. POST makes one, of any role.",
    .paths = {"admin/users/"},
    .within = WITHIN_MANY,
    .methods = {ADMIN_LIST_ROUTE(list_query, list_users, shape_admin_user_page),
                {.method = "POST",
                 .access = ACCESS_ADMIN,
                 .db = ROUTE_WRITE,
                 .input = FIELDS(create_input),
                 .slow = hash_password,
                 .object = check_draft,
                 .handle = create_user,
                 .may_replay = is_there,
                 .out = &shape_admin_user,
                 .status = 201}},
};

/* ------- many at once ------- */

static const struct field bulk_input[] = {
    BULK_FIELDS("activate,deactivate,set_role,end_sessions,erase"),
    {.name = "role", .type = FIELD_CHOICE, .choices = ROLE_CHOICES, .help = "For set_role."},
};

static enum err read_bulk(struct req *r)
{
    bool of_role = str_eq(req_input(r, "action")->text, STR("set_role"));
    enum err e = api_bulk_ids(r);
    if (of_role && !value_is_sent(req_input(r, "role")) && r->body_error == ERR_OK) {
        e = req_problem(r, "role", STR("This field is required."));
    }
    return e;
}

static enum err change_one(struct req *r, const struct user *user, struct str action,
                           struct bulk_result *out)
{
    struct user changed = *user;
    if (str_eq(action, STR("set_role"))) {
        (void)!role_from(req_input(r, "role")->text, &changed.role);
    } else {
        changed.is_active = str_eq(action, STR("activate"));
    }
    bool same = changed.role == user->role && changed.is_active == user->is_active;
    out->state = same ? BULK_UNCHANGED : BULK_DONE;
    return same ? ERR_OK : chat_account_update(&r->call, user, &changed);
}

static enum err act_on(struct req *r, struct uuid id, struct bulk_result *out)
{
    struct str action = req_input(r, "action")->text;
    bool ends = str_eq(action, STR("end_sessions"));
    struct user user;
    bool found = false;
    enum err e = store_user_get(r->call.db, r->arena, id, &user, &found);
    if (e != ERR_OK || !found) {
        return e == ERR_OK ? ERR_NOT_FOUND : e;
    }
    if (uuid_eq(id, r->user.id) && !ends) {
        *out = (struct bulk_result){BULK_SKIPPED, STR("This is you; do it by itself.")};
        return ERR_OK;
    }
    if (ends) {
        return chat_admin_end_sessions(&r->call, &user);
    }
    return str_eq(action, STR("erase")) ? chat_account_delete_shortly(&r->call, &user)
                                        : change_one(r, &user, action, out);
}

static enum err act_on_all(struct req *r)
{
    return api_bulk_run(r, act_on);
}

const struct resource api_admin_user_bulk_resource = {
    .name = "Admin User Bulk",
    .description = "The same to many accounts at once; the caller's own is skipped.",
    .paths = {"admin/users/bulk/"},
    .within = WITHIN_MANY,
    .methods = {ADMIN_BULK_ROUTE(bulk_input, read_bulk, act_on_all)},
};
