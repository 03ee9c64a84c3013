/* The least that a durable message costs on SQLite: one thread inserts rows of a message table and
 * commits after each batch. The server's POST is compared with this loop, in the same run and on
 * the same disk.
 *
 *     bare_commit FILE SECONDS BATCH ROWS
 *
 * A new FILE is first filled with ROWS rows in 2,000 conversations (not timed), so that the trees
 * are as deep as the server's; an existing one is used as it is. Prints one line of JSON.
 *
 * The rows, the key, the indexes and the pragmas are the server's (migrations/, src/db/sqlite.c).
 * Not in here, because the server alone owes it: HTTP, JSON, rights, counters, the rows of
 * conversation and participant that a message moves, foreign keys. */
#define _POSIX_C_SOURCE 200809L

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ID_SIZE = 16,
    CONVERSATIONS_ALL = 2000,
    CONVERSATIONS_BUSY = 20, /* as many as the load script posts to */
    BODY_SIZE = 60,
    FILL_BATCH = 5000,
};

struct loop {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *insert;
    int64_t seq[CONVERSATIONS_ALL];
    uint64_t random;
};

static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000;"
                              "PRAGMA wal_autocheckpoint=2000;"
                              "PRAGMA journal_size_limit=67108864;";

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS message ("
    " conversation_id BLOB NOT NULL, seq INTEGER NOT NULL, id BLOB NOT NULL,"
    " sender_id BLOB NOT NULL, body TEXT NOT NULL, metadata TEXT NOT NULL, reply_to BLOB,"
    " client_id BLOB, fingerprint BLOB, sent_at INTEGER NOT NULL, edited_at INTEGER,"
    " deleted_at INTEGER, pinned_at INTEGER, rev INTEGER NOT NULL, stamp INTEGER NOT NULL,"
    " PRIMARY KEY (conversation_id, seq)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS message_id ON message (id);"
    "CREATE UNIQUE INDEX IF NOT EXISTS message_client ON message (sender_id, client_id)"
    " WHERE client_id IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS message_sent ON message (sent_at, id);"
    "CREATE INDEX IF NOT EXISTS message_reply ON message (reply_to) WHERE reply_to IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS message_sender ON message (sender_id, sent_at, id);";

static void check(struct loop *loop, int code, const char *what)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
        fprintf(stderr, "bare_commit: %s: %s\n", what, sqlite3_errmsg(loop->db));
        exit(EXIT_FAILURE);
    }
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t micros_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* xorshift64*: ids need to differ, not to be secret. */
static uint64_t random_next(struct loop *loop)
{
    loop->random ^= loop->random >> 12;
    loop->random ^= loop->random << 25;
    loop->random ^= loop->random >> 27;
    return loop->random * UINT64_C(2685821657736338717);
}

