/* Migration 0002 on a database that has been in use, up and down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "db/migrate.h"
#include "unit/support/chat_rows.h"

static void say_nothing(const struct migration *m, bool up)
{
    (void)m;
    (void)up;
}

/* Exactly the first `count` migrations are applied afterwards. */
static void migrate(struct test_database *t, size_t count)
{
    struct db *db = NULL;
    struct migrations all;
    struct str problem = STR("");
    assert_int_equal(migrate_open(t->url, 0, &db, &t->arena, &problem), ERR_OK);
    assert_int_equal(migrate_load(db, &t->arena, &all, &problem), ERR_OK);
    if (migrate_to(db, &all, count, say_nothing, &t->arena, &problem) != ERR_OK) {
        fail_msg("%.*s", STR_ARG(problem));
    }
    db_close(db);
}

static void run(struct test_database *t, const char *sql)
{
    struct db *db = test_database_open(t, (struct db_queries){NULL, NULL, 0}, false);
    test_database_script(t, db, sql);
    db_close(db);
}

static void test_rows_get_their_stamps(void **state)
{
    struct test_database t;
    (void)state;
    test_database_init(&t);
    migrate(&t, 1);
    chat_rows_add(&t);
    run(&t,
        "UPDATE shard SET stamp = 90; UPDATE message SET stamp = seq * 3;"
        "INSERT INTO participant (conversation_id, user_id, role, joined_at, read_seq, archived,"
        " pinned, rev, stamp) SELECT c.id, a.id, 'member', 1, 0, 0, 0, 1, 40"
        " FROM conversation c CROSS JOIN account a;");
    migrate(&t, 2);
    assert_int_equal(chat_rows_get(&t, "SELECT count(*) FROM message"), 2 * CHAT_ROWS_EACH);
    assert_int_equal(chat_rows_get(&t, "SELECT count(*) FROM message WHERE sent_stamp <> seq * 3"
                                       " OR stamp <> seq * 3"),
                     0);
    assert_int_equal(chat_rows_get(&t, "SELECT count(*) FROM participant WHERE joined_stamp = 40"),
                     4);
    /* Nothing of it was changed since it was sent. */
    assert_int_equal(chat_rows_get(&t, "SELECT count(*) FROM message INDEXED BY message_revised"
                                       " WHERE stamp > sent_stamp"),
                     0);
    test_database_fini(&t);
}

static void test_there_and_back(void **state)
{
    static const char schema[] = "SELECT count(*) FROM sqlite_schema";
    struct test_database t;
    (void)state;
    test_database_init(&t);
    migrate(&t, 1);
    int64_t before = chat_rows_get(&t, schema);
    chat_rows_add(&t);
    migrate(&t, 2);
    run(&t, "INSERT INTO ws_ticket VALUES (x'01', 1);"
            "INSERT INTO change_log VALUES (0, 1, 1, 1, NULL, NULL, 0, 1);"
            "INSERT INTO incarnation VALUES (1, x'01', '', '1', 1);"
            "UPDATE message SET stamp = 99;");
    migrate(&t, 1);
    assert_int_equal(chat_rows_get(&t, schema), before);
    assert_int_equal(chat_rows_get(&t, "SELECT count(*) FROM message WHERE stamp = 99"),
                     2 * CHAT_ROWS_EACH);
    migrate(&t, 2);
    assert_int_equal(chat_rows_get(&t, "SELECT count(*) FROM message WHERE sent_stamp = 99"),
                     2 * CHAT_ROWS_EACH);
    test_database_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_get_their_stamps),
        cmocka_unit_test(test_there_and_back),
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
