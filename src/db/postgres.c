/* PostgreSQL through libpq: statements are prepared once on each connection, parameters and results are
 * binary (https://www.postgresql.org/docs/15/protocol.html), a result is read whole.
 *
 * Statements whose outcome nobody waits for are queued in libpq's pipeline, and go out with the next one
 * whose rows are wanted (https://www.postgresql.org/docs/15/libpq-pipeline-mode.html): BEGIN with the
 * first, what a message writes with the next message's questions or with COMMIT. A Sync follows each of
 * which we wait, so that what was sent before has been read as well; in a transaction that reads a Flush,
 * which the server does not answer. The end of a transaction that reads is sent and not waited for, or goes
 * with the first question of the next one.
 *
 * A transaction that writes is READ COMMITTED: whoever writes in a shard holds its counter, and sees
 * all that was committed before. One that reads is a snapshot, REPEATABLE READ. A statement that fails
 * ends its transaction (db_in_transaction() is false then).
 *
 * A connection that is lost fails what is under way with ERR_UNAVAILABLE (amid a COMMIT with
 * ERR_OUTCOME_UNKNOWN). The next transaction connects again, and while the server cannot be reached it
 * fails at once, with a try every now and then. */
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "db/backoff.h"
#include "db/driver.h"
#include "db/postgres_copy.h"
#include "db/postgres_values.h"

enum {
    FLIGHTS_MAX = 256, /* with their results they fit into the socket's buffers: nobody blocks */
    TIMEOUT_STEP_MS = 100,
    FORESEEN_MAX = 128,
    CONNECT_TIMEOUT_S = 3,
};

struct statement {
    bool is_prepared; /* on the present connection */
    int parameter_count;
    Oid types[PARAMETERS_MAX];
};

/* A command that is sent, or stands in libpq's buffer, and whose result has not been read. */
struct flight {
    const char *what;
    int64_t changes; /* before it */
    bool is_counted; /* its rows are still to be added to the changes */
    bool is_end;     /* of a transaction of which nothing depends any more */
    int foreseen;    /* which; -1: none, or not wanted any more */
};

/* A question that was sent before it was asked. */
struct foreseen {
    int query;
    size_t count;
    struct db_val args[POSTGRES_SHORT_MAX];
    struct answer *answer; /* NULL: under way */
};

enum state { OUTSIDE, INSIDE, FAILED };

struct session {
    char *url;
    int64_t changes; /* a statement that is queued counts as one row */
    int64_t changed; /* rows of the last statement that was waited for */
    enum state state;
    bool is_writing;    /* what begin() was asked for */
    enum err failure;   /* of the transaction under way, or of the one before: the first one */
    int64_t failed_at;  /* the changes before the statement that failed; -1: not known */
    int64_t timeout_ms; /* the session's statement_timeout */
    struct flight flights[FLIGHTS_MAX];
    int sent;   /* of them */
    int landed; /* of those: their results have been read */
    int syncs;  /* that have not been answered */
    struct foreseen foreseen[FORESEEN_MAX];
    int foreseen_count;
    struct backoff backoff;
    struct statement statements[]; /* options.queries.count of them */
};

/* db_rows.statement */
struct result {
    struct answer *answer;
    int at;
};

static void forget_foreseen(struct session *session);

static PGconn *connection_of(struct db *db)
{
    return db->handle;
}

/* --- failures ------------------------------------------------------------------------------ */

/* `result` may be NULL. */
static enum err classify(struct db *db, const PGresult *result, const char *what)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool is_lost = PQstatus(connection_of(db)) != CONNECTION_OK;
    enum err e = is_lost || state == NULL ? ERR_UNAVAILABLE : postgres_class(state);
    if (e != ERR_DB_UNIQUE && e != ERR_DB_REFERENCE) {
        struct str message = str_of(PQerrorMessage(connection_of(db)));
        log_warning("postgres code=%s in=%s message=%.*s", state != NULL ? state : "-", what,
                    STR_ARG(str_trim(message)));
    }
    return e;
}

