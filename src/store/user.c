#include "store/user.h"

#include "base/utf8.h"
#include "store/change.h"
#include "store/columns.h"
#include "store/queries.h"
#include "store/system.h"

/* --- one user ------------------------------------------------------------------------------ */

static enum err get_user(struct db *db, struct arena *a, int query, struct db_val key,
                         struct user *out, struct str *password_hash, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, query, &key, 1, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        store_read_user(&rows, 0, a, out);
        if (password_hash != NULL) {
            *password_hash = arena_copy(a, db_text(&rows, USER_COLUMN_COUNT));
        }
    }
    return db_end(&rows, e);
}

enum err store_user_get(struct db *db, struct arena *a, struct uuid id, struct user *out,
                        bool *found)
{
    return get_user(db, a, Q_USER_GET, V_UUID(id), out, NULL, found);
}

enum err store_user_log_in(struct db *db, struct arena *a, struct str identifier, struct user *out,
                           struct str *password_hash, bool *found)
{
    bool is_email = str_contains_byte(identifier, '@');
    return get_user(db, a, is_email ? Q_USER_FIND_EMAIL : Q_USER_FIND_USERNAME,
                    V_TEXT(utf8_fold(a, identifier)), out, password_hash, found);
}

enum err store_user_find(struct db *db, struct arena *a, struct str ref, struct user *out,
                         bool *found)
{
    struct uuid id;
    if (uuid_parse(ref, &id)) {
        return store_user_get(db, a, id, out, found);
    }
    return store_user_log_in(db, a, ref, out, NULL, found);
}

enum err store_user_password(struct db *db, struct arena *a, struct uuid id,
                             struct str *password_hash)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_USER_PASSWORD, ARGS(V_UUID(id)), &rows);
    bool found = e == ERR_OK && db_next(&rows);
    *password_hash = found ? arena_copy(a, db_text(&rows, 0)) : STR_NULL;
    return db_end(&rows, e);
}

static enum err get_owner(struct db *db, int query, struct str key, struct uuid *out)
{
    struct db_rows rows;
    enum err e = db_query(db, query, ARGS(V_TEXT(key)), &rows);
    bool found = e == ERR_OK && db_next(&rows);
    *out = found ? db_uuid(&rows, 0) : (struct uuid){{0}};
    return db_end(&rows, e);
}

enum err store_user_by_username(struct db *db, struct str key, struct uuid *out)
{
    return get_owner(db, Q_USER_BY_USERNAME, key, out);
}

enum err store_user_by_email(struct db *db, struct str key, struct uuid *out)
{
    return get_owner(db, Q_USER_BY_EMAIL, key, out);
}

enum err store_user_other_admins(struct db *db, struct uuid id, int64_t *out)
{
    return db_get_int(db, Q_USER_OTHER_ADMINS, ARGS(V_UUID(id)), out, NULL);
}

enum err store_user_share(struct db *db, struct uuid a, struct uuid b, bool *out)
{
    int64_t one;
    return db_get_int(db, Q_USER_SHARE, ARGS(V_UUID(a), V_UUID(b)), &one, out);
}

/* --- changes ------------------------------------------------------------------------------- */

static enum err log_user(struct db *db, struct uuid id)
{
    return store_change_add(db, CHANGE_USER, (struct uuid){{0}}, id, 0);
}

enum err store_user_add(struct db *db, const struct user *user, const struct user_keys *keys,
                        struct str password_hash)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, user->id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_USER_ADD,
                ARGS(V_UUID(user->id), V_TEXT(user->username), V_TEXT(keys->username),
                     V_TEXT(user->email), V_TEXT(keys->email), V_TEXT(user->first_name),
                     V_TEXT(user->last_name), V_TEXT(user->phone_number),
                     V_TEXT(str_of(role_names[user->role])), V_TEXT(password_hash),
                     V_TEXT(user->metadata), V_BOOL(user->is_active), V_TIME(user->created_at),
                     V_TIME_OR_NULL(user->last_seen_at), V_INT(stamp)),
                NULL);
    return e == ERR_OK ? log_user(db, user->id) : e;
}

