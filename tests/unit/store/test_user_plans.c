/* The lists of administration go along an index in each order, so that any page of them costs the same:
 * SQLite sorts nothing and looks for where the page begins. Where a filter leaves few, these are found
 * first and sorted then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "store/queries.h"
#include "unit/support/database.h"

enum { PLAN_MAX = 4096, DETAIL_COLUMN = 3 };

static const struct {
    int query;
    const char *index;
    bool sorts;
} lists[] = {
    {Q_USERS_ALL_CREATED, "account_created", false},
    {Q_USERS_ALL_CREATED_DOWN, "account_created", false},
    {Q_USERS_ALL_NAME, "account_username", false},
    {Q_USERS_ALL_NAME_DOWN, "account_username", false},
    {Q_USERS_ALL_EMAIL, "account_email_order", false},
    {Q_USERS_ALL_EMAIL_DOWN, "account_email_order", false},
    {Q_USERS_ALL_SEEN, "account_seen", false},
    {Q_USERS_ALL_SEEN_DOWN, "account_seen", false},
    {Q_USERS_ROLE_CREATED, "account_role", false},
    {Q_USERS_INACTIVE_CREATED_DOWN, "account_inactive", false},
    {Q_DEVICES_ALL_DOWN, "session_created", false},
    {Q_DEVICES_KIND_DOWN, "session_kind", false},
    {Q_DEVICES_USER_DOWN, "session_by_user", false},
    {Q_AUDIT_ALL_DOWN, "audit_at", false},
    {Q_AUDIT_ACTOR_DOWN, "audit_actor", false},
    {Q_AUDIT_ACTION_DOWN, "audit_action", false},
    {Q_AUDIT_OBJECT_DOWN, "audit_object", false},
    {Q_MESSAGE_ALL_DESC, "message_sent", false},
    {Q_MESSAGE_ALL_SENDER_DESC, "message_sender", false},
    {Q_USERS_ALL_COUNT, "account_created", false},
    {Q_USERS_SEEN_COUNT, "account_seen", false},
    {Q_USERS_INACTIVE_COUNT, "account_inactive", false},
    {Q_USERS_ROLE_COUNT, "account_role", false},
    {Q_USERS_ROLE_NAME, "account_role", true},
    {Q_USERS_INACTIVE_EMAIL, "account_inactive", true},
    {Q_USERS_INACTIVE_SEEN_DOWN, "account_inactive", true},
    {Q_USERS_MADE_EMAIL_DOWN, "account_created", true},
    {Q_USERS_SEEN_CREATED, "account_seen", true},
    {Q_USERS_WORD_CREATED, "PRIMARY KEY (word>?", true},
};

/* The lines of the plan, one behind the other. */
static void explain(struct test_database *t, int query, struct buf *plan)
{
    char text[64 * 1024];
    const char *const texts[] = {text};
    const char *const names[] = {"EXPLAIN"};
    struct db_rows rows;
    int n = snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", store_queries.text[query]);
    assert_in_range(n, 1, sizeof(text) - 1);
    struct db *db = test_database_open(t, (struct db_queries){texts, names, 1}, true);
    assert_int_equal(db_begin_read(db), ERR_OK);
    enum err e = db_query(db, 0, NO_ARGS, &rows);
    while (e == ERR_OK && db_next(&rows)) {
        buf_str(plan, db_text(&rows, DETAIL_COLUMN));
        buf_char(plan, '\n');
    }
    assert_int_equal(db_end(&rows, e), ERR_OK);
    db_rollback(db);
    db_close(db);
}

static void test_plans(void **state)
{
    struct test_database t;
    (void)state;
    test_database_init(&t);
    test_database_migrate(&t);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct buf plan;
        buf_init(&plan, PLAN_MAX);
        explain(&t, lists[i].query, &plan);
        buf_char(&plan, '\0');
        const char *name = store_queries.name[lists[i].query];
        const char *sort = strstr(plan.p, "USE TEMP B-TREE FOR ORDER BY");
        const char *search = strstr(plan.p, "SEARCH");
        const char *index = strstr(plan.p, lists[i].index);
        bool is_sorted = sort != NULL;
        if (is_sorted != lists[i].sorts || search == NULL || index == NULL) {
            fail_msg("%s does not go by %s:\n%s", name, lists[i].index, plan.p);
        }
        buf_fini(&plan);
    }
    test_database_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