/* Time first, as UUID version 7, so that the id index grows at its end. */
static void make_message_id(struct loop *loop, int64_t now_us, uint8_t id[ID_SIZE])
{
    uint64_t high = (uint64_t)(now_us / 1000) << 16 | 0x7000u | (uint64_t)(now_us % 1000);
    uint64_t low = random_next(loop);
    for (int i = 0; i < 8; i++) {
        id[i] = (uint8_t)(high >> (56 - 8 * i));
        id[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}

/* The id of a conversation or user: its number, spread over the keys. */
static void make_fixed_id(int number, uint8_t id[ID_SIZE])
{
    uint64_t spread = ((uint64_t)number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    memset(id, 0, ID_SIZE);
    memcpy(id, &spread, sizeof(spread));
}

static void insert_row(struct loop *loop, int conversation)
{
    static const char body[] = "see you at the station at seven and bring the tickets with .";
    _Static_assert(sizeof(body) - 1 == BODY_SIZE, "the load script sends as many");
    uint8_t id[ID_SIZE], conversation_id[ID_SIZE], sender_id[ID_SIZE];
    int64_t now_us = micros_now();
    make_message_id(loop, now_us, id);
    make_fixed_id(conversation, conversation_id);
    make_fixed_id(CONVERSATIONS_ALL, sender_id);

    sqlite3_stmt *insert = loop->insert;
    sqlite3_bind_blob(insert, 1, conversation_id, ID_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, ++loop->seq[conversation]);
    sqlite3_bind_blob(insert, 3, id, ID_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 4, sender_id, ID_SIZE, SQLITE_STATIC);
    sqlite3_bind_text(insert, 5, body, BODY_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, now_us);
    sqlite3_bind_int64(insert, 7, now_us);
    check(loop, sqlite3_step(insert), "insert");
    check(loop, sqlite3_reset(insert), "insert");
}

static void step_once(struct loop *loop, sqlite3_stmt *statement)
{
    check(loop, sqlite3_step(statement), sqlite3_sql(statement));
    check(loop, sqlite3_reset(statement), sqlite3_sql(statement));
}

static void run_script(struct loop *loop, const char *sql)
{
    check(loop, sqlite3_exec(loop->db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *prepare(struct loop *loop, const char *sql)
{
    sqlite3_stmt *out = NULL;
    check(loop, sqlite3_prepare_v3(loop->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &out, NULL), sql);
    return out;
}

/* Conversations of an existing file go on where they ended. */
static void load_seqs(struct loop *loop)
{
    sqlite3_stmt *last =
        prepare(loop, "SELECT coalesce(max(seq), 0) FROM message WHERE conversation_id = ?");
    for (int i = 0; i < CONVERSATIONS_ALL; i++) {
        uint8_t id[ID_SIZE];
        make_fixed_id(i, id);
        sqlite3_bind_blob(last, 1, id, ID_SIZE, SQLITE_STATIC);
        check(loop, sqlite3_step(last), "max(seq)");
        loop->seq[i] = sqlite3_column_int64(last, 0);
        check(loop, sqlite3_reset(last), "max(seq)");
    }
    sqlite3_finalize(last);
}

static void loop_open(struct loop *loop, const char *file)
{
    check(loop, sqlite3_open(file, &loop->db), file);
    run_script(loop, pragmas);
    run_script(loop, schema);
    loop->begin = prepare(loop, "BEGIN IMMEDIATE");
    loop->commit = prepare(loop, "COMMIT");
    loop->insert = prepare(loop, "INSERT INTO message (conversation_id, seq, id, sender_id, body,"
                                 " metadata, sent_at, rev, stamp)"
                                 " VALUES (?, ?, ?, ?, ?, '{}', ?, 1, ?)");
    loop->random = (uint64_t)micros_now();
    load_seqs(loop);
}

static void loop_close(struct loop *loop)
{
    sqlite3_finalize(loop->begin);
    sqlite3_finalize(loop->commit);
    sqlite3_finalize(loop->insert);
    sqlite3_close(loop->db);
}

static void fill(struct loop *loop, long rows)
{
    for (long done = 0; done < rows;) {
        step_once(loop, loop->begin);
        for (int i = 0; i < FILL_BATCH && done < rows; i++, done++) {
            insert_row(loop, (int)(done % CONVERSATIONS_ALL));
        }
        step_once(loop, loop->commit);
    }
    run_script(loop, "PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;");
}

static void run(struct loop *loop, double seconds_max, long batch)
{
    long rows = 0, commits = 0;
    double start = seconds_now(), elapsed;
    do {
        step_once(loop, loop->begin);
        for (long i = 0; i < batch; i++, rows++) {
            insert_row(loop, (int)(rows % CONVERSATIONS_BUSY));
        }
        step_once(loop, loop->commit);
        commits++;
        elapsed = seconds_now() - start;
    } while (elapsed < seconds_max);
    printf("{\"rows\": %ld, \"commits\": %ld, \"seconds\": %.6f, \"sqlite\": \"%s\"}\n", rows,
           commits, elapsed, sqlite3_libversion());
}

int main(int argc, char **argv)
{
    static struct loop loop;
    double seconds = argc == 5 ? strtod(argv[2], NULL) : 0;
    long batch = argc == 5 ? strtol(argv[3], NULL, 10) : 0;
    long rows = argc == 5 ? strtol(argv[4], NULL, 10) : -1;
    if (seconds <= 0 || seconds > 600 || batch < 1 || rows < 0) {
        fputs("usage: bare_commit FILE SECONDS BATCH ROWS\n", stderr);
        return 2;
    }
    loop_open(&loop, argv[1]);
    if (loop.seq[0] == 0) {
        fill(&loop, rows);
    }
    run(&loop, seconds, batch);
    loop_close(&loop);
    return EXIT_SUCCESS;
}
