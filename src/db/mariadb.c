/* MySQL and MariaDB through libmariadb. Their rows and statements are in mariadb_rows.c.
 *
 * A transaction that writes is READ COMMITTED: whoever writes in a shard holds its counter, and sees
 * all that was committed before. One that reads is a snapshot from its first moment on. A statement
 * that fails is undone, and its transaction goes on; a deadlock, and a wait for a lock that was too
 * long, end it (db_in_transaction() is false then).
 *
 * A connection that is lost fails what is under way with ERR_UNAVAILABLE (amid a COMMIT with
 * ERR_OUTCOME_UNKNOWN). The next transaction connects again, and while the server cannot be reached it
 * fails at once, with a try every now and then.
 *
 * What defines a table cannot be undone: db/migrate.c sees to that (keeps_definitions). */
#include <inttypes.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/mariadb_private.h"

enum {
    CONNECT_TIMEOUT_S = 3,
    SILENCE_MAX_S = 30,    /* of a peer that has something to acknowledge */
    IDLE_MAX_S = 30000000, /* the server's own limit is hours */
    CLIENT_ERRORS = 2000,  /* the library's own codes: the connection is of no use any more */
    CLIENT_ERRORS_END = 3000,
    PLACES = 256, /* of writers, of all nodes */
};

/* Codes that mysqld_error.h of MariaDB does not have, or has under another name. */
enum {
    CODE_DISK_FULL = 1021,
    CODE_STATEMENT_TIMEOUT = 1969, /* MariaDB */
    CODE_QUERY_TIMEOUT = 3024,     /* MySQL */
    CODE_KILLED = 1927,            /* MariaDB */
    CODE_IDLE = 4031,              /* MySQL */
};

/* --- failures ------------------------------------------------------------------------------ */

static bool is_loss(unsigned int code)
{
    return (code >= CLIENT_ERRORS && code < CLIENT_ERRORS_END) || code == ER_SERVER_SHUTDOWN ||
           code == ER_NORMAL_SHUTDOWN || code == CODE_KILLED || code == CODE_IDLE;
}

/* https://mariadb.com/kb/en/mariadb-error-codes/ */
static enum err class_of(unsigned int code)
{
    switch (code) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME: return ERR_DB_UNIQUE;
    case ER_NO_REFERENCED_ROW:
    case ER_NO_REFERENCED_ROW_2:
    case ER_ROW_IS_REFERENCED:
    case ER_ROW_IS_REFERENCED_2: return ERR_DB_REFERENCE;
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_QUERY_INTERRUPTED:
    case ER_CHECKREAD:
    case CODE_STATEMENT_TIMEOUT:
    case CODE_QUERY_TIMEOUT: return ERR_BUSY;
    case ER_RECORD_FILE_FULL:
    case CODE_DISK_FULL: return ERR_STORAGE_FULL;
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_OPTION_PREVENTS_STATEMENT: /* read_only */
    case ER_GET_ERRNO:
    case ER_ERROR_ON_WRITE: return ERR_UNAVAILABLE;
    default: return is_loss(code) ? ERR_UNAVAILABLE : ERR_INTERNAL;
    }
}

enum err mariadb_classify(struct db *db, unsigned int code, const char *message, const char *what)
{
    struct session *session = db->prepared;
    enum err e = class_of(code);
    if (e != ERR_DB_UNIQUE && e != ERR_DB_REFERENCE) {
        log_warning("mariadb code=%u in=%s message=%s", code, what, message);
    }
    session->is_lost = session->is_lost || is_loss(code);
    if (session->transaction == TRANSACTION_OPEN &&
        (session->is_lost || code == ER_LOCK_DEADLOCK || code == ER_LOCK_WAIT_TIMEOUT)) {
        session->transaction = TRANSACTION_ENDED;
    }
    return e;
}

static enum err fail(struct db *db, const char *what)
{
    return mariadb_classify(db, mysql_errno(db->handle), mysql_error(db->handle), what);
}

/* Of statements whose rows do not matter; more than one with ';' between them. */
static enum err run(struct db *db, const char *sql)
{
    MYSQL *mysql = db->handle;
    bool has_failed = mysql_real_query(mysql, sql, strlen(sql)) != 0; /* -1: it was not even sent */
    int more = 0;
    while (!has_failed && more == 0) {
        mysql_free_result(mysql_store_result(mysql));
        more = mysql_next_result(mysql); /* -1: there is none */
        has_failed = more > 0;
    }
    return has_failed ? fail(db, sql) : ERR_OK;
}

