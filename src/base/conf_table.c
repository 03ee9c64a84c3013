/* The table of settings. A new setting is a field in conf.h and a row here. */
#include "base/conf_private.h"

/* The offset of a field, which must have the type that the row writes to. */
#define FIELD(field, ctype)                                                                        \
    .offset = _Generic(((struct conf *)0)->field, ctype : offsetof(struct conf, field))
#define TEXT(field) .type = CONF_TEXT, FIELD(field, const char *)
#define CHOICE(field, words) .type = CONF_CHOICE, .choices = words, FIELD(field, const char *)
#define LIST(field, check) .type = CONF_LIST, .problem = check, FIELD(field, const char *)
#define BOOL(field) .type = CONF_BOOL, FIELD(field, bool)
#define RATE(field) .type = CONF_RATE, FIELD(field, struct rate)
#define RANGE(kind, field, lowest, highest)                                                        \
    .type = kind, FIELD(field, int64_t), .min = lowest, .max = highest
#define NUMBER(field, lowest, highest) RANGE(CONF_NUMBER, field, lowest, highest)
#define SECONDS(field, lowest, highest) RANGE(CONF_SECONDS, field, lowest, highest)
#define BYTES(field, lowest, highest) RANGE(CONF_BYTES, field, lowest, highest)

enum { DAY = 24 * 60 * 60, YEAR = 366 * DAY, KIB = 1024, MIB = 1024 * KIB };

const char *const conf_group_titles[CONF_GROUP_COUNT] = {
    [CONF_SERVER] = "Server",
    [CONF_DATA] = "Data",
    [CONF_ACCOUNTS] = "Accounts and log-ins",
    [CONF_LIMITS] = "Limits for people",
    [CONF_CAPACITY] = "Threads, queues and connections",
    [CONF_LIVE] = "Real time",
    [CONF_OPERATION] = "Operation",
};

