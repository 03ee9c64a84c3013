/* PostgreSQL through libpq: statements are prepared once on each connection, parameters and results are
 * binary (https://www.postgresql.org/docs/15/protocol.html), a result is read whole.
 *
 * A transaction that writes is READ COMMITTED: whoever writes in a shard holds its counter, and sees
 * all that was committed before. One that reads is a snapshot, REPEATABLE READ. A statement that fails
 * ends its transaction (db_in_transaction() is false then).
 *
 * A connection that is lost fails what is under way with ERR_UNAVAILABLE (amid a COMMIT with
 * ERR_OUTCOME_UNKNOWN). The next transaction connects again, and while the server cannot be reached it
 * fails at once, with a try every now and then. */
#include <endian.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/backoff.h"
#include "db/driver.h"

enum {
    PARAMETERS_MAX = 32,
    CONNECT_TIMEOUT_S = 3,
};

/* Object ids of types (pg_type.dat); they are the same in every database. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_UNUSED = 18, /* "char" */
    OID_TEXT = 25,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
};

/* Microseconds from 1970 to 2000, where PostgreSQL's times begin. */
static const int64_t epoch_us = INT64_C(946684800) * 1000000;

struct statement {
    bool is_prepared; /* on the present connection */
    int parameter_count;
    Oid types[PARAMETERS_MAX];
};

struct session {
    char *url;
    int64_t changes;
    int64_t changed; /* rows of the last statement */
    struct backoff backoff;
    struct statement statements[]; /* options.queries.count of them */
};

/* db_rows.statement */
struct result {
    PGresult *rows;
    int at;
};

static PGconn *connection_of(struct db *db)
{
    return db->handle;
}

/* --- failures ------------------------------------------------------------------------------ */

static bool begins(const char *state, const char *with)
{
    return strncmp(state, with, strlen(with)) == 0;
}

/* By SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html). */
static enum err class_of(const char *state)
{
    static const struct {
        const char *state; /* or its beginning */
        enum err e;
    } classes[] = {
        {"23505", ERR_DB_UNIQUE},    {"23503", ERR_DB_REFERENCE}, {"40001", ERR_BUSY},
        {"40P01", ERR_BUSY},         {"55P03", ERR_BUSY},         {"57014", ERR_BUSY},
        {"53100", ERR_STORAGE_FULL}, {"53", ERR_UNAVAILABLE},     {"08", ERR_UNAVAILABLE},
        {"57P", ERR_UNAVAILABLE},    {"58", ERR_UNAVAILABLE},     {"25006", ERR_UNAVAILABLE},
        {"XX00", ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if (begins(state, classes[i].state)) {
            return classes[i].e;
        }
    }
    return ERR_INTERNAL;
}

/* `result` may be NULL. */
static enum err classify(struct db *db, const PGresult *result, const char *what)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool is_lost = PQstatus(connection_of(db)) != CONNECTION_OK;
    enum err e = is_lost || state == NULL ? ERR_UNAVAILABLE : class_of(state);
    if (e != ERR_DB_UNIQUE && e != ERR_DB_REFERENCE) {
        struct str message = str_of(PQerrorMessage(connection_of(db)));
        log_warning("postgres code=%s in=%s message=%.*s", state != NULL ? state : "-", what,
                    STR_ARG(str_trim(message)));
    }
    return e;
}

/* Of statements whose rows do not matter; more than one with ';' between them. */
static enum err run(struct db *db, const char *sql, const char *want)
{
    PGresult *result = PQexec(connection_of(db), sql);
    enum err e = ERR_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        e = classify(db, result, sql);
    } else if (want != NULL && strcmp(PQcmdStatus(result), want) != 0) {
        e = ERR_INTERNAL; /* COMMIT of a transaction that had failed */
    }
    PQclear(result);
    return e;
}

/* --- connecting ---------------------------------------------------------------------------- */