enum err store_user_save(struct db *db, const struct user *user, const struct user_keys *keys)
{
    int64_t stamp = 0;
    enum err e = store_stamp(db, user->id, &stamp);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_USER_SAVE,
                ARGS(V_UUID(user->id), V_TEXT(user->username), V_TEXT(keys->username),
                     V_TEXT(user->email), V_TEXT(keys->email), V_TEXT(user->first_name),
                     V_TEXT(user->last_name), V_TEXT(user->phone_number),
                     V_TEXT(str_of(role_names[user->role])), V_TEXT(user->metadata),
                     V_BOOL(user->is_active), V_TIME_OR_NULL(user->last_seen_at),
                     V_TIME_OR_NULL(user->deleted_at), V_INT(stamp)),
                NULL);
    return e == ERR_OK ? log_user(db, user->id) : e;
}

enum err store_user_set_password(struct db *db, struct uuid id, struct str password_hash)
{
    return db_exec(db, Q_USER_SET_PASSWORD, ARGS(V_UUID(id), V_TEXT(password_hash)), NULL);
}

enum err store_user_touch(struct db *db, struct uuid id, int64_t now_us)
{
    return db_exec(db, Q_USER_TOUCH, ARGS(V_UUID(id), V_TIME(now_us)), NULL);
}

enum err store_user_clear_words(struct db *db, struct uuid id)
{
    return db_exec(db, Q_USER_CLEAR_WORDS, ARGS(V_UUID(id)), NULL);
}

enum err store_user_add_words(struct db *db, struct uuid id, const struct str *words, size_t count,
                              bool is_private)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = db_exec(db, Q_USER_ADD_WORD, ARGS(V_TEXT(words[i]), V_UUID(id), V_BOOL(is_private)),
                    NULL);
    }
    return e;
}

/* --- the list ------------------------------------------------------------------------------ */

enum way_in { BY_ALL, BY_ROLE, BY_ONE, BY_WORD, BY_INACTIVE, BY_MADE, BY_SEEN };

