#include "unit/support/chat_rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ID(first) "x'" first "000000000000000000000000000000'"

static const char accounts[] =
    "INSERT INTO account (id, username, username_key, email, email_key, first_name, last_name,"
    " phone_number, role, password, metadata, is_active, created_at, stamp) VALUES"
    " (" ID(
        "A1") ", 'one', 'one', 'one@example.com', 'one@example.com', '', '', '', 'guest', '!',"
              "  '{}', 1, 1, 1),"
              " (" ID(
                  "A2") ", 'two', 'two', 'two@example.com', 'two@example.com', '', '', '', 'guest', '!',"
                        "  '{}', 1, 1, 1);";

static const char conversations[] =
    "INSERT INTO conversation (id, title, metadata, created_by, created_at, updated_at, deleted_at,"
    " last_seq, message_count, participant_count, rev, stamp) VALUES"
    " (" ID("C1") ", 'living', '{\"k\":1}', " ID(
        "A1") ", 1, 1, NULL, 10, 10, 2, 13, 1),"
              " (" ID("C2") ", 'deleted', '{\"k\":1}', " ID("A1") ", 1, 1, 5, 10, 0, 0, 14, 1);";

/* The id of a message is the first byte of its conversation's id, then its seq. */
static const char messages[] =
    "WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 10)"
    " INSERT INTO message (conversation_id, seq, id, sender_id, body, metadata, fingerprint,"
    " sent_at, pinned_at, rev, stamp)"
    " SELECT c.id, n.seq, CAST(substr(c.id, 1, 1) || char(n.seq) || zeroblob(14) AS BLOB),"
    " CASE n.seq % 2 WHEN 1 THEN " ID("A1") " ELSE " ID(
        "A2") " END,"
              " 'text ' || n.seq, '{\"k\":1}', zeroblob(32), 1000 + n.seq, 7, 3 + n.seq, 1"
              " FROM conversation c CROSS JOIN n;"
              "INSERT INTO message_history (message_id, n, body, written_at, editor_id)"
              " SELECT id, 1, 'earlier', sent_at, sender_id FROM message;";

void chat_rows_add(struct test_database *t)
{
    struct db *db = test_database_open(t, (struct db_queries){NULL, NULL, 0}, false);
    test_database_script(t, db, accounts);
    test_database_script(t, db, conversations);
    test_database_script(t, db, messages);
    db_close(db);
}

void chat_rows_count(struct test_database *t)
{
    struct db *db = test_database_open(t, (struct db_queries){NULL, NULL, 0}, false);
    test_database_script(t, db, "UPDATE shard SET messages = 10");
    db_close(db);
}

int64_t chat_rows_get(struct test_database *t, const char *sql)
{
    const char *const texts[] = {sql};
    const char *const names[] = {"get"};
    int64_t n = -1;
    struct db *db = test_database_open(t, (struct db_queries){texts, names, 1}, true);
    if (db_get_int(db, 0, NO_ARGS, &n, NULL) != ERR_OK) {
        fail_msg("%s", sql);
    }
    db_close(db);
    return n;
}
