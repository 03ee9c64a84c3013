/* The list of users in each order goes along an index, so that any page of it costs the same: SQLite
 * sorts nothing and looks for where the page begins. */
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
} orders[] = {
    {Q_USERS_ALL_CREATED, "account_created"},
    {Q_USERS_ALL_CREATED_DOWN, "account_created"},
    {Q_USERS_ALL_NAME, "account_username"},
    {Q_USERS_ALL_NAME_DOWN, "account_username"},
    {Q_USERS_ALL_EMAIL, "account_email_order"},
    {Q_USERS_ALL_EMAIL_DOWN, "account_email_order"},
    {Q_USERS_ALL_SEEN, "account_seen"},
    {Q_USERS_ALL_SEEN_DOWN, "account_seen"},
    {Q_USERS_ROLE_CREATED, "account_role"},
    {Q_USERS_INACTIVE_CREATED_DOWN, "account_inactive"},
    {Q_DEVICES_ALL_DOWN, "session_created"},
    {Q_DEVICES_KIND_DOWN, "session_kind"},
    {Q_DEVICES_USER_DOWN, "session_by_user"},
    {Q_AUDIT_ALL_DOWN, "audit_at"},
    {Q_AUDIT_ACTOR_DOWN, "audit_actor"},
    {Q_AUDIT_ACTION_DOWN, "audit_action"},
    {Q_AUDIT_OBJECT_DOWN, "audit_object"},
    {Q_MESSAGE_ALL_DESC, "message_sent"},
    {Q_MESSAGE_ALL_SENDER_DESC, "message_sender"},
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

static void test_orders(void **state)
{
    struct test_database t;
    (void)state;
    test_database_init(&t);
    test_database_migrate(&t);
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct buf plan;
        buf_init(&plan, PLAN_MAX);
        explain(&t, orders[i].query, &plan);
        buf_char(&plan, '\0');
        const char *name = store_queries.name[orders[i].query];
        const char *sort = strstr(plan.p, "USE TEMP B-TREE FOR ORDER BY");
        const char *search = strstr(plan.p, "SEARCH");
        const char *index = strstr(plan.p, orders[i].index);
        if (sort != NULL || search == NULL || index == NULL) {
            fail_msg("%s does not search %s:\n%s", name, orders[i].index, plan.p);
        }
        buf_fini(&plan);
    }
    test_database_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