static const struct {
    int list[4][2]; /* enum user_order, descending */
    int count;
} queries[] = {
#define WAY_IN(name)                                                                               \
    {                                                                                              \
        {{Q_USERS_##name##_CREATED, Q_USERS_##name##_CREATED_DOWN},                                \
         {Q_USERS_##name##_NAME, Q_USERS_##name##_NAME_DOWN},                                      \
         {Q_USERS_##name##_EMAIL, Q_USERS_##name##_EMAIL_DOWN},                                    \
         {Q_USERS_##name##_SEEN, Q_USERS_##name##_SEEN_DOWN}},                                     \
            Q_USERS_##name##_COUNT                                                                 \
    }
    [BY_ALL] = WAY_IN(ALL),   [BY_ROLE] = WAY_IN(ROLE),         [BY_ONE] = WAY_IN(ONE),
    [BY_WORD] = WAY_IN(WORD), [BY_INACTIVE] = WAY_IN(INACTIVE), [BY_MADE] = WAY_IN(MADE),
    [BY_SEEN] = WAY_IN(SEEN),
#undef WAY_IN
};

/* From here on a walk along the whole list finds a page sooner than the sorting of all matches. */
enum { WAY_COMMON = 5000 };

/* role, username, id, two for each word, private, active, two ranges */
enum { FILTER_ARGS = 3 + 2 * USER_WORDS_MAX + 2 + 4, LIST_ARGS = FILTER_ARGS + 4 };

/* What begins with `word` is from the word itself to before this. */
static struct str end_of_prefix(struct arena *a, struct str word)
{
    return arena_printf(a, "%.*s\xF4\x8F\xBF\xBF", STR_ARG(word));
}

static int64_t time_or(struct db_val time, int64_t otherwise)
{
    return time.type == DB_NULL ? otherwise : time.i;
}

/* The way that goes through the fewest rows so far. */
struct choice {
    struct db *db;
    enum way_in way;
    int64_t rows; /* so many of it; what has more is not counted further */
};

static enum err try_way(struct choice *best, enum way_in way, int query, const struct db_val *args,
                        size_t count, bool *is_better)
{
    int64_t n = 0;
    enum err e = db_get_int(best->db, query, args, count, &n, NULL);
    *is_better = e == ERR_OK && n < best->rows;
    if (*is_better) {
        best->rows = n;
        best->way = way;
    }
    return e;
}

/* Brings the rarest word to the front. */
static enum err try_words(struct choice *best, struct arena *a, struct user_filter *filter)
{
    enum err e = ERR_OK;
    bool better;
    for (size_t i = 0; i < filter->word_count && e == ERR_OK; i++) {
        struct str word = filter->words[i];
        e = try_way(best, BY_WORD, Q_USER_WORD_COUNT,
                    ARGS(V_TEXT(word), V_TEXT(end_of_prefix(a, word)), V_INT(best->rows)), &better);
        if (better) {
            filter->words[i] = filter->words[0];
            filter->words[0] = word;
        }
    }
    return e;
}

static bool wants_seen(const struct user_filter *f)
{
    return f->seen_from.type != DB_NULL || f->seen_to.type != DB_NULL;
}

static enum err try_ranges(struct choice *best, const struct user_filter *f)
{
    bool better;
    enum err e = ERR_OK;
    if (f->created_from.type != DB_NULL || f->created_to.type != DB_NULL) {
        e = try_way(best, BY_MADE, Q_USERS_MADE,
                    ARGS(V_TIME(time_or(f->created_from, INT64_MIN)),
                         V_TIME(time_or(f->created_to, INT64_MAX)), V_INT(best->rows)),
                    &better);
    }
    if (e == ERR_OK && wants_seen(f)) {
        e = try_way(best, BY_SEEN, Q_USERS_SEEN,
                    ARGS(V_TIME(time_or(f->seen_from, INT64_MIN)),
                         V_TIME(time_or(f->seen_to, INT64_MAX)), V_INT(best->rows)),
                    &better);
    }
    return e;
}

static bool wants_inactive(const struct user_filter *f)
{
    return f->is_active.type != DB_NULL && f->is_active.i == 0;
}

/* The way that leaves the fewest rows to look at: `way`, unless another has less than `most`. */
static enum err choose_way(struct db *db, struct arena *a, struct user_filter *filter, int64_t most,
                           enum way_in *way)
{
    struct choice best = {db, *way, most};
    bool better;
    enum err e = ERR_OK;
    if (!uuid_is_zero(filter->id)) {
        *way = BY_ONE;
        return ERR_OK;
    }
    if (filter->role.p != NULL) {
        e = try_way(&best, BY_ROLE, Q_USERS_OF_ROLE, ARGS(V_TEXT(filter->role), V_INT(best.rows)),
                    &better);
    }
    if (e == ERR_OK && wants_inactive(filter)) {
        e = try_way(&best, BY_INACTIVE, Q_USERS_INACTIVE, ARGS(V_INT(best.rows)), &better);
    }
    if (e == ERR_OK) {
        e = try_ranges(&best, filter);
    }
    if (e == ERR_OK) {
        e = try_words(&best, a, filter);
    }
    *way = best.way;
    return e;
}

/* Where the order is that of the index by which a role, or the inactive, are found, there is nothing
 * to sort, however many they are. */
static enum way_in usual_way(const struct user_filter *filter, enum user_order order)
{
    if (order == USERS_BY_CREATED && filter->role.p != NULL) {
        return BY_ROLE;
    }
    return order == USERS_BY_CREATED && wants_inactive(filter) ? BY_INACTIVE : BY_ALL;
}

static void set_filter_args(struct arena *a, const struct user_filter *filter,
                            struct db_val args[FILTER_ARGS])
{
    size_t n = 0;
    args[n++] = V_TEXT(filter->role);
    args[n++] = V_TEXT(filter->username);
    args[n++] = V_UUID_OR_NULL(filter->id);
    for (size_t i = 0; i < USER_WORDS_MAX; i++) {
        bool given = i < filter->word_count;
        args[n++] = given ? V_TEXT(filter->words[i]) : V_NULL;
        args[n++] = given ? V_TEXT(end_of_prefix(a, filter->words[i])) : V_NULL;
    }
    args[n++] = V_BOOL(filter->private_words);
    args[n++] = filter->is_active;
    args[n++] = V_TIME(time_or(filter->created_from, INT64_MIN));
    args[n++] = V_TIME(time_or(filter->created_to, INT64_MAX));
    args[n++] = V_TIME(time_or(filter->seen_from, INT64_MIN));
    args[n] = V_TIME(time_or(filter->seen_to, INT64_MAX));
}

/* In an order by time nothing lies on the other side of where the page begins. `range`: from, to. */
static void narrow(struct db_val range[2], const struct window *window)
{
    if (window->descending && range[1].i > window->after.n) {
        range[1].i = window->after.n;
    } else if (!window->descending && range[0].i < window->after.n) {
        range[0].i = window->after.n;
    }
}

struct list_key store_user_key(struct arena *a, const struct user *user, enum user_order order)
{
    struct list_key key = {.n = user->created_at, .id = user->id};
    switch (order) {
    case USERS_BY_CREATED: break;
    case USERS_BY_USERNAME: key.text = utf8_fold(a, user->username); break;
    case USERS_BY_EMAIL:
        key.text = utf8_fold(a, user->email.n > 0 ? user->email : user->username);
        break;
    case USERS_BY_SEEN: key.n = user->last_seen_at != 0 ? user->last_seen_at : key.n; break;
    }
    return key;
}

enum err store_user_list(struct db *db, struct arena *a, const struct user_filter *filter,
                         enum user_order order, const struct window *window, struct user **rows,
                         size_t *count)
{
    struct user_filter planned = *filter;
    struct db_val args[LIST_ARGS];
    struct db_rows found;
    enum way_in way = usual_way(filter, order);
    *rows = ARENA_ARRAY(a, struct user, (size_t)window->limit + 1);
    *count = 0;
    enum err e = choose_way(db, a, &planned, WAY_COMMON, &way);
    if (e != ERR_OK) {
        return e;
    }
    set_filter_args(a, &planned, args);
    if (order == USERS_BY_CREATED || order == USERS_BY_SEEN) {
        narrow(&args[FILTER_ARGS - (order == USERS_BY_CREATED ? 4 : 2)], window);
    }
    bool by_text = order == USERS_BY_USERNAME || order == USERS_BY_EMAIL;
    args[FILTER_ARGS] = by_text ? V_TEXT(window->after.text) : V_TIME(window->after.n);
    args[FILTER_ARGS + 1] = V_UUID(window->after.id);
    args[FILTER_ARGS + 2] = V_INT(window->limit);
    args[FILTER_ARGS + 3] = V_INT(window->offset);
    e = db_query(db, queries[way].list[order][window->descending], args, COUNT_OF(args), &found);
    while (e == ERR_OK && *count < (size_t)window->limit && db_next(&found)) {
        store_read_user(&found, 0, a, &(*rows)[(*count)++]);
    }
    return db_end(&found, e);
}

bool user_filter_is_empty(const struct user_filter *f)
{
    return f->role.p == NULL && f->username.p == NULL && uuid_is_zero(f->id) &&
           f->word_count == 0 && f->is_active.type == DB_NULL && f->created_from.type == DB_NULL &&
           f->created_to.type == DB_NULL && f->seen_from.type == DB_NULL &&
           f->seen_to.type == DB_NULL;
}

enum err store_user_count(struct db *db, struct arena *a, const struct user_filter *filter,
                          int64_t most, int64_t *out)
{
    struct user_filter planned = *filter;
    struct db_val args[FILTER_ARGS + 1];
    enum way_in way = usual_way(filter, USERS_BY_CREATED);
    if (user_filter_is_empty(filter)) {
        return store_tally_get(db, TALLY_USERS, out);
    }
    if (way == BY_ALL && wants_seen(filter)) { /* there is nothing to sort */
        way = BY_SEEN;
    }
    enum err e = choose_way(db, a, &planned, most, &way);
    if (e != ERR_OK) {
        return e;
    }
    set_filter_args(a, &planned, args);
    args[FILTER_ARGS] = V_INT(most);
    return db_get_int(db, queries[way].count, args, COUNT_OF(args), out, NULL);
}
