/* What the conf*.c files share: the table (conf_table.c), values (conf_value.c), loading (conf.c),
 * .env (conf_env.c), checks (conf_check.c), printing (conf_print.c). Nobody else includes this. */
#pragma once

#include "base/conf.h"

enum conf_type {
    CONF_TEXT,
    CONF_CHOICE, /* one of `choices` */
    CONF_LIST,   /* comma separated; `problem` sees each part */
    CONF_BOOL,
    CONF_NUMBER,
    CONF_SECONDS, /* a number; 15m, 12h and 7d are understood too */
    CONF_BYTES,   /* a number; 64k, 1m and 1g are understood too */
    CONF_RATE
};

enum conf_group {
    CONF_SERVER,
    CONF_DATA,
    CONF_ACCOUNTS,
    CONF_LIMITS,
    CONF_CAPACITY,
    CONF_LIVE,
    CONF_OPERATION,
    CONF_GROUP_COUNT
};

/* One setting. Its flag is its name in lower case with dashes: HTTP_THREADS is --http-threads. */
struct conf_setting {
    const char *name;
    enum conf_group group;
    enum conf_type type;
    size_t offset; /* of its field in struct conf */
    int64_t min;
    int64_t max;
    const char *choices; /* comma separated */
    const char *initial; /* a text as it would stand in the environment, in its final form */
    bool is_secret;      /* never printed, not even in an error */
    bool is_url;         /* printed without the password in it */
    bool is_lower;       /* letters are made small */
    /* What is wrong with the text: "is empty"; NULL: nothing. */
    const char *(*problem)(struct str text);
    const char *help;   /* one line, no full stop at its end */
    const char *advice; /* a sentence for errors; NULL: made from type and limits */
};

extern const struct conf_setting conf_table[];
extern const size_t conf_table_count;
extern const char *const conf_group_titles[CONF_GROUP_COUNT];

/* The row for "PORT"; NULL if there is none. */
const struct conf_setting *conf_find(struct str name);
enum { CONF_FLAG_MAX = 48 };
/* "--port", zero-terminated. */
void conf_flag(const struct conf_setting *setting, char out[CONF_FLAG_MAX]);

/* Why a value cannot be taken: `quoted` "abc" (absent: not to be shown) and what it is or has. */
struct conf_problem {
    struct str quoted;
    struct str what;
};

void conf_set_default(struct conf *conf, const struct conf_setting *setting);
/* Reads `text` into the setting's field. Lists and text are copied into the arena. */
bool conf_set(struct conf *conf, const struct conf_setting *setting, struct arena *a,
              struct str text, struct conf_problem *problem) CHECKED;
/* What is allowed, for errors, help and documentation: "a whole number from 0 to 65535". */
void conf_describe(const struct conf_setting *setting, struct buf *out);
/* The value as it would stand in the environment. */
void conf_value_text(const struct conf *conf, const struct conf_setting *setting, struct buf *out);

/* Is `text` one of the comma-separated `words`, whatever its case? */
bool conf_is_one_of(struct str text, const char *words);
/* Cuts "scheme://" off *url; absent (and *url as it was) if there is none. */
struct str conf_cut_scheme(struct str *url);

/* sqlite:///path (relative to the working folder), sqlite:////path (absolute): the path. Only of
 * an address in which conf_database_problem found nothing. */
struct str conf_database_path(struct arena *a, struct str url);
/* Is it the URL of a database server? */
bool conf_is_server_url(struct str url);
/* May there be a password in it? */
bool conf_has_login(struct str url);
/* mysql://... of the settings MYSQL_*. */
struct str conf_mysql_url(struct arena *a, const struct conf *conf);
struct str conf_without_password(struct arena *a, struct str url);
/* The checks of the table. */
const char *conf_database_problem(struct str url);
const char *conf_replica_problem(struct str url);
const char *conf_redis_problem(struct str url);
const char *conf_present_problem(struct str text);
const char *conf_public_url_problem(struct str text);
const char *conf_host_pattern_problem(struct str text);
const char *conf_network_problem(struct str text);
const char *conf_origin_problem(struct str text);
