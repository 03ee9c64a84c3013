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

enum way_in { BY_ALL, BY_ROLE, BY_ONE, BY_WORD };

static const struct {
    int list[2][2]; /* enum user_order, descending */
    int count;
} queries[] = {
#define WAY_IN(name)                                                                               \
    {                                                                                              \
        {{Q_USERS_##name##_CREATED, Q_USERS_##name##_CREATED_DOWN},                                \
         {Q_USERS_##name##_NAME, Q_USERS_##name##_NAME_DOWN}},                                     \
            Q_USERS_##name##_COUNT                                                                 \
    }
    [BY_ALL] = WAY_IN(ALL),
    [BY_ROLE] = WAY_IN(ROLE),
    [BY_ONE] = WAY_IN(ONE),
    [BY_WORD] = WAY_IN(WORD),
#undef WAY_IN
};

/* From here on a walk along the whole list finds a page sooner than the sorting of all matches. */
enum { WORD_COMMON = 5000 };

/* role, username, id, two for each word, private */
enum { FILTER_ARGS = 3 + 2 * USER_WORDS_MAX + 1, LIST_ARGS = FILTER_ARGS + 4 };

/* What begins with `word` is from the word itself to before this. */
static struct str end_of_prefix(struct arena *a, struct str word)
{
    return arena_printf(a, "%.*s\xF4\x8F\xBF\xBF", STR_ARG(word));
}

/* Brings the rarest word to the front. *most: how many begin like it, WORD_COMMON at most. */
static enum err find_rarest_word(struct db *db, struct arena *a, struct user_filter *filter,
                                 int64_t *most)
{
    enum err e = ERR_OK;
    *most = WORD_COMMON;
    for (size_t i = 0; i < filter->word_count && e == ERR_OK; i++) {
        struct str word = filter->words[i];
        int64_t n;
        e = db_get_int(db, Q_USER_WORD_COUNT,
                       ARGS(V_TEXT(word), V_TEXT(end_of_prefix(a, word)), V_INT(*most)), &n, NULL);
        if (e == ERR_OK && n < *most) {
            *most = n;
            filter->words[i] = filter->words[0];
            filter->words[0] = word;
        }
    }
    return e;
}

/* The way that leaves the fewest rows to look at. */
static enum err choose_way(struct db *db, struct arena *a, struct user_filter *filter,
                           enum way_in *way)
{
    int64_t most;
    *way = filter->role.p != NULL ? BY_ROLE : BY_ALL;
    if (!uuid_is_zero(filter->id)) {
        *way = BY_ONE;
        return ERR_OK;
    }
    enum err e = find_rarest_word(db, a, filter, &most);
    if (e == ERR_OK && filter->word_count > 0 && most < WORD_COMMON) {
        *way = BY_WORD;
    }
    return e;
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
    args[n] = V_BOOL(filter->private_words);
}

enum err store_user_list(struct db *db, struct arena *a, const struct user_filter *filter,
                         enum user_order order, const struct window *window, struct user **rows,
                         size_t *count)
{
    struct user_filter planned = *filter;
    struct db_val args[LIST_ARGS];
    struct db_rows found;
    enum way_in way;
    *rows = ARENA_ARRAY(a, struct user, (size_t)window->limit + 1);
    *count = 0;
    enum err e = choose_way(db, a, &planned, &way);
    if (e != ERR_OK) {
        return e;
    }
    set_filter_args(a, &planned, args);
    args[FILTER_ARGS] = V_TIME(window->after.n);
    args[FILTER_ARGS + 1] = V_UUID(window->after.id);
    args[FILTER_ARGS + 2] = V_INT(window->limit);
    args[FILTER_ARGS + 3] = V_INT(window->offset);
    e = db_query(db, queries[way].list[order][window->descending], args, COUNT_OF(args), &found);
    while (e == ERR_OK && *count < (size_t)window->limit && db_next(&found)) {
        store_read_user(&found, 0, a, &(*rows)[(*count)++]);
    }
    return db_end(&found, e);
}

bool user_filter_is_empty(const struct user_filter *filter)
{
    return filter->role.p == NULL && filter->username.p == NULL && uuid_is_zero(filter->id) &&
           filter->word_count == 0;
}

enum err store_user_count(struct db *db, struct arena *a, const struct user_filter *filter,
                          int64_t most, int64_t *out)
{
    struct user_filter planned = *filter;
    struct db_val args[FILTER_ARGS + 1];
    enum way_in way;
    if (user_filter_is_empty(filter)) {
        return store_tally_get(db, TALLY_USERS, out);
    }
    enum err e = choose_way(db, a, &planned, &way);
    if (e != ERR_OK) {
        return e;
    }
    set_filter_args(a, &planned, args);
    args[FILTER_ARGS] = V_INT(most);
    return db_get_int(db, queries[way].count, args, COUNT_OF(args), out, NULL);
}