/* The one number that is asked for; NULL is 0. */
static enum err ask(struct db *db, const char *sql, int64_t *out)
{
    MYSQL *mysql = db->handle;
    *out = 0;
    if (mysql_real_query(mysql, sql, strlen(sql)) != 0) {
        return fail(db, sql);
    }
    MYSQL_RES *result = mysql_store_result(mysql);
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    bool found = row != NULL && (row[0] == NULL || str_to_i64(str_of(row[0]), out));
    mysql_free_result(result);
    return found ? ERR_OK : ERR_INTERNAL;
}

/* --- connecting ---------------------------------------------------------------------------- */

/* How long to wait for a lock: whole seconds, and at least one. */
static int64_t wait_s(const struct db *db)
{
    return 1 + (db->options.busy_timeout_ms - 1) / 1000;
}

/* What no server decides for us: its modes, in which text is what it is and data is not bent to fit,
 * UTC, and how long one waits. */
static enum err set_up(struct db *db)
{
    char sql[640];
    snprintf(sql, sizeof(sql),
             "SET NAMES utf8mb4 COLLATE utf8mb4_bin;"
             "SET sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
             "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ANSI_QUOTES,PIPES_AS_CONCAT,"
             "NO_BACKSLASH_ESCAPES', time_zone = '+00:00', foreign_key_checks = 1,"
             " unique_checks = 1, autocommit = 1, default_storage_engine = InnoDB,"
             " innodb_lock_wait_timeout = %" PRId64 ", lock_wait_timeout = %" PRId64
             ", wait_timeout = %d;"
             "SET SESSION TRANSACTION ISOLATION LEVEL %s",
             wait_s(db), wait_s(db), IDLE_MAX_S,
             db->options.read_only ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED, READ WRITE");
    return run(db, sql);
}

/* What durability rests on, and no client can ask for. */
static void warn_if_unsafe(struct db *db)
{
    static const struct {
        const char *test; /* 1: unsafe */
        const char *what;
    } settings[] = {
        {"SELECT @@innodb_flush_log_at_trx_commit <> 1", "innodb_flush_log_at_trx_commit is not 1"},
        {"SELECT @@log_bin AND @@sync_binlog <> 1", "sync_binlog is not 1"},
    };
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        int64_t unsafe = 0;
        enum err e = ask(db, settings[i].test, &unsafe);
        if (e == ERR_OK && unsafe != 0) {
            log_warning("the database server's %s: a crash of it may lose acknowledged messages",
                        settings[i].what);
        }
    }
}

static void set_options(MYSQL *mysql, const struct mariadb_url *url)
{
    const unsigned int connect_timeout_s = CONNECT_TIMEOUT_S;
    const unsigned int no_files = 0; /* no server reads our files */
    const my_bool yes = 1;
    (void)mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout_s);
    (void)mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
    (void)mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (url->tls != MARIADB_TLS_NONE) {
        (void)mysql_ssl_set(mysql, url->key, url->certificate, url->ca, NULL, NULL);
        (void)mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    }
    if (url->tls == MARIADB_TLS_VERIFY) {
        (void)mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
}

/* A peer that is gone without a word is noticed. */
static void watch_peer(MYSQL *mysql)
{
    int fd = (int)mysql_get_socket(mysql);
    const unsigned int silence_ms = SILENCE_MAX_S * 1000;
    const int yes = 1;
    const int idle_s = SILENCE_MAX_S;
    /* they fail on a Unix socket, which needs none of it */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
}

static void disconnect(struct db *db)
{
    struct session *session = db->prepared;
    mariadb_forget_statements(db);
    if (db->handle != NULL) {
        mysql_close(db->handle);
    }
    db->handle = mysql_init(NULL);
    session->is_lost = true;
    session->transaction = TRANSACTION_NONE;
    session->limit_ms = 0;
}

/* Locks of a name are nobody's to share, so there are many: a writer holds any of them, and who needs
 * the database alone holds all. They are held as long as the connection lives. */
static enum err claim(struct db *db)
{
    bool is_alone = db->options.alone;
    int64_t is_mine = is_alone ? 1 : 0;
    enum err e = ERR_OK;
    for (int n = 0; n < PLACES && e == ERR_OK && (is_mine == 1) == is_alone; n++) {
        char sql[128];
        snprintf(sql, sizeof(sql),
                 "SELECT GET_LOCK(CONCAT('confab/', MD5(DATABASE()), '/%d'), %" PRId64 ")", n,
                 is_alone ? wait_s(db) : 0);
        e = ask(db, sql, &is_mine);
    }
    return e == ERR_OK && is_mine != 1 ? ERR_BUSY : e;
}