static void say_nothing(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* Times are UTC; a commit is on disk when it returns, whatever the server's default. */
static enum err set_up(struct db *db)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SET client_encoding TO 'UTF8'; SET timezone TO 'UTC'; SET lock_timeout TO %" PRId64
             "; SET synchronous_commit TO on; SET default_transaction_read_only TO %s",
             db->options.busy_timeout_ms, db->options.read_only ? "on" : "off");
    return run(db, sql, NULL);
}

/* What durability rests on, and no client can ask for. */
static void warn_if_unsafe(struct db *db)
{
    static const char *const settings[] = {"fsync", "full_page_writes"};
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        char sql[40];
        snprintf(sql, sizeof(sql), "SHOW %s", settings[i]);
        PGresult *result = PQexec(connection_of(db), sql);
        if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "on") != 0) {
            log_warning("the database server has %s=off: a crash of it may lose acknowledged "
                        "messages, or all of them",
                        settings[i]);
        }
        PQclear(result);
    }
}

static enum err connect_now(struct db *db)
{
    struct session *session = db->prepared;
    char timeout[16];
    snprintf(timeout, sizeof(timeout), "%d", CONNECT_TIMEOUT_S);
    const char *const names[] = {"dbname", "connect_timeout", "fallback_application_name", NULL};
    const char *const values[] = {session->url, timeout, "confab", NULL};
    PQfinish(connection_of(db));
    db->handle = PQconnectdbParams(names, values, 1);
    for (size_t i = 0; i < db->options.queries.count; i++) {
        session->statements[i].is_prepared = false;
    }
    if (PQstatus(connection_of(db)) != CONNECTION_OK) {
        return classify(db, NULL, "connect");
    }
    (void)PQsetNoticeReceiver(connection_of(db), say_nothing, NULL);
    enum err e = set_up(db);
    if (e == ERR_OK && db->options.writes_steadily) {
        warn_if_unsafe(db);
    }
    if (e != ERR_OK) {
        PQfinish(connection_of(db)); /* half set up it is of no use */
        db->handle = NULL;
    }
    db->connections += e == ERR_OK ? 1 : 0;
    return e;
}

static enum err connect_if_lost(struct db *db)
{
    struct session *session = db->prepared;
    if (PQstatus(connection_of(db)) == CONNECTION_OK) {
        return ERR_OK;
    }
    if (!backoff_is_over(&session->backoff)) {
        return ERR_UNAVAILABLE;
    }
    enum err e = connect_now(db);
    backoff_note(&session->backoff, e == ERR_OK);
    return e;
}

static enum err postgres_open(struct db *db, const char *url, struct arena *a, struct str *problem)
{
    struct session *session =
        mem_alloc_zero(sizeof(*session) + db->options.queries.count * sizeof(struct statement));
    db->prepared = session;
    session->url = strdup(url);
    enum err e = session->url != NULL ? connect_now(db) : ERR_INTERNAL;
    if (e != ERR_OK) {
        struct str why = str_trim(str_of(PQerrorMessage(connection_of(db))));
        *problem = arena_printf(a, "Cannot use the database: %.*s.", STR_ARG(why));
    }
    return e;
}

static void postgres_close(struct db *db)
{
    struct session *session = db->prepared;
    PQfinish(connection_of(db));
    if (session != NULL) {
        free(session->url);
        free(session);
    }
}

/* --- statements ---------------------------------------------------------------------------- */

static const char *name_of(int query, char name[16])
{
    snprintf(name, 16, "q%d", query);
    return name;
}

/* Queries share one set of parameters, of which each has only some in its text: those that are not
 * there get a type that no value has, and are NULL. */
static void find_unused(const char *sql, struct statement *statement)
{
    statement->parameter_count = 0;
    for (int i = 0; i < PARAMETERS_MAX; i++) {
        statement->types[i] = OID_UNUSED;
    }
    for (const char *at = strchr(sql, '$'); at != NULL; at = strchr(at + 1, '$')) {
        int number = atoi(at + 1);
        if (number > 0 && number <= PARAMETERS_MAX) {
            statement->types[number - 1] = 0;
            statement->parameter_count =
                number > statement->parameter_count ? number : statement->parameter_count;
        }
    }
}

