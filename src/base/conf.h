/* The settings. One table in conf.c is the source of the flags, the environment names, the
 * defaults, the limits, `confab --help`, docs/configuration.md and the texts of the errors.
 *
 * A flag wins over the environment, the environment over the file `.env` (or ENV_FILE), the file
 * over the default. Loaded once, before threads start; read-only from then on, so any thread reads
 * it without a lock. Text lives in the arena that was given to conf_load. */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"

/* "20/min": at most that many in the period. No requests: no limit. */
struct rate {
    int64_t requests;
    int64_t per_seconds;
};

enum { CONF_SETTINGS_MAX = 80 };

/* Fields are named after the settings. Text is never NULL; a list is joined by single commas
 * without blanks, as str_in_list reads it. */
struct conf {
    /* where it listens, what it is called */
    const char *host;
    int64_t port;                     /* 0: any free port */
    const char *public_url;           /* normal form, no slash at the end; "": from the request */
    const char *allowed_hosts;        /* list */
    const char *trusted_proxies;      /* list of addresses and networks */
    const char *cors_allowed_origins; /* list, or "*" */

    /* data */
    const char *data_dir;
    const char *assets_dir; /* "": assets are those inside the program */
    const char *database_url; /* made from mysql_... where they are set and it is not */
    const char *database_replica_url;
    const char *mysql_database;
    const char *mysql_user;
    const char *mysql_password;
    const char *mysql_host;
    int64_t mysql_port;
    int64_t read_threads;
    int64_t read_queue_max;
    int64_t write_threads; /* 0: as the engine needs */
    const char *database_path; /* made of the URL, or of data_dir: the SQLite file; NULL: a server */
    const char *database_name; /* for people: that file, or the URL without its password */
    int64_t db_busy_timeout_ms;
    bool auto_migrate;

    /* secrets and log-ins */
    const char *secret_key; /* "": the one that is kept in data_dir */
    bool auth_basic;
    int64_t access_token_lifetime;  /* seconds */
    int64_t refresh_token_lifetime; /* seconds */
    int64_t session_cookie_age;     /* seconds */
    int64_t refresh_grace;          /* seconds */
    int64_t password_iterations;
    int64_t sessions_per_user_max;

    /* what people may do */
    const char *contacts_visible; /* "self" or "members" */
    int64_t participants_max;
    int64_t idempotency_hours;
    int64_t changes_keep_days;
    struct rate throttle_anon;
    struct rate throttle_user;
    struct rate throttle_login;
    struct rate throttle_register;

    /* threads, queues, connections */
    int64_t http_threads; /* 0: as many as there are cores */
    int64_t slow_threads;
    int64_t slow_queue_max;
    int64_t search_threads;
    int64_t search_queue_max;
    int64_t page_threads;
    int64_t write_queue_max;
    int64_t write_batch_max;
    int64_t body_size_max;      /* bytes */
    int64_t request_memory_max; /* bytes */
    int64_t connections_max;
    int64_t connections_per_address_max; /* 0: no limit */
    int64_t connection_timeout;          /* seconds */
    int64_t request_timeout;             /* seconds */
    int64_t connection_memory_max;       /* bytes */
    int64_t read_timeout_ms;

    /* real time */
    int64_t live_threads; /* 0: as many as there are cores, at most 4 */
    int64_t sockets_max;
    int64_t sockets_per_user_max;
    int64_t sockets_per_address_max; /* 0: no limit */
    int64_t socket_buffer_max;       /* bytes */
    int64_t socket_message_max;      /* bytes */
    int64_t heartbeat_interval;      /* seconds */
    int64_t ring_size_max;           /* bytes */
    const char *redis_url;           /* "": no other nodes are told */

    /* operation */
    bool debug;
    const char *log_level; /* "debug", "info", "warning" or "error" */
    bool access_log;
    int64_t export_rows;
    const char *metrics_allow; /* list of addresses and networks */
    const char *env_file;      /* "": .env where there is one */

    /* private to conf.c: where each setting came from, in the order of the table */
    const char *sources[CONF_SETTINGS_MAX];
};

/* Every setting at its default. */
void conf_init(struct conf *conf);

/* Takes the settings' flags (`--port 8000`, `--port=8000`, `--debug`, `--no-debug`) out of
 * argv[1..*argc), and leaves there, in their order, what is not a setting: sub-command, other
 * flags; nothing behind "--" is looked at. Then reads `environment` (NAME=value, NULL at the end)
 * and the .env file. false: *error has one sentence (no line end, no secret) that names the setting
 * and its source and says what to do. */
bool conf_load(struct conf *conf, struct arena *a, int *argc, char **argv, char *const *environment,
               struct buf *error) CHECKED;

/* Where the value of the setting `name` ("PORT") is from: "the flag --port", "the environment",
 * ".env line 3" or "default". NULL: there is no such setting. */
const char *conf_source(const struct conf *conf, const char *name);

/* The settings part of `confab --help`. */
void conf_print_help(FILE *out);
/* The tables of docs/configuration.md. */
void conf_print_markdown(FILE *out);
/* One setting in force, for people. */
struct conf_entry {
    const char *name;
    const char *group;  /* "Real time" */
    struct str value;   /* of a secret only whether it is set; of an address without its password */
    const char *initial;
    const char *source; /* as conf_source() has it */
    const char *help;
    struct str allowed; /* "a whole number from 0 to 65535" */
    bool is_secret;
};

size_t conf_count(void);
/* The i-th of the table; text in `a` or for ever. */
void conf_entry_get(const struct conf *conf, size_t i, struct arena *a, struct conf_entry *out);
/* NAME=value and its source, a line each; of a secret only whether it is set. */
void conf_print_values(const struct conf *conf, FILE *out);

/* "20/min": second, minute, hour or day, or the beginning of the word; "" and "0": no limit. */
bool conf_parse_rate(struct str text, struct rate *out) CHECKED;

/* A database by its URL, as DATABASE_URL is written. */
struct conf_database {
    const char *url;  /* for db_open */
    const char *path; /* the SQLite file; NULL: a server */
    const char *name; /* for people: that file, or the URL without its password */
};

/* In `a`. NULL, or what is wrong with the URL: "is neither ...". */
const char *conf_database(struct arena *a, struct str url, struct conf_database *out);