static enum err connect_now(struct db *db)
{
    struct session *session = db->prepared;
    const struct mariadb_url *url = &session->url;
    disconnect(db);
    if (db->handle == NULL) {
        return ERR_UNAVAILABLE;
    }
    set_options(db->handle, url);
    if (mysql_real_connect(db->handle, url->host, url->user, url->password, url->database,
                           url->port, url->socket, CLIENT_MULTI_STATEMENTS) == NULL) {
        return fail(db, "connect");
    }
    session->is_lost = false;
    watch_peer(db->handle);
    enum err e = set_up(db);
    if (e == ERR_OK && db->options.writes_steadily) {
        warn_if_unsafe(db);
    }
    if (e == ERR_OK && (db->options.writes_steadily || db->options.alone)) {
        e = claim(db);
    }
    db->connections += e == ERR_OK ? 1 : 0;
    session->is_lost = e != ERR_OK; /* half set up it is of no use */
    return e;
}

static enum err connect_if_lost(struct db *db)
{
    struct session *session = db->prepared;
    if (!session->is_lost) {
        return ERR_OK;
    }
    return db_connect_again(db, &session->backoff, connect_now);
}

static void initialise(void)
{
    (void)mysql_library_init(0, NULL, NULL);
}

static enum err mariadb_open(struct db *db, const char *url, struct arena *a, struct str *problem)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct session *session =
        mem_alloc_zero(sizeof(*session) + db->options.queries.count * sizeof(struct statement));
    (void)pthread_once(&once, initialise);
    db->prepared = session;
    arena_init(&session->arena);
    if (!mariadb_url_parse(&session->arena, str_of(url), &session->url, problem)) {
        *problem = arena_copy(a, *problem);
        return ERR_INTERNAL;
    }
    enum err e = connect_now(db);
    if (e != ERR_OK) {
        const char *why = db->handle != NULL ? mysql_error(db->handle) : "out of memory";
        *problem = db_open_problem(db, e, str_of(why), a);
    }
    return e;
}

static void mariadb_close(struct db *db)
{
    struct session *session = db->prepared;
    if (session != NULL) {
        mariadb_forget_statements(db);
        arena_fini(&session->arena);
        free(session);
    }
    if (db->handle != NULL) {
        mysql_close(db->handle);
    }
}

/* --- transactions -------------------------------------------------------------------------- */

static bool mariadb_in_transaction(struct db *db)
{
    const struct session *session = db->prepared;
    return session->transaction == TRANSACTION_OPEN;
}

/* MariaDB limits every statement, in seconds; MySQL those that read, in milliseconds. */
static void add_limit(const struct db *db, int64_t limit_ms, char *sql, size_t size)
{
    if (mariadb_connection(db->handle)) {
        snprintf(sql, size, "SET max_statement_time = %" PRId64 ".%03d;", limit_ms / 1000,
                 (int)(limit_ms % 1000));
    } else {
        snprintf(sql, size, "SET max_execution_time = %" PRId64 ";", limit_ms);
    }
}

static enum err begin_now(struct db *db, bool for_writing)
{
    struct session *session = db->prepared;
    int64_t limit_ms = db_time_left_ms(db);
    char limit[64] = "";
    char sql[256];
    if (limit_ms != session->limit_ms) {
        add_limit(db, limit_ms, limit, sizeof(limit));
    }
    const char *isolation = db->options.read_only || for_writing
                                ? ""
                                : "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;";
    snprintf(sql, sizeof(sql), "%s%sSTART TRANSACTION%s", limit, isolation,
             for_writing ? "" : " WITH CONSISTENT SNAPSHOT, READ ONLY");
    enum err e = run(db, sql);
    if (e == ERR_OK) {
        session->limit_ms = limit_ms;
        session->transaction = TRANSACTION_OPEN;
    }
    return e;
}

static enum err mariadb_begin(struct db *db, bool for_writing)
{
    struct session *session = db->prepared;
    enum err e = connect_if_lost(db);
    if (e != ERR_OK) {
        return e;
    }
    e = begin_now(db, for_writing);
    if (e != ERR_OK && session->is_lost) {
        e = connect_if_lost(db); /* it was lost while nobody used it */
        return e == ERR_OK ? begin_now(db, for_writing) : e;
    }
    return e;
}

static void mariadb_rollback(struct db *db)
{
    struct session *session = db->prepared;
    bool is_open = session->transaction != TRANSACTION_NONE && !session->is_lost;
    session->transaction = TRANSACTION_NONE;
    if (is_open) {
        enum err e = run(db, "ROLLBACK");
        if (e != ERR_OK) {
            log_error("rollback failed code=%s", err_code(e));
        }
    }
}