/* The types that the server found for the others. */
static enum err describe(struct db *db, const char *name, struct statement *statement)
{
    PGresult *result = PQdescribePrepared(connection_of(db), name);
    enum err e = ERR_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK ||
        PQnparams(result) != statement->parameter_count) {
        e = classify(db, result, name);
    }
    for (int i = 0; e == ERR_OK && i < statement->parameter_count; i++) {
        statement->types[i] = PQparamtype(result, i);
    }
    PQclear(result);
    return e;
}

static enum err postgres_prepare(struct db *db, int query)
{
    struct session *session = db->prepared;
    struct statement *statement = &session->statements[query];
    char name[16];
    if (statement->is_prepared) {
        return ERR_OK;
    }
    find_unused(db->texts[query], statement);
    PGresult *result = PQprepare(connection_of(db), name_of(query, name), db->texts[query],
                                 statement->parameter_count, statement->types);
    enum err e = PQresultStatus(result) == PGRES_COMMAND_OK
                     ? describe(db, name, statement)
                     : classify(db, result, db->options.queries.name[query]);
    PQclear(result);
    statement->is_prepared = e == ERR_OK;
    return e;
}

/* --- values -------------------------------------------------------------------------------- */

/* The parameters of one execution; numbers in network order stand in `fixed`. */
struct parameters {
    const char *values[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    uint64_t fixed[PARAMETERS_MAX];
};

/* What is beyond PostgreSQL's times is infinitely early or late. */
static int64_t to_postgres_time(int64_t us)
{
    if (us > INT64_MAX - epoch_us || us < INT64_MIN + epoch_us) {
        return us > 0 ? INT64_MAX : INT64_MIN;
    }
    return us - epoch_us;
}

static int64_t from_postgres_time(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN ? us : us + epoch_us;
}

static void bind_number(struct parameters *p, int i, int64_t n, Oid type)
{
    char *to = (char *)&p->fixed[i];
    p->values[i] = to;
    if (type == OID_BOOL) {
        to[0] = n != 0;
        p->sizes[i] = 1;
    } else if (type == OID_INT2) {
        uint16_t wire = htobe16((uint16_t)n);
        memcpy(to, &wire, sizeof(wire));
        p->sizes[i] = sizeof(wire);
    } else if (type == OID_INT4) {
        uint32_t wire = htobe32((uint32_t)n);
        memcpy(to, &wire, sizeof(wire));
        p->sizes[i] = sizeof(wire);
    } else {
        uint64_t wire = htobe64((uint64_t)(type == OID_TIMESTAMPTZ ? to_postgres_time(n) : n));
        memcpy(to, &wire, sizeof(wire));
        p->sizes[i] = sizeof(wire);
    }
}

/* False: the server wants another type. */
static bool bind(struct parameters *p, int i, const struct db_val *value, Oid type)
{
    bool number = type == OID_BOOL || type == OID_INT2 || type == OID_INT4 || type == OID_INT8 ||
                  type == OID_TIMESTAMPTZ;
    p->formats[i] = 1;
    if (type == OID_UNUSED) {
        p->values[i] = NULL;
        return true;
    }
    switch (value->type) {
    case DB_NULL: p->values[i] = NULL; return true;
    case DB_INT:
    case DB_BOOL:
    case DB_TIME: bind_number(p, i, value->i, type); return number;
    case DB_UUID:
        p->values[i] = (const char *)value->id.b;
        p->sizes[i] = sizeof(value->id.b);
        return type == OID_UUID;
    case DB_TEXT:
    case DB_BLOB:
        p->values[i] = value->s.n > 0 ? value->s.p : "";
        p->sizes[i] = (int)value->s.n;
        return type == (value->type == DB_TEXT ? OID_TEXT : OID_BYTEA);
    }
    return false;
}

static int64_t read_number(const char *from, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++) {
        value = value << 8 | (unsigned char)from[i];
    }
    return n == 2 ? (int16_t)value : n == 4 ? (int32_t)value : (int64_t)value;
}

