/* store/notification.c: the merge gives what sorting all unread messages gives, in every window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/log.h"
#include "store/notification.h"
#include "store/queries.h"
#include "unit/support/database.h"

/* Conversation n has n messages; user 1 has read some of them and mutes one conversation. Times rise
 * with seq, are far apart in some conversations and dense in others, and often the same in two. Every
 * seventh message is a tombstone. */
enum { CONVERSATIONS = 23, NOW_US = 1000, MUTED_UNTIL_US = 2000 };

static const struct uuid reader = {{0xA1}};

static const char rows_sql[] =
    "INSERT INTO account (id, username, username_key, email, first_name, last_name, phone_number,"
    "  role, password, metadata, is_active, created_at, stamp) VALUES"
    " (x'A1000000000000000000000000000000', 'reader', 'reader', '', '', '', '', 'guest', '!', '{}',"
    "  1, 1, 1),"
    " (x'A2000000000000000000000000000000', 'writer', 'writer', '', '', '', '', 'guest', '!', '{}',"
    "  1, 1, 1);"
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 23)"
    " INSERT INTO conversation (id, title, metadata, created_by, created_at, updated_at, last_seq,"
    "  message_count, participant_count, rev, stamp)"
    " SELECT CAST(char(i) || zeroblob(15) AS BLOB), 'c' || i, '{}',"
    "  x'A1000000000000000000000000000000', 1, 100 + i * (1 + i % 5) * 3 + i % 2, i, i, 2, i, 1"
    " FROM n;"
    "INSERT INTO participant (conversation_id, user_id, role, joined_at, read_seq, muted_until,"
    "  archived, pinned, rev, stamp)"
    " SELECT c.id, a.id, 'member', 1, c.last_seq / 4, CASE c.last_seq WHEN 20 THEN 2000 WHEN 21"
    "  THEN 1000 END, 0, 0, 1, 1 FROM conversation c CROSS JOIN account a;"
    "UPDATE participant SET read_seq = 22 WHERE conversation_id IN (SELECT id FROM conversation"
    "  WHERE last_seq = 22);"
    "UPDATE participant SET left_at = 5 WHERE conversation_id IN (SELECT id FROM conversation"
    "  WHERE last_seq = 19);"
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 23)"
    " INSERT INTO message (conversation_id, seq, id, sender_id, body, metadata, sent_at, deleted_at,"
    "  rev, stamp)"
    " SELECT c.id, n.i, CAST(char((n.i * 37 + c.last_seq * 11) % 120 + 1) || char(c.last_seq) ||"
    "  char(n.i) || zeroblob(13) AS BLOB), x'A2000000000000000000000000000000', 'text', '{}',"
    "  100 + n.i * (1 + c.last_seq % 5) * 3, CASE WHEN (n.i + c.last_seq) % 7 = 0 THEN 1 END, 1, 1"
    " FROM conversation c JOIN n ON n.i <= c.last_seq;";

static const char sorted_sql[] =
    "SELECT m.sent_at, m.id FROM participant p JOIN conversation c ON c.id = p.conversation_id"
    " JOIN message m ON m.conversation_id = c.id AND m.seq > p.read_seq AND m.deleted_at IS NULL"
    " WHERE p.user_id = x'A1000000000000000000000000000000' AND p.left_at IS NULL"
    " AND coalesce(p.muted_until, 0) <= 1000 ORDER BY m.sent_at DESC, m.id DESC";

enum { SORTED_MAX = 400 };

struct fixture {
    struct test_database t;
    struct db *db;
    struct unread *in;
    size_t in_count;
    struct list_key sorted[SORTED_MAX]; /* newest first */
    size_t count;
};

static void read_sorted(struct fixture *f)
{
    const char *const texts[] = {sorted_sql};
    const char *const names[] = {"sorted"};
    struct db_rows rows;
    struct db *db = test_database_open(&f->t, (struct db_queries){texts, names, 1}, true);
    assert_int_equal(db_query(db, 0, NO_ARGS, &rows), ERR_OK);
    while (db_next(&rows)) {
        assert_true(f->count < SORTED_MAX);
        f->sorted[f->count++] = (struct list_key){.n = db_int(&rows, 0), .id = db_uuid(&rows, 1)};
    }
    assert_int_equal(db_end(&rows, ERR_OK), ERR_OK);
    db_close(db);
    assert_true(f->count > 100);
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    test_database_init(&f->t);
    test_database_migrate(&f->t);
    f->db = test_database_open(&f->t, store_queries, false);
    test_database_script(&f->t, f->db, rows_sql);
    assert_int_equal(store_unread_list(f->db, &f->t.arena, reader, NOW_US, &f->in, &f->in_count),
                     ERR_OK);
    read_sorted(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->db);
    test_database_fini(&f->t);
    free(f);
    return 0;
}