static enum err mariadb_commit(struct db *db)
{
    struct session *session = db->prepared;
    if (session->transaction != TRANSACTION_OPEN) {
        mariadb_rollback(db);
        return ERR_INTERNAL; /* of a transaction that had failed */
    }
    enum err e = run(db, "COMMIT");
    if (e == ERR_OK) {
        session->transaction = TRANSACTION_NONE;
        return e;
    }
    bool is_lost = session->is_lost;
    mariadb_rollback(db);
    return is_lost && !db->options.read_only ? ERR_OUTCOME_UNKNOWN : e;
}

static int64_t mariadb_changed(struct db *db)
{
    const struct session *session = db->prepared;
    return session->changed;
}

static int64_t mariadb_total_changes(struct db *db)
{
    const struct session *session = db->prepared;
    return session->changes;
}

static enum err mariadb_script(struct db *db, const char *sql, struct arena *a, struct str *problem)
{
    enum err e = run(db, sql);
    if (e != ERR_OK) {
        *problem = arena_copy(a, str_trim(str_of(mysql_error(db->handle))));
    }
    return e;
}

/* Named after the database, because names are the whole server's. */
static enum err mariadb_hold(struct db *db, struct arena *a, struct str *problem)
{
    char sql[128];
    int64_t is_mine = 0;
    snprintf(sql, sizeof(sql), "SELECT GET_LOCK(CONCAT('confab/', MD5(DATABASE())), %" PRId64 ")",
             wait_s(db));
    enum err e = ask(db, sql, &is_mine);
    e = e == ERR_OK && is_mine != 1 ? ERR_BUSY : e;
    if (e != ERR_OK) {
        *problem =
            arena_printf(a, "The database is being migrated by another process (%s).", err_code(e));
    }
    return e;
}

/* MySQL has a number of its own. A restored dump has tables that were made anew; MariaDB's numbers of
 * servers follow from network addresses, which change with every container. */
static const char server_identity[] =
    "(SELECT CONCAT(/*!80000 @@server_uuid, ' ', */ create_time) FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'incarnation')";
/* Both times are of the beginning of the statement: the difference is the same whenever one asks. */
static const char server_start[] =
    "(SELECT CONCAT('', UNIX_TIMESTAMP() - CAST(variable_value AS SIGNED))"
    " FROM /*M! information_schema */ /*!80000 performance_schema */ .global_status"
    " WHERE variable_name = 'Uptime')";

/* Keys are bytes: no collation of both MySQL and MariaDB takes blanks at the end for what they are. */
const struct db_driver db_mariadb = {
    .schemes = {"mysql", "mariadb"},
    .dialect = {.words = {[T_UUID] = "BINARY(16)",
                          [T_INT] = "BIGINT",
                          [T_BOOL] = "BOOLEAN",
                          [T_TIME] = "DATETIME(6)",
                          [T_TEXT] = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                          [T_KEY] = "VARBINARY(2048)",
                          [T_BLOB32] = "VARBINARY(32)",
                          [T_CLUSTERED] = "ENGINE = InnoDB, ROW_FORMAT = DYNAMIC",
                          [X_UUID] = "BINARY(16)",
                          [X_INT] = "SIGNED",
                          [X_BOOL] = "SIGNED",
                          [X_TIME] = "DATETIME(6)",
                          [X_TEXT] = "CHAR",
                          [X_SERVER] = server_identity,
                          [X_SINCE] = server_start,
                          [X_ANALYZE] = "ANALYZE TABLE",
                          [X_SIZE] =
                              "(SELECT CAST(coalesce(sum(data_length + index_length), 0) AS SIGNED)"
                              " FROM information_schema.tables WHERE table_schema = DATABASE())",
                          [T_SHARDS] = "8",
                          [X_COLUMNS] =
                              "(SELECT column_name AS name FROM information_schema.columns"
                              " WHERE table_schema = DATABASE() AND table_name = ?1) found",
                          [X_FOLD] = "REPLACE(LOWER((",
                          [X_FOLDED] = ") COLLATE utf8mb4_unicode_520_ci) COLLATE utf8mb4_bin,"
                                       " 'ß', 'ss')"},
                .parameter = "?",
                .is_mysql = true},
    .keeps_definitions = true,
    .hold = mariadb_hold,
    .open = mariadb_open,
    .close = mariadb_close,
    .prepare = mariadb_prepare,
    .query = mariadb_query,
    .next = mariadb_next,
    .end = mariadb_end,
    .is_null = mariadb_is_null,
    .get_int = mariadb_get_int,
    .get_bytes = mariadb_get_bytes,
    .changed = mariadb_changed,
    .begin = mariadb_begin,
    .commit = mariadb_commit,
    .rollback = mariadb_rollback,
    .total_changes = mariadb_total_changes,
    .in_transaction = mariadb_in_transaction,
    .script = mariadb_script,
};
