/* Accounts, and the words they are found by. What is said to be found is not deleted. */
#pragma once

#include "db/db.h"
#include "store/model.h"

enum err store_user_get(struct db *db, struct arena *a, struct uuid id, struct user *out,
                        bool *found) CHECKED;
/* `ref`: id, username or e-mail address, whatever the case. */
enum err store_user_find(struct db *db, struct arena *a, struct str ref, struct user *out,
                         bool *found) CHECKED;
/* `identifier`: username or e-mail. *password_hash as it is stored. */
enum err store_user_log_in(struct db *db, struct arena *a, struct str identifier, struct user *out,
                           struct str *password_hash, bool *found) CHECKED;
/* Absent if there is no such user. */
enum err store_user_password(struct db *db, struct arena *a, struct uuid id,
                             struct str *password_hash) CHECKED;
/* Whose is it? Zero: nobody's. Keys are folded. */
enum err store_user_by_username(struct db *db, struct str key, struct uuid *out) CHECKED;
enum err store_user_by_email(struct db *db, struct str key, struct uuid *out) CHECKED;
/* Active admins but this one. */
enum err store_user_other_admins(struct db *db, struct uuid id, int64_t *out) CHECKED;
/* Are both members of one conversation? */
enum err store_user_share(struct db *db, struct uuid a, struct uuid b, bool *out) CHECKED;

/* The folded names that must be unique. */
struct user_keys {
    struct str username;
    struct str email; /* absent: none */
};

enum err store_user_add(struct db *db, const struct user *user, const struct user_keys *keys,
                        struct str password_hash) CHECKED;
enum err store_user_save(struct db *db, const struct user *user, const struct user_keys *keys)
    CHECKED;
enum err store_user_set_password(struct db *db, struct uuid id, struct str password_hash) CHECKED;
enum err store_user_touch(struct db *db, struct uuid id, int64_t now_us) CHECKED;

enum err store_user_clear_words(struct db *db, struct uuid id) CHECKED;
/* A word that is there already stays as it is. */
enum err store_user_add_words(struct db *db, struct uuid id, const struct str *words, size_t count,
                              bool is_private) CHECKED;

enum { USER_WORDS_MAX = 5 };

/* What is zero or absent filters nothing. */
struct user_filter {
    struct str role;
    struct str username; /* contained in the folded username */
    struct uuid id;
    struct str words[USER_WORDS_MAX]; /* beginnings of words; all must be there */
    size_t word_count;
    bool private_words;         /* look at the words of e-mail addresses too */
    struct db_val is_active;    /* bool */
    struct db_val created_from; /* time; so are the next three, both ends included */
    struct db_val created_to;
    struct db_val seen_from; /* by when he was last seen; who never was, by when he was made */
    struct db_val seen_to;
};

/* By e-mail address: who has none stands where his username would. By when he was last seen: as the
 * filter has it. */
enum user_order { USERS_BY_CREATED, USERS_BY_USERNAME, USERS_BY_EMAIL, USERS_BY_SEEN };

struct list_key store_user_key(struct arena *a, const struct user *user, enum user_order order);
/* window->after is the store_user_key() of the last user shown. */
enum err store_user_list(struct db *db, struct arena *a, const struct user_filter *filter,
                         enum user_order order, const struct window *window, struct user **rows,
                         size_t *count) CHECKED;
bool user_filter_is_empty(const struct user_filter *filter);
/* Counts no further than `most`, but for the empty filter, where a kept counter is read. */
enum err store_user_count(struct db *db, struct arena *a, const struct user_filter *filter,
                          int64_t most, int64_t *out) CHECKED;