static bool postgres_is_null(struct db_rows *rows, int column)
{
    const struct result *result = rows->statement;
    return PQgetisnull(result->rows, result->at, column) != 0;
}

static int64_t postgres_get_int(struct db_rows *rows, int column)
{
    const struct result *result = rows->statement;
    if (postgres_is_null(rows, column)) {
        return 0;
    }
    int64_t n = read_number(PQgetvalue(result->rows, result->at, column),
                            PQgetlength(result->rows, result->at, column));
    return PQftype(result->rows, column) == OID_TIMESTAMPTZ ? from_postgres_time(n) : n;
}

static struct str postgres_get_bytes(struct db_rows *rows, int column)
{
    const struct result *result = rows->statement;
    if (postgres_is_null(rows, column)) {
        return STR_NULL;
    }
    return (struct str){PQgetvalue(result->rows, result->at, column),
                        (size_t)PQgetlength(result->rows, result->at, column)};
}

/* --- rows ---------------------------------------------------------------------------------- */

static void count_changes(struct db *db, PGresult *result)
{
    struct session *session = db->prepared;
    int64_t n = 0;
    bool is_select = begins(PQcmdStatus(result), "SELECT");
    if (!is_select && str_to_i64(str_of(PQcmdTuples(result)), &n)) {
        session->changes += n;
    }
    session->changed = n;
}

static enum err execute(struct db *db, int query, const struct parameters *p, PGresult **out)
{
    const struct session *session = db->prepared;
    char name[16];
    PGresult *result = PQexecPrepared(connection_of(db), name_of(query, name),
                                      session->statements[query].parameter_count, p->values,
                                      p->sizes, p->formats, 1);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        enum err e = classify(db, result, db->options.queries.name[query]);
        PQclear(result);
        return e;
    }
    count_changes(db, result);
    *out = result;
    return ERR_OK;
}

static enum err postgres_query(struct db *db, int query, const struct db_val *args, size_t count,
                               struct db_rows *rows)
{
    struct parameters p;
    struct result *result;
    PGresult *found = NULL;
    const struct session *session = db->prepared;
    const struct statement *statement = &session->statements[query];
    enum err e = postgres_prepare(db, query);
    for (int i = 0; e == ERR_OK && i < statement->parameter_count; i++) {
        const struct db_val absent = V_NULL;
        const struct db_val *value = (size_t)i < count ? &args[i] : &absent;
        if (!bind(&p, i, value, statement->types[i])) {
            log_error("parameter %d has another type (oid %u) query=%s", i + 1, statement->types[i],
                      db->options.queries.name[query]);
            e = ERR_INTERNAL;
        }
    }
    if (e == ERR_OK) {
        e = execute(db, query, &p, &found);
    }
    if (e != ERR_OK) {
        rows->failure = e;
        return e;
    }
    result = mem_alloc(sizeof(*result));
    *result = (struct result){found, -1};
    rows->statement = result;
    return ERR_OK;
}

static bool postgres_next(struct db_rows *rows)
{
    struct result *result = rows->statement;
    return ++result->at < PQntuples(result->rows);
}

static enum err postgres_end(struct db_rows *rows)
{
    struct result *result = rows->statement;
    if (result != NULL) {
        PQclear(result->rows);
        free(result);
        rows->statement = NULL;
    }
    return rows->failure;
}

/* --- transactions -------------------------------------------------------------------------- */

static bool postgres_in_transaction(struct db *db)
{
    return PQtransactionStatus(connection_of(db)) == PQTRANS_INTRANS;
}

static enum err postgres_begin(struct db *db, bool for_writing)
{
    char sql[160];
    enum err e = connect_if_lost(db);
    if (e != ERR_OK) {
        return e;
    }
    snprintf(sql, sizeof(sql), "BEGIN ISOLATION LEVEL %s; SET LOCAL statement_timeout TO %" PRId64,
             for_writing ? "READ COMMITTED, READ WRITE" : "REPEATABLE READ, READ ONLY",
             db_time_left_ms(db));
    e = run(db, sql, NULL);
    if (e == ERR_UNAVAILABLE && PQstatus(connection_of(db)) != CONNECTION_OK) {
        e = connect_if_lost(db); /* it was lost while nobody used it */
        return e == ERR_OK ? run(db, sql, NULL) : e;
    }
    return e;
}