/* clang-format off */
const struct conf_setting conf_table[] = {
    {"HOST", CONF_SERVER, TEXT(host), .initial = "127.0.0.1",
     .problem = conf_present_problem,
     .help = "Address to listen on; 0.0.0.0 means every IPv4 address, :: every address",
     .advice = "Set it to an address of this machine such as 127.0.0.1 or 0.0.0.0."},
    {"PORT", CONF_SERVER, NUMBER(port, 0, 65535), .initial = "8000",
     .help = "Port to listen on; 0 takes any free one and says which",
     .advice = "Set it to a free port such as 8000."},
    {"PUBLIC_URL", CONF_SERVER, TEXT(public_url), .initial = "",
     .problem = conf_public_url_problem,
     .help = "Address by which people reach the server, for links; empty: taken from each request",
     .advice = "Set it to something like https://chat.example.com, or leave it empty."},
    {"ALLOWED_HOSTS", CONF_SERVER, LIST(allowed_hosts, conf_host_pattern_problem),
     .initial = "localhost,127.0.0.1,[::1]", .is_lower = true,
     .help = "Host names the server answers to; .example.com means it and all below, * any",
     .advice = "Name hosts without scheme and port, such as chat.example.com,.example.org."},
    {"TRUSTED_PROXIES", CONF_SERVER, LIST(trusted_proxies, conf_network_problem), .initial = "",
     .help = "Proxies whose X-Forwarded-For and X-Forwarded-Proto count",
     .advice = "Name addresses or networks, such as 127.0.0.1,10.0.0.0/8."},
    {"CORS_ALLOWED_ORIGINS", CONF_SERVER, LIST(cors_allowed_origins, conf_origin_problem),
     .initial = "", .is_lower = true,
     .help = "Web pages of other origins that may call the API; * means any",
     .advice = "Name origins such as https://app.example.com, or set it to *."},

    {"DATA_DIR", CONF_DATA, TEXT(data_dir), .initial = "./data",
     .problem = conf_present_problem,
     .help = "Folder of the database and of the secret key; made when it is not there",
     .advice = "Set it to a folder such as ./data."},
    {"DATABASE_URL", CONF_DATA, TEXT(database_url), .initial = "", .is_url = true,
     .problem = conf_database_problem,
     .help = "sqlite:///relative/path, sqlite:////absolute/path, postgres://user:password@host/name or "
             "mysql://user:password@host/name; empty: what MYSQL_DATABASE says, or "
             "DATA_DIR/confab.sqlite3",
     .advice = "Set it to sqlite:////path/to/confab.sqlite3, postgres://user:password@host/name or "
               "mysql://user:password@host/name, or leave it empty for DATA_DIR/confab.sqlite3."},
    {"DATABASE_REPLICA_URL", CONF_DATA, TEXT(database_replica_url), .initial = "", .is_url = true,
     .problem = conf_replica_problem,
     .help = "postgres://... of a streaming replica of the PostgreSQL database, for searches; empty: none",
     .advice = "Set it to postgres://user:password@replica/name, or leave it empty."},
    {"MYSQL_DATABASE", CONF_DATA, TEXT(mysql_database), .initial = "",
     .help = "Database on MySQL or MariaDB, where DATABASE_URL is empty; so are the next four"},
    {"MYSQL_USER", CONF_DATA, TEXT(mysql_user), .initial = "", .help = "Its user"},
    {"MYSQL_PASSWORD", CONF_DATA, TEXT(mysql_password), .initial = "", .is_secret = true,
     .help = "The user's password"},
    {"MYSQL_HOST", CONF_DATA, TEXT(mysql_host), .initial = "localhost",
     .help = "Host of the database server, or the path of its socket"},
    {"MYSQL_PORT", CONF_DATA, NUMBER(mysql_port, 1, 65535), .initial = "3306",
     .help = "Port of the database server"},
    {"DB_BUSY_TIMEOUT_MS", CONF_DATA, NUMBER(db_busy_timeout_ms, 0, 600000), .initial = "5000",
     .help = "Milliseconds to wait for a database that another process writes to"},
    {"READ_THREADS", CONF_DATA, NUMBER(read_threads, 1, 16), .initial = "4",
     .help = "Threads that read from a database server, with a connection each; with SQLite none"},
    {"READ_QUEUE_MAX", CONF_DATA, NUMBER(read_queue_max, 1, 1000000), .initial = "2000",
     .help = "Reads that may wait for them; more are answered 503"},
    {"WRITE_THREADS", CONF_DATA, NUMBER(write_threads, 0, 8), .initial = "0",
     .help = "Threads that write to a database server, with a connection each, beside the one for what "
             "concerns several users or conversations; 0: on PostgreSQL one for every two cores, on MySQL and MariaDB 8. With SQLite one"},
    {"ASSETS_DIR", CONF_DATA, TEXT(assets_dir), .initial = "",
     .help = "Folder to read the pages' files from, for those who change them (./web); empty: they are "
             "inside the program"},
    {"AUTO_MIGRATE", CONF_DATA, BOOL(auto_migrate), .initial = "true",
     .help = "Bring the database up to date when the server starts"},

    {"SECRET_KEY", CONF_ACCOUNTS, TEXT(secret_key), .initial = "", .is_secret = true,
     .help = "Key for tokens and cursors; empty: made on first start and kept in DATA_DIR",
     .advice = "Set it to 50 or more random characters, or leave it empty."},
    {"AUTH_BASIC", CONF_ACCOUNTS, BOOL(auth_basic), .initial = "false",
     .help = "Accept HTTP Basic authentication; slow, as each request hashes the password"},
    {"ACCESS_TOKEN_LIFETIME", CONF_ACCOUNTS, SECONDS(access_token_lifetime, 1, YEAR),
     .initial = "3600", .help = "How long an access token (JWT) is good"},
    {"REFRESH_TOKEN_LIFETIME", CONF_ACCOUNTS, SECONDS(refresh_token_lifetime, 1, 5 * YEAR),
     .initial = "86400", .help = "How long a refresh token is good"},
    {"SESSION_COOKIE_AGE", CONF_ACCOUNTS, SECONDS(session_cookie_age, 60, 5 * YEAR),
     .initial = "1209600", .help = "How long a browser stays signed in"},
    {"REFRESH_GRACE", CONF_ACCOUNTS, SECONDS(refresh_grace, 0, 3600), .initial = "60",
     .help = "How long a used refresh token gives its new pair again, for retries"},
    {"PASSWORD_ITERATIONS", CONF_ACCOUNTS, NUMBER(password_iterations, 1, 10000000),
     .initial = "600000",
     .help = "PBKDF2 rounds of new password hashes; older hashes follow at the next log-in"},
    {"SESSIONS_PER_USER_MAX", CONF_ACCOUNTS, NUMBER(sessions_per_user_max, 1, 100000),
     .initial = "200", .help = "Sessions (devices) of one user; the oldest ends for a new one"},

    {"CONTACTS_VISIBLE", CONF_LIMITS, CHOICE(contacts_visible, "self,members"),
     .initial = "self",
     .help = "Who sees a user's e-mail and phone: only the user, or all who share a conversation"},
    {"PARTICIPANTS_MAX", CONF_LIMITS, NUMBER(participants_max, 2, 1000000), .initial = "10000",
     .help = "Participants of one conversation"},
    {"IDEMPOTENCY_HOURS", CONF_LIMITS, NUMBER(idempotency_hours, 1, 8784), .initial = "72",
     .help = "Hours for which the answer to an Idempotency-Key is kept"},
    {"CHANGES_KEEP_DAYS", CONF_LIMITS, NUMBER(changes_keep_days, 1, 3660), .initial = "7",
     .help = "Days for which the log of changes is kept; catching up does not need it"},
    {"THROTTLE_ANON", CONF_LIMITS, RATE(throttle_anon), .initial = "",
     .help = "Requests of an address that is not logged in"},
    {"THROTTLE_USER", CONF_LIMITS, RATE(throttle_user), .initial = "",
     .help = "Requests of a user"},
    {"THROTTLE_LOGIN", CONF_LIMITS, RATE(throttle_login), .initial = "20/min",
     .help = "Failed log-ins per address and account"},
    {"THROTTLE_REGISTER", CONF_LIMITS, RATE(throttle_register), .initial = "",
     .help = "New accounts per address"},

    {"HTTP_THREADS", CONF_CAPACITY, NUMBER(http_threads, 0, 256), .initial = "0",
     .help = "Threads that read requests; 0: as many as there are processor cores"},
    {"SLOW_THREADS", CONF_CAPACITY, NUMBER(slow_threads, 1, 16), .initial = "1",
     .help = "Threads for password hashes"},
    {"SLOW_QUEUE_MAX", CONF_CAPACITY, NUMBER(slow_queue_max, 1, 65536), .initial = "256",
     .help = "Requests that may wait for those threads before others get 503"},
    {"SEARCH_THREADS", CONF_CAPACITY, NUMBER(search_threads, 1, 16), .initial = "1",
     .help = "Threads for lists that look through texts"},
    {"SEARCH_QUEUE_MAX", CONF_CAPACITY, NUMBER(search_queue_max, 1, 65536), .initial = "256",
     .help = "Requests that may wait for those threads before others get 503"},
    {"PAGE_THREADS", CONF_CAPACITY, NUMBER(page_threads, 1, 16), .initial = "2",
     .help = "Threads that read what clients have missed"},
    {"WRITE_QUEUE_MAX", CONF_CAPACITY, NUMBER(write_queue_max, 1, 1000000), .initial = "4096",
     .help = "Writes that may wait for the database before others get 503"},
    {"WRITE_BATCH_MAX", CONF_CAPACITY, NUMBER(write_batch_max, 1, 10000), .initial = "256",
     .help = "Writes that are committed together"},
    {"BODY_SIZE_MAX", CONF_CAPACITY, BYTES(body_size_max, KIB, 256 * MIB), .initial = "1048576",
     .help = "Size of a request's body; more gets 413"},
    {"REQUEST_MEMORY_MAX", CONF_CAPACITY, BYTES(request_memory_max, 16 * MIB, INT64_C(1) << 40),
     .initial = "268435456",
     .help = "Memory of all large bodies under way, and of all answers; beyond it others get 503"},
    {"CONNECTIONS_MAX", CONF_CAPACITY, NUMBER(connections_max, 1, 1000000), .initial = "10000",
     .help = "Open connections"},
    {"CONNECTIONS_PER_ADDRESS_MAX", CONF_CAPACITY,
     NUMBER(connections_per_address_max, 0, 1000000), .initial = "2000",
     .help = "Open connections of one address; 0: no limit"},
    {"CONNECTION_TIMEOUT", CONF_CAPACITY, SECONDS(connection_timeout, 1, 3600), .initial = "60",
     .help = "How long a connection may be idle"},
    {"REQUEST_TIMEOUT", CONF_CAPACITY, SECONDS(request_timeout, 1, 3600), .initial = "30",
     .help = "How long a request may take to arrive; a second more for each KiB of its body"},
    {"CONNECTION_MEMORY_MAX", CONF_CAPACITY, BYTES(connection_memory_max, 4 * KIB, 16 * MIB),
     .initial = "32768", .help = "Memory of a connection, and so of a request's head"},
    {"READ_TIMEOUT_MS", CONF_CAPACITY, NUMBER(read_timeout_ms, 10, 600000), .initial = "5000",
     .help = "Milliseconds that a query may take before it ends with 503"},

    {"LIVE_THREADS", CONF_LIVE, NUMBER(live_threads, 0, 64), .initial = "0",
     .help = "Threads that serve sockets; 0: as many as there are processor cores, at most 4"},
    {"SOCKETS_MAX", CONF_LIVE, NUMBER(sockets_max, 1, 1000000), .initial = "10000",
     .help = "Clients that listen: WebSockets, event streams and long polls together"},
    {"SOCKETS_PER_USER_MAX", CONF_LIVE, NUMBER(sockets_per_user_max, 1, 1000000),
     .initial = "100", .help = "Those of one user"},
    {"SOCKETS_PER_ADDRESS_MAX", CONF_LIVE, NUMBER(sockets_per_address_max, 0, 1000000),
     .initial = "2000", .help = "Those of one address; 0: no limit"},
    {"SOCKET_BUFFER_MAX", CONF_LIVE, BYTES(socket_buffer_max, 4 * KIB, 16 * MIB),
     .initial = "65536",
     .help = "What may wait for one slow reader in memory; more is read again when he is ready"},
    {"SOCKET_MESSAGE_MAX", CONF_LIVE, BYTES(socket_message_max, KIB, 16 * MIB),
     .initial = "131072", .help = "Size of a message that a WebSocket client sends"},
    {"HEARTBEAT_INTERVAL", CONF_LIVE, SECONDS(heartbeat_interval, 1, 3600), .initial = "25",
     .help = "Time between signs of life; a client that is silent for three of them is closed"},
    {"RING_SIZE_MAX", CONF_LIVE, BYTES(ring_size_max, 64 * KIB, INT64_C(1) << 30),
     .initial = "8388608",
     .help = "Recent changes kept in memory, for clients that come back at once"},
    {"REDIS_URL", CONF_LIVE, TEXT(redis_url), .initial = "", .is_url = true,
     .problem = conf_redis_problem,
     .help = "Redis or Valkey through which several nodes on one database tell each other what is "
             "new; empty: none",
     .advice = "Set it to redis://:password@host:6379/0, rediss://... for TLS or "
               "redis+unix:///path/of/socket, or leave it empty."},

    {"DEBUG", CONF_OPERATION, BOOL(debug), .initial = "false",
     .help = "Show details of failures; never on a server that others reach"},
    {"LOG_LEVEL", CONF_OPERATION, CHOICE(log_level, "debug,info,warning,error"),
     .initial = "info", .help = "Least important kind of log line that is written"},
    {"ACCESS_LOG", CONF_OPERATION, BOOL(access_log), .initial = "false",
     .help = "Write a log line for each request"},
    {"EXPORT_ROWS", CONF_OPERATION, NUMBER(export_rows, 1, 10000000), .initial = "100000",
     .help = "Rows of a list that an admin may fetch as one file"},
    {"METRICS_ALLOW", CONF_OPERATION, LIST(metrics_allow, conf_network_problem), .initial = "",
     .help = "Addresses that may read /metrics without being an admin",
     .advice = "Name addresses or networks, such as 127.0.0.1,10.0.0.0/8."},
    {"ENV_FILE", CONF_OPERATION, TEXT(env_file), .initial = "",
     .help = "File of settings, NAME=value; empty: .env in the working folder, if there is one",
     .advice = "Set it to a file that can be read, or leave it empty."},
};
/* clang-format on */

const size_t conf_table_count = COUNT_OF(conf_table);
_Static_assert(COUNT_OF(conf_table) <= CONF_SETTINGS_MAX, "conf.h: CONF_SETTINGS_MAX");