static bool same_key(struct list_key a, struct list_key b)
{
    return a.n == b.n && uuid_eq(a.id, b.id);
}

/* The window gives the sorted ones from `first` on, in its direction; `wanted` of them. */
static void assert_window(struct fixture *f, const struct window *window, size_t first,
                          size_t wanted)
{
    struct notification *rows = NULL;
    size_t n = 0;
    assert_int_equal(
        store_notification_list(f->db, &f->t.arena, f->in, f->in_count, window, &rows, &n), ERR_OK);
    assert_int_equal(n, wanted);
    for (size_t i = 0; i < n; i++) {
        const struct message *m = rows[i].message;
        assert_true(same_key((struct list_key){.n = m->sent_at, .id = m->id},
                             f->sorted[window->descending ? first + i : first - i]));
        assert_true(uuid_eq(m->conversation_id, rows[i].in->conversation_id));
        assert_true(m->sender.username.n > 0);
        assert_false(m->is_read);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void test_what_is_unread(void **state)
{
    struct fixture *f = *state;
    int64_t listed = 0;
    assert_int_equal(f->in_count, CONVERSATIONS - 3); /* muted, read, left */
    for (size_t i = 0; i < f->in_count; i++) {
        const struct unread *in = &f->in[i];
        assert_true(in->read_seq == in->last_seq / 4);
        assert_true(i == 0 || in->updated_at <= f->in[i - 1].updated_at);
        listed += in->last_seq - in->read_seq - in->tombstones;
    }
    assert_int_equal(listed, f->count);
    assert_int_equal(
        store_unread_list(f->db, &f->t.arena, reader, MUTED_UNTIL_US, &f->in, &f->in_count),
        ERR_OK);
    assert_int_equal(f->in_count, CONVERSATIONS - 2); /* its time is over */
}

static void test_pages_by_number(void **state)
{
    struct fixture *f = *state;
    for (size_t offset = 0; offset <= f->count + 1; offset++) {
        struct window window = {
            .descending = true, .after = window_start(true), .offset = (int64_t)offset, .limit = 7};
        size_t left = offset < f->count ? f->count - offset : 0;
        assert_window(f, &window, offset, least(7, left));
        window.descending = false;
        window.after = window_start(false);
        assert_window(f, &window, f->count - 1 - offset, least(7, left));
    }
}

/* Behind each message, in both directions. */
static void test_cursors(void **state)
{
    struct fixture *f = *state;
    for (size_t at = 0; at < f->count; at++) {
        struct window window = {.descending = true, .after = f->sorted[at], .limit = 9};
        assert_window(f, &window, at + 1, least(9, f->count - 1 - at));
        window.descending = false;
        assert_window(f, &window, at - 1, least(9, at));
    }
}

/* Behind keys that no message has, such as those of one that was deleted meanwhile. */
static void test_cursors_between(void **state)
{
    struct fixture *f = *state;
    for (size_t at = 0; at < f->count; at++) {
        struct window window = {.descending = true, .after = f->sorted[at], .limit = 3};
        window.after.id.b[15] = 1; /* just above that message */
        assert_window(f, &window, at, least(3, f->count - at));
        window.descending = false;
        assert_window(f, &window, at - 1, least(3, at));
    }
}

/* Without statistics, as in most databases: tombstones must not be counted by reading all that is
 * unread. */
static void test_tombstones_have_an_index(void **state)
{
    struct fixture *f = *state;
    struct str explain =
        arena_printf(&f->t.arena, "EXPLAIN QUERY PLAN %s", store_queries.text[Q_UNREAD_LIST]);
    const char *const texts[] = {explain.p};
    const char *const names[] = {"plan"};
    struct db_rows rows;
    bool found = false;
    struct db *db = test_database_open(&f->t, (struct db_queries){texts, names, 1}, true);
    assert_int_equal(db_query(db, 0, NO_ARGS, &rows), ERR_OK);
    while (db_next(&rows)) {
        struct str step = arena_copy(&f->t.arena, db_text(&rows, 3));
        found = found || strstr(step.p, "m USING COVERING INDEX message_deleted") != NULL;
    }
    assert_int_equal(db_end(&rows, ERR_OK), ERR_OK);
    db_close(db);
    assert_true(found);
}

static void test_nothing(void **state)
{
    struct fixture *f = *state;
    const struct window window = {.descending = true, .after = window_start(true), .limit = 5};
    f->in_count = 0;
    assert_window(f, &window, 0, 0);
    assert_int_equal(
        store_unread_list(f->db, &f->t.arena, (struct uuid){{0xEE}}, NOW_US, &f->in, &f->in_count),
        ERR_OK);
    assert_int_equal(f->in_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_what_is_unread),  TEST(test_pages_by_number),          TEST(test_cursors),
        TEST(test_cursors_between), TEST(test_tombstones_have_an_index), TEST(test_nothing),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