static void postgres_rollback(struct db *db)
{
    PGTransactionStatusType status = PQtransactionStatus(connection_of(db));
    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR) {
        enum err e = run(db, "ROLLBACK", NULL);
        if (e != ERR_OK) {
            log_error("rollback failed code=%s", err_code(e));
        }
    }
}

static enum err postgres_commit(struct db *db)
{
    enum err e = run(db, "COMMIT", "COMMIT");
    if (e != ERR_OK && PQstatus(connection_of(db)) != CONNECTION_OK) {
        return db->options.read_only ? ERR_UNAVAILABLE : ERR_OUTCOME_UNKNOWN;
    }
    if (e != ERR_OK) {
        postgres_rollback(db);
    }
    return e;
}

static int64_t postgres_changed(struct db *db)
{
    const struct session *session = db->prepared;
    return session->changed;
}

static int64_t postgres_total_changes(struct db *db)
{
    const struct session *session = db->prepared;
    return session->changes;
}

static enum err postgres_script(struct db *db, const char *sql, struct arena *a,
                                struct str *problem)
{
    PGresult *result = PQexec(connection_of(db), sql);
    ExecStatusType status = PQresultStatus(result);
    enum err e = ERR_OK;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        e = classify(db, result, "script");
        *problem = arena_copy(a, str_trim(str_of(PQresultErrorMessage(result))));
    }
    PQclear(result);
    return e;
}

/* The functions are what sqlite.c has in C, as far as SQL can. */
static const char prelude[] =
    "SELECT pg_advisory_lock(7165063301);"
    "CREATE OR REPLACE FUNCTION folded(body text) RETURNS text LANGUAGE sql IMMUTABLE STRICT"
    " PARALLEL SAFE AS $$ SELECT replace(lower(normalize(body, NFKC) COLLATE \"und-x-icu\"),"
    " 'ß', 'ss') $$;"
    "CREATE OR REPLACE FUNCTION contains(body text, VARIADIC needles text[]) RETURNS boolean"
    " LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(bool_and("
    " position(needle IN coalesce(folded(body), '')) > 0), TRUE) FROM unnest(needles) needle"
    " WHERE needle IS NOT NULL $$;";

static enum err postgres_hold(struct db *db, struct arena *a, struct str *problem)
{
    return postgres_script(db, prelude, a, problem);
}

const struct db_driver db_postgres = {
    .schemes = {"postgres", "postgresql"},
    .dialect = {.words = {[T_UUID] = "uuid",
                          [T_INT] = "bigint",
                          [T_BOOL] = "boolean",
                          [T_TIME] = "timestamptz",
                          [T_TEXT] = "text",
                          [T_KEY] = "text COLLATE \"C\"",
                          [T_BLOB32] = "bytea",
                          [T_CLUSTERED] = "",
                          [X_UUID] = "uuid",
                          [X_INT] = "bigint",
                          [X_BOOL] = "boolean",
                          [X_TIME] = "timestamptz",
                          [X_TEXT] = "text",
                          [X_SERVER] =
                              "(SELECT system_identifier::text FROM pg_control_system())"
                              " || ' ' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
                          [X_SINCE] = "pg_postmaster_start_time()::text",
                          [T_SHARDS] = "8"},
                .parameter = "$"},
    .hold = postgres_hold,
    .open = postgres_open,
    .close = postgres_close,
    .prepare = postgres_prepare,
    .query = postgres_query,
    .next = postgres_next,
    .end = postgres_end,
    .is_null = postgres_is_null,
    .get_int = postgres_get_int,
    .get_bytes = postgres_get_bytes,
    .changed = postgres_changed,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .total_changes = postgres_total_changes,
    .in_transaction = postgres_in_transaction,
    .script = postgres_script,
};
