/* cli/import_plan.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/import_plan.h"

static const struct uuid ann = {{3}};
static const struct uuid bob = {{1}};
static const struct uuid cy = {{2}};

static const struct import_member *member(const struct import_plan *plan, struct uuid id)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (uuid_eq(plan->members[i].id, id)) {
            return &plan->members[i];
        }
    }
    fail_msg("no such member");
    return NULL;
}

static int64_t read_seq(const struct import_plan *plan, struct uuid id)
{
    return import_plan_read_seq(plan, member(plan, id));
}

struct fixture {
    struct arena arena;
    struct import_plan plan;
};

static void begin(struct fixture *f)
{
    const struct uuid ids[] = {ann, bob};
    arena_init(&f->arena);
    import_plan_init(&f->plan, &f->arena, ids, COUNT_OF(ids));
}

static void test_no_messages(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_int_equal(f.plan.last_seq, 0);
    assert_int_equal(read_seq(&f.plan, ann), 0);
    arena_fini(&f.arena);
}

static void test_all_read(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    import_plan_add(&f.plan, ann, 10, true);
    import_plan_add(&f.plan, ann, 20, true);
    assert_int_equal(read_seq(&f.plan, ann), 2);
    assert_int_equal(read_seq(&f.plan, bob), 2);
    arena_fini(&f.arena);
}

/* What is one's own is not unread; what others have sent is, from the first on. */
static void test_unread(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    import_plan_add(&f.plan, bob, 10, true);
    import_plan_add(&f.plan, ann, 20, false);
    import_plan_add(&f.plan, ann, 30, true);
    assert_int_equal(read_seq(&f.plan, ann), 3);
    assert_int_equal(read_seq(&f.plan, bob), 1);
    import_plan_add(&f.plan, bob, 40, false);
    assert_int_equal(read_seq(&f.plan, ann), 3);
    assert_int_equal(read_seq(&f.plan, bob), 4); /* who writes has read */
    assert_int_equal(f.plan.last_us, 40);
    arena_fini(&f.arena);
}

static void test_sender_who_left(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    import_plan_add(&f.plan, cy, 10, true);
    import_plan_add(&f.plan, cy, 20, true);
    assert_int_equal(f.plan.count, 3);
    assert_true(member(&f.plan, cy)->has_left);
    assert_int_equal(member(&f.plan, cy)->sent_us, 20);
    assert_false(member(&f.plan, ann)->has_left);
    assert_true(uuid_eq(f.plan.members[1].id, cy)); /* still sorted */
    arena_fini(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_messages),
        cmocka_unit_test(test_all_read),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_sender_who_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
