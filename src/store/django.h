/* A database of the Django app that Confab replaces, for `confab import-django`. It is only read. What
 * its tables and columns are called is the caller's to say; all of them are read as text, whatever
 * their types on an engine are, but for ids, which are UUIDs. */
#pragma once

#include "db/db.h"
#include "store/model.h"

enum django_table {
    DJANGO_USER,
    DJANGO_CONVERSATION,
    DJANGO_MEMBER,
    DJANGO_MESSAGE,
    DJANGO_TABLES
};

enum { DJANGO_FIELDS_MAX = 14 };

struct django {
    struct arena *arena; /* the command's */
    const char *tables[DJANGO_TABLES];
    const char *columns[DJANGO_TABLES][DJANGO_FIELDS_MAX]; /* NULL: there is none */
    struct db *db;
    int64_t metadata_dropped; /* was no JSON object */
    struct str problem;       /* a sentence, where a function has failed with ERR_INVALID */
};

/* What may be the name of a table or a column here: [A-Za-z_][A-Za-z0-9_]*, 63 bytes at most. */
bool django_name_valid(struct str name);
/* "user.email=mail,message.body=text": names columns. False: d->problem says why. */
bool django_map(struct django *d, struct str map) CHECKED;

/* Opens it, finds the columns that were not named, and begins a snapshot. With any failure d->problem is
 * set. d->db is the caller's to close. */
enum err django_open(struct django *d, const char *url, int64_t busy_timeout_ms) CHECKED;

enum err django_count(struct django *d, enum django_table table, int64_t *out) CHECKED;

struct django_user {
    struct user user;    /* username: as it is there, or empty */
    struct str password; /* as Django stores it */
};

/* Oldest first. These and the following live in `a`. */
enum err django_users(struct django *d, struct arena *a, int64_t limit, int64_t offset,
                      struct django_user **rows, size_t *count) CHECKED;

struct django_conversation {
    struct conversation conversation; /* updated_at 0, created_by zero: unknown */
    struct db_val key;                /* its id, as that database writes it */
};

/* The one that was active last comes first. */
enum err django_conversations(struct django *d, struct arena *a, int64_t limit, int64_t offset,
                              struct django_conversation **rows, size_t *count) CHECKED;
/* In the order in which they were added. */
enum err django_members(struct django *d, struct arena *a, const struct django_conversation *of,
                        int64_t limit, int64_t offset, struct uuid **rows, size_t *count) CHECKED;
/* In the order in which they were sent. */
enum err django_messages(struct django *d, struct arena *a, const struct django_conversation *of,
                         int64_t limit, int64_t offset, struct message **rows, size_t *count)
    CHECKED;