/* Of statements whose rows do not matter; more than one with ';' between them. */
static enum err run(struct db *db, const char *sql)
{
    PGresult *result = PQexec(connection_of(db), sql);
    enum err e = ERR_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        e = classify(db, result, sql);
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

/* Where transactions begin and end. */
static const struct {
    const char *name;
    const char *text;
} bounds[] = {
    {"read", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"},
    {"read again", "COMMIT AND CHAIN"},
    {"write", "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"},
    {"commit", "COMMIT"},
    {"rollback", "ROLLBACK"},
};

/* Times are UTC; a commit is on disk when it returns, whatever the server's default. Without merge joins: a
 * plan that is kept must not rest on a table's being small, or its rows' being the first ones, today. */
static enum err set_up(struct db *db)
{
    char sql[256];
    snprintf(
        sql, sizeof(sql),
        "SET client_encoding TO 'UTF8'; SET timezone TO 'UTC'; SET lock_timeout TO %" PRId64
        "; SET statement_timeout TO 0; SET synchronous_commit TO on; SET enable_mergejoin TO off"
        "; SET default_transaction_read_only TO %s",
        db->options.busy_timeout_ms, db->options.read_only ? "on" : "off");
    enum err e = run(db, sql);
    for (size_t i = 0; i < COUNT_OF(bounds) && e == ERR_OK; i++) {
        PGresult *result = PQprepare(connection_of(db), bounds[i].name, bounds[i].text, 0, NULL);
        e = PQresultStatus(result) == PGRES_COMMAND_OK ? ERR_OK
                                                       : classify(db, result, bounds[i].name);
        PQclear(result);
    }
    return e;
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

/* The writers of all nodes share a lock, which who needs the database alone waits for as for any other;
 * and they for him. Held as long as the connection lives. */
static enum err claim(struct db *db)
{
    if (db->options.writes_steadily) {
        return run(db, "SELECT pg_advisory_lock_shared(7165063302)");
    }
    return db->options.alone ? run(db, "SELECT pg_advisory_lock(7165063302)") : ERR_OK;
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
    session->state = OUTSIDE;
    session->timeout_ms = 0;
    session->sent = session->landed = session->syncs = 0;
    if (PQstatus(connection_of(db)) != CONNECTION_OK) {
        return classify(db, NULL, "connect");
    }
    (void)PQsetNoticeReceiver(connection_of(db), say_nothing, NULL);
    enum err e = set_up(db);
    if (e == ERR_OK && db->options.writes_steadily) {
        warn_if_unsafe(db);
    }
    if (e == ERR_OK) {
        e = claim(db);
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
    return db_connect_again(db, &session->backoff, connect_now);
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
        *problem = db_open_problem(db, e, why, a);
    }
    return e;
}

static void postgres_close(struct db *db)
{
    struct session *session = db->prepared;
    PQfinish(connection_of(db));
    if (session != NULL) {
        forget_foreseen(session);
        free(session->url);
        free(session);
    }
}

/* --- the pipeline --------------------------------------------------------------------------- */

static void count_changes(struct session *session, PGresult *result)
{
    int64_t n = 0;
    bool is_select = strncmp(PQcmdStatus(result), "SELECT", 6) == 0;
    if (!is_select && str_to_i64(str_of(PQcmdTuples(result)), &n)) {
        session->changes += n;
    }
    session->changed = n;
}

static void note_failure(struct session *session, enum err e, int64_t at)
{
    if (session->failure == ERR_OK) {
        session->failure = e;
        session->failed_at = at;
    }
    if (session->state == INSIDE) {
        session->state = FAILED;
    }
}

/* What was foreseen holds until something is written: then it is asked again. */
static void forget_foreseen(struct session *session)
{
    for (int i = 0; i < session->foreseen_count; i++) {
        postgres_let_go(session->foreseen[i].answer);
        session->foreseen[i].answer = NULL;
    }
    for (int i = session->landed; i < session->sent; i++) {
        session->flights[i].foreseen = -1;
    }
    session->foreseen_count = 0;
}

/* The result of the oldest command; true: it is kept. What comes behind one that failed has not been
 * run. */
static bool land(struct db *db, PGresult *result)
{
    struct session *session = db->prepared;
    const struct flight *flight = &session->flights[session->landed++];
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        if (flight->is_counted) {
            count_changes(session, result);
        }
        if (flight->foreseen >= 0) {
            session->foreseen[flight->foreseen].answer = postgres_answer(result);
            return true;
        }
    } else if (status != PGRES_PIPELINE_ABORTED) {
        enum err e = classify(db, result, flight->what);
        if (!flight->is_end) {
            note_failure(session, e, flight->changes);
        }
    }
    return false;
}

/* Asks for the results of what is queued. */
static bool send_request(struct session *session, PGconn *connection)
{
    if (session->state == INSIDE && !session->is_writing) {
        return PQsendFlushRequest(connection) == 1 && PQflush(connection) == 0;
    }
    session->syncs++;
    return PQpipelineSync(connection) == 1;
}

/* Behind a failure the server does not listen again before a Sync. */
static bool is_deaf(const struct session *session, PGconn *connection)
{
    return PQpipelineStatus(connection) == PQ_PIPELINE_ABORTED && session->syncs == 0 &&
           session->landed == session->sent;
}

/* Sends what is queued and reads all results. *last, which may be NULL: that of the last command, to
 * be cleared by the caller. The failure of the transaction, or of what was asked outside of one. */
static enum err settle(struct db *db, PGresult **last)
{
    struct session *session = db->prepared;
    PGconn *connection = connection_of(db);
    bool is_over = !send_request(session, connection);
    bool was_null = false; /* one stands behind each command's result, two nowhere */
    while (!is_over && (session->landed < session->sent || session->syncs > 0)) {
        PGresult *result = PQgetResult(connection);
        bool is_kept = false;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            session->syncs--;
        } else if (result != NULL && session->landed < session->sent) {
            is_kept = land(db, result);
            if (last != NULL && session->landed == session->sent) {
                *last = result;
                is_kept = true;
            }
        }
        is_over = result == NULL && (was_null || PQstatus(connection) != CONNECTION_OK);
        was_null = result == NULL;
        PQclear(is_kept ? NULL : result);
        if (is_deaf(session, connection)) {
            session->syncs++;
            is_over = PQpipelineSync(connection) != 1;
        }
    }
    if (session->landed < session->sent || session->syncs > 0) {
        forget_foreseen(session);
        note_failure(session, classify(db, NULL, "pipeline"), -1);
        PQfinish(connection);
        db->handle = NULL;
    }
    session->sent = session->landed = session->syncs = 0;
    return session->failure;
}

/* Room for one more command, which must be sent now. */
static enum err prepare_flight(struct db *db, const char *what, bool is_counted)
{
    struct session *session = db->prepared;
    enum err e = ERR_OK;
    if (PQpipelineStatus(connection_of(db)) == PQ_PIPELINE_OFF) {
        (void)PQenterPipelineMode(connection_of(db));
    }
    if (session->sent == FLIGHTS_MAX) {
        e = settle(db, NULL);
    }
    if (e == ERR_OK) {
        session->flights[session->sent++] = (struct flight){
            .what = what, .changes = session->changes, .is_counted = is_counted, .foreseen = -1};
    }
    return e;
}

/* `is_sent`: what libpq said. */
static enum err take_off(struct db *db, int is_sent)
{
    struct session *session = db->prepared;
    if (is_sent == 1) {
        return ERR_OK;
    }
    session->sent--;
    note_failure(session, classify(db, NULL, session->flights[session->sent].what), -1);
    return session->failure;
}

static enum err queue_bound(struct db *db, const char *name, bool is_end)
{
    struct session *session = db->prepared;
    enum err e = prepare_flight(db, name, false);
    if (e == ERR_OK) {
        session->flights[session->sent - 1] =
            (struct flight){.what = name, .changes = -1, .is_end = is_end, .foreseen = -1};
        e = take_off(db, PQsendQueryPrepared(connection_of(db), name, 0, NULL, NULL, NULL, 1));
    }
    return e;
}

/* Sends what is queued; its results are read with the next ones. */
static void send_off(struct db *db)
{
    struct session *session = db->prepared;
    session->syncs += PQpipelineSync(connection_of(db)); /* if it is lost the next one finds out */
}

/* For what libpq does not do in a pipeline. */
static enum err leave_pipeline(struct db *db)
{
    struct session *session = db->prepared;
    enum err e = ERR_OK;
    if (PQpipelineStatus(connection_of(db)) != PQ_PIPELINE_OFF) {
        e = session->sent > 0 || session->syncs > 0 ? settle(db, NULL) : ERR_OK;
        (void)PQexitPipelineMode(connection_of(db));
    }
    return e;
}

/* --- statements ---------------------------------------------------------------------------- */

static const char *name_of(int query, char name[16])
{
    snprintf(name, 16, "q%d", query);
    return name;
}

/* Asks for the statement, and for the types that the server found for the other parameters. */
static enum err send_prepare(struct db *db, int query, PGresult **described)
{
    const struct session *session = db->prepared;
    const struct statement *statement = &session->statements[query];
    const char *what = db->options.queries.name[query];
    char name[16];
    enum err e = prepare_flight(db, what, false);
    if (e == ERR_OK) {
        e = take_off(db, PQsendPrepare(connection_of(db), name_of(query, name), db->texts[query],
                                       statement->parameter_count, statement->types));
    }
    if (e == ERR_OK) {
        e = prepare_flight(db, what, false);
    }
    if (e == ERR_OK) {
        e = take_off(db, PQsendDescribePrepared(connection_of(db), name));
    }
    return e == ERR_OK ? settle(db, described) : e;
}

/* Where a transaction has failed nothing more is asked; outside, each statement is for itself. */
static enum err go_on(struct session *session)
{
    if (session->state == FAILED) {
        return session->failure;
    }
    if (session->state == OUTSIDE) {
        session->failure = ERR_OK;
        session->failed_at = -1;
    }
    return ERR_OK;
}

static enum err postgres_prepare(struct db *db, int query)
{
    struct session *session = db->prepared;
    struct statement *statement = &session->statements[query];
    PGresult *result = NULL;
    if (statement->is_prepared) {
        return ERR_OK;
    }
    statement->parameter_count = postgres_parameters(db->texts[query], statement->types);
    enum err e = go_on(session);
    if (e == ERR_OK) {
        e = send_prepare(db, query, &result);
    }
    if (e == ERR_OK && PQnparams(result) != statement->parameter_count) {
        e = ERR_INTERNAL;
    }
    for (int i = 0; e == ERR_OK && i < statement->parameter_count; i++) {
        statement->types[i] = PQparamtype(result, i);
    }
    PQclear(result);
    statement->is_prepared = e == ERR_OK;
    return e;
}

/* --- values -------------------------------------------------------------------------------- */

static bool postgres_is_null(struct db_rows *rows, int column)
{
    const struct result *result = rows->statement;
    return PQgetisnull(result->answer->rows, result->at, column) != 0;
}

static int64_t postgres_get_int(struct db_rows *rows, int column)
{
    const struct result *result = rows->statement;
    if (postgres_is_null(rows, column)) {
        return 0;
    }
    return postgres_read_number(PQgetvalue(result->answer->rows, result->at, column),
                                PQgetlength(result->answer->rows, result->at, column),
                                PQftype(result->answer->rows, column));
}

static struct str postgres_get_bytes(struct db_rows *rows, int column)
{
    const struct result *result = rows->statement;
    if (postgres_is_null(rows, column)) {
        return STR_NULL;
    }
    return (struct str){PQgetvalue(result->answer->rows, result->at, column),
                        (size_t)PQgetlength(result->answer->rows, result->at, column)};
}

/* --- rows ---------------------------------------------------------------------------------- */

static enum err bind_all(struct db *db, int query, const struct db_val *args, size_t count,
                         struct postgres_parameters *p)
{
    const struct session *session = db->prepared;
    const struct statement *statement = &session->statements[query];
    for (int i = 0; i < statement->parameter_count; i++) {
        const struct db_val absent = V_NULL;
        const struct db_val *value = (size_t)i < count ? &args[i] : &absent;
        if (!postgres_bind(p, i, value, statement->types[i])) {
            log_error("parameter %d has another type (oid %u) query=%s", i + 1, statement->types[i],
                      db->options.queries.name[query]);
            return ERR_INTERNAL;
        }
    }
    return ERR_OK;
}

static enum err queue(struct db *db, int query, const struct db_val *args, size_t count,
                      bool is_counted)
{
    struct postgres_parameters p;
    char name[16];
    struct session *session = db->prepared;
    enum err e = go_on(session);
    if (e == ERR_OK) {
        e = postgres_prepare(db, query);
    }
    if (e == ERR_OK) {
        e = bind_all(db, query, args, count, &p);
    }
    if (e == ERR_OK) {
        e = prepare_flight(db, db->options.queries.name[query], is_counted);
    }
    if (e == ERR_OK) {
        e = take_off(db, PQsendQueryPrepared(connection_of(db), name_of(query, name),
                                             session->statements[query].parameter_count, p.values,
                                             p.sizes, p.formats, 1));
    }
    return e;
}

/* --- what is foreseen ----------------------------------------------------------------------- */

static struct foreseen *find_foreseen(struct db *db, int query, const struct db_val *args,
                                      size_t count)
{
    struct session *session = db->prepared;
    for (int i = 0; i < session->foreseen_count; i++) {
        struct foreseen *f = &session->foreseen[i];
        bool same = f->query == query && f->count == count;
        for (size_t k = 0; same && k < count; k++) {
            same = postgres_is_same(&f->args[k], &args[k]);
        }
        if (same) {
            return f;
        }
    }
    return NULL;
}

static void postgres_foresee(struct db *db, int query, const struct db_val *args, size_t count)
{
    struct session *session = db->prepared;
    if (session->state != INSIDE || !postgres_is_short(args, count) ||
        find_foreseen(db, query, args, count) != NULL) {
        return;
    }
    if (session->foreseen_count == FORESEEN_MAX) {
        forget_foreseen(session);
    }
    if (queue(db, query, args, count, true) != ERR_OK) {
        return; /* it is asked when it is asked, and fails then */
    }
    struct foreseen *f = &session->foreseen[session->foreseen_count];
    *f = (struct foreseen){.query = query, .count = count};
    memcpy(f->args, args, count * sizeof(*args));
    session->flights[session->sent - 1].foreseen = session->foreseen_count++;
}

/* *out stays NULL if it was not foreseen; else the caller holds it. */
static enum err take_foreseen(struct db *db, int query, const struct db_val *args, size_t count,
                              struct answer **out)
{
    bool is_short = postgres_is_short(args, count);
    struct foreseen *f = is_short ? find_foreseen(db, query, args, count) : NULL;
    if (f == NULL) {
        return ERR_OK;
    }
    enum err e = f->answer == NULL ? settle(db, NULL) : ERR_OK;
    *out = f->answer;
    if (*out != NULL) {
        (*out)->holders++;
    }
    return e;
}

/* --- asking --------------------------------------------------------------------------------- */

/* *out, if it is not NULL afterwards, is held by the caller, also where it failed. */
static enum err ask(struct db *db, int query, const struct db_val *args, size_t count,
                    struct answer **out)
{
    struct session *session = db->prepared;
    int64_t before = session->changes;
    PGresult *rows = NULL;
    enum err e = take_foreseen(db, query, args, count, out);
    if (e != ERR_OK || *out != NULL) {
        return e;
    }
    e = queue(db, query, args, count, true);
    if (e == ERR_OK) {
        e = settle(db, &rows);
    }
    if (session->changes != before) {
        forget_foreseen(session);
    }
    *out = postgres_answer(rows);
    return e;
}

static enum err postgres_query(struct db *db, int query, const struct db_val *args, size_t count,
                               struct db_rows *rows)
{
    struct answer *answer = NULL;
    enum err e = ask(db, query, args, count, &answer);
    if (e != ERR_OK) {
        postgres_let_go(answer);
        rows->failure = e;
        return e;
    }
    struct result *result = mem_alloc(sizeof(*result));
    *result = (struct result){answer, -1};
    rows->statement = result;
    return ERR_OK;
}

/* Outside of a transaction nobody would come back for the outcome. */
static enum err postgres_exec(struct db *db, int query, const struct db_val *args, size_t count,
                              bool is_noted)
{
    struct session *session = db->prepared;
    struct answer *answer = NULL;
    if (session->state == OUTSIDE) {
        enum err e = ask(db, query, args, count, &answer);
        postgres_let_go(answer);
        return e;
    }
    if (!is_noted) {
        forget_foreseen(session);
    }
    enum err e = queue(db, query, args, count, false);
    session->changes += e == ERR_OK ? 1 : 0;
    return e;
}

static bool postgres_next(struct db_rows *rows)
{
    struct result *result = rows->statement;
    return ++result->at < PQntuples(result->answer->rows);
}

static enum err postgres_end(struct db_rows *rows)
{
    struct result *result = rows->statement;
    if (result != NULL) {
        postgres_let_go(result->answer);
        free(result);
        rows->statement = NULL;
    }
    return rows->failure;
}

/* --- transactions -------------------------------------------------------------------------- */

static bool postgres_in_transaction(struct db *db)
{
    const struct session *session = db->prepared;
    return session->state == INSIDE && PQstatus(connection_of(db)) == CONNECTION_OK;
}

/* In steps, so that the session's setting seldom has to be another one. */
static int64_t time_left_ms(const struct db *db)
{
    int64_t left_us = db->deadline_us - clock_steady_us();
    int64_t steps = (left_us + TIMEOUT_STEP_MS * 1000 - 1) / (TIMEOUT_STEP_MS * 1000);
    return db->deadline_us == 0 ? 0 : left_us > 0 ? steps * TIMEOUT_STEP_MS : 1;
}

/* A transaction of its own: no rollback takes it back. */
static enum err set_timeout(struct db *db)
{
    struct session *session = db->prepared;
    int64_t left_ms = time_left_ms(db);
    char sql[60];
    if (left_ms == session->timeout_ms) {
        return ERR_OK;
    }
    snprintf(sql, sizeof(sql), "SET statement_timeout TO %" PRId64, left_ms);
    enum err e = prepare_flight(db, "timeout", false);
    if (e == ERR_OK) {
        e = take_off(db, PQsendQueryParams(connection_of(db), sql, 0, NULL, NULL, NULL, NULL, 1));
    }
    if (e == ERR_OK) {
        send_off(db);
        session->timeout_ms = left_ms;
    }
    return e;
}

static void postgres_rollback(struct db *db)
{
    struct session *session = db->prepared;
    if (session->state != OUTSIDE && PQstatus(connection_of(db)) == CONNECTION_OK &&
        queue_bound(db, "rollback", true) == ERR_OK) {
        send_off(db);
    }
    forget_foreseen(session);
    session->state = OUTSIDE;
}

static enum err queue_begin(struct db *db)
{
    struct session *session = db->prepared;
    session->failure = ERR_OK;
    session->failed_at = -1;
    forget_foreseen(session);
    enum err e = set_timeout(db);
    if (e == ERR_OK) {
        e = queue_bound(db, session->is_writing ? "write" : "read", false);
    }
    session->state = e == ERR_OK ? INSIDE : OUTSIDE;
    return e;
}

/* A connection that the server has closed meanwhile is not worth asking. */
static void drop_if_closed(struct db *db)
{
    struct pollfd at = {.fd = PQsocket(connection_of(db)), .events = POLLRDHUP};
    if (at.fd >= 0 && poll(&at, 1, 0) > 0) {
        PQfinish(connection_of(db));
        db->handle = NULL;
    }
}

static enum err postgres_begin(struct db *db, bool for_writing)
{
    struct session *session = db->prepared;
    postgres_rollback(db); /* of a transaction that failed while it was reading */
    drop_if_closed(db);
    enum err e = connect_if_lost(db);
    session->is_writing = for_writing;
    return e == ERR_OK ? queue_begin(db) : e;
}

/* Nothing depends on how a transaction ends that has only read. */
static enum err end_reading(struct db *db)
{
    struct session *session = db->prepared;
    enum err e = session->state == INSIDE ? queue_bound(db, "commit", true) : session->failure;
    forget_foreseen(session);
    if (e == ERR_OK) {
        send_off(db);
        session->state = OUTSIDE;
    } else {
        postgres_rollback(db);
    }
    return e;
}

/* Nothing is sent before the first question. */
static enum err postgres_begin_again(struct db *db)
{
    struct session *session = db->prepared;
    if (time_left_ms(db) == session->timeout_ms) {
        forget_foreseen(session);
        return queue_bound(db, "read again", false);
    }
    enum err e = end_reading(db);
    return e == ERR_OK ? postgres_begin(db, false) : e;
}

static enum err postgres_commit(struct db *db)
{
    struct session *session = db->prepared;
    PGresult *result = NULL;
    if (!session->is_writing) {
        return end_reading(db);
    }
    enum err e = session->state == INSIDE ? queue_bound(db, "commit", false) : session->failure;
    if (e == ERR_OK) {
        e = settle(db, &result);
        if (e != ERR_OK && PQstatus(connection_of(db)) != CONNECTION_OK) {
            e = ERR_OUTCOME_UNKNOWN;
        } else if (e == ERR_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
            e = ERR_INTERNAL; /* of a transaction that had failed */
        }
    }
    PQclear(result);
    if (e != ERR_OK) {
        postgres_rollback(db);
    }
    session->state = OUTSIDE;
    return e;
}

static enum err postgres_failure(struct db *db, int64_t *changes)
{
    const struct session *session = db->prepared;
    *changes = session->failed_at;
    return session->failure;
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

/* Before what is said to libpq in words; a transaction that has failed takes none. */
static enum err settle_all(struct db *db)
{
    struct session *session = db->prepared;
    enum err e = go_on(session);
    forget_foreseen(session);
    return e == ERR_OK ? leave_pipeline(db) : e;
}

static enum err postgres_script(struct db *db, const char *sql, struct arena *a,
                                struct str *problem)
{
    enum err e = settle_all(db);
    if (e != ERR_OK) {
        *problem = STR("The transaction has failed.");
        return e;
    }
    PGresult *result = PQexec(connection_of(db), sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        e = classify(db, result, "script");
        note_failure(db->prepared, e, -1);
        *problem = arena_copy(a, str_trim(str_of(PQresultErrorMessage(result))));
    }
    PQclear(result);
    return e;
}

/* --- loading ------------------------------------------------------------------------------- */

static enum err postgres_load_begin(struct db_load *load)
{
    enum err e = settle_all(load->db);
    if (e != ERR_OK) {
        return e;
    }
    PGresult *result = copy_begin(connection_of(load->db), load);
    e = load->state == NULL ? classify(load->db, result, load->table) : ERR_OK;
    PQclear(result);
    return e;
}

static enum err postgres_load_row(struct db_load *load, const struct db_val *values, size_t count)
{
    return copy_row(load->state, values, count) ? ERR_OK : classify(load->db, NULL, load->table);
}

static enum err postgres_load_end(struct db_load *load, enum err e)
{
    if (load->state == NULL) {
        return e;
    }
    PGresult *result = copy_end(load->state, e == ERR_OK);
    if (e == ERR_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        e = classify(load->db, result, load->table);
    }
    if (e == ERR_OK) {
        count_changes(load->db->prepared, result);
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
                          [X_COLUMNS] = "(SELECT attname::text AS name FROM pg_attribute"
                                        " WHERE attrelid = to_regclass(quote_ident($1))"
                                        " AND attnum > 0 AND NOT attisdropped) AS found",
                          [X_SERVER] =
                              "(SELECT system_identifier::text FROM pg_control_system())"
                              " || ' ' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
                          [X_SINCE] = "pg_postmaster_start_time()::text",
                          [X_ANALYZE] = "ANALYZE",
                          [X_SIZE] = "pg_database_size(current_database())",
                          [T_SHARDS] = "8"},
                .parameter = "$"},
    .hold = postgres_hold,
    .open = postgres_open,
    .close = postgres_close,
    .prepare = postgres_prepare,
    .query = postgres_query,
    .exec = postgres_exec,
    .foresee = postgres_foresee,
    .next = postgres_next,
    .end = postgres_end,
    .is_null = postgres_is_null,
    .get_int = postgres_get_int,
    .get_bytes = postgres_get_bytes,
    .changed = postgres_changed,
    .begin = postgres_begin,
    .begin_again = postgres_begin_again,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .total_changes = postgres_total_changes,
    .in_transaction = postgres_in_transaction,
    .load_begin = postgres_load_begin,
    .load_row = postgres_load_row,
    .load_end = postgres_load_end,
    .failure = postgres_failure,
    .script = postgres_script,
};
