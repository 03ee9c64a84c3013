/* cli/seed_plan.c: the same each time, and of the shape that the load scripts count on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/seed_plan.h"

static const struct seed_size small = {
    .users = 30, .conversations = 100, .messages = 4000, .seed = 1};

static int setup(void **state)
{
    static struct arena a;
    arena_init(&a);
    *state = &a;
    return 0;
}

static int teardown(void **state)
{
    arena_fini(*state);
    return 0;
}

/* Everything that the plan has to say, as bytes. */
static uint64_t digest(const struct seed_size *size, struct arena *a)
{
    struct seed_plan plan;
    char text[SEED_TEXT_MAX];
    uint64_t sum = 0;
    seed_plan_make(&plan, size, a);
    for (int64_t i = 0; i < size->users; i++) {
        sum = sum * 31 + str_hash((struct str){(const char *)plan.people[i].id.b, 16});
    }
    for (int64_t i = 0; i < size->conversations; i++) {
        const struct seed_conversation *c = &plan.conversations[i];
        sum = sum * 31 + str_hash((struct str){(const char *)c->id.b, 16});
        for (size_t m = 0; m < c->group_size; m++) {
            sum = sum * 31 + c->group[m] + (uint64_t)c->read_seq[m];
        }
    }
    for (int64_t i = 0; i < size->messages; i++) {
        struct uuid id = seed_plan_next_id(&plan, seed_plan_sent_us((size_t)i));
        sum = sum * 31 + str_hash((struct str){(const char *)id.b, 16});
        sum = sum * 31 + str_hash((struct str){text, seed_plan_next_text(&plan, text)});
    }
    return sum;
}

static void test_deterministic(void **state)
{
    struct seed_size other = small;
    other.seed = 2;
    assert_true(digest(&small, *state) == digest(&small, *state));
    assert_true(digest(&small, *state) != digest(&other, *state));
}

static void test_groups(void **state)
{
    struct seed_plan plan;
    seed_plan_make(&plan, &small, *state);
    for (int64_t n = 0; n < small.conversations; n++) {
        const struct seed_conversation *c = &plan.conversations[n];
        bool has_first = false;
        assert_in_range(c->group_size, 2, SEED_GROUP_MAX);
        for (size_t i = 0; i < c->group_size; i++) {
            assert_true(c->group[i] < small.users);
            has_first = has_first || c->group[i] == 0;
            for (size_t other = 0; other < i; other++) {
                assert_int_not_equal(c->group[i], c->group[other]);
            }
        }
        assert_true(has_first || n % 10 != 0);
    }
}

static void test_messages(void **state)
{
    struct seed_plan plan;
    seed_plan_make(&plan, &small, *state);
    int64_t *seqs = ARENA_ARRAY(*state, int64_t, (size_t)small.conversations);
    for (int64_t n = 0; n < small.messages; n++) {
        const struct seed_message *m = &plan.messages[n];
        const struct seed_conversation *c = &plan.conversations[m->conversation];
        assert_int_equal(m->seq, ++seqs[m->conversation]); /* dense */
        assert_true(m->member < c->group_size);
        assert_true(n % 20 != 0 || m->conversation == 0);
        assert_true(c->read_seq[m->member] >= m->seq);
    }
    for (int64_t n = 0; n < small.conversations; n++) {
        assert_int_equal(plan.conversations[n].last_seq, seqs[n]);
    }
    assert_true(plan.conversations[0].last_seq >= small.messages / 20);
}

static void test_texts(void **state)
{
    struct seed_plan plan;
    char text[SEED_TEXT_MAX];
    seed_plan_make(&plan, &small, *state);
    for (int i = 0; i < 1000; i++) {
        size_t n = seed_plan_next_text(&plan, text);
        size_t blanks = 0;
        assert_in_range(n, 5, SEED_TEXT_MAX);
        for (size_t at = 0; at < n; at++) {
            blanks += text[at] == ' ' ? 1 : 0;
        }
        assert_in_range(blanks, 2, 19);
    }
}

static void test_ids_are_in_order_of_time(void **state)
{
    struct seed_plan plan;
    seed_plan_make(&plan, &small, *state);
    for (int64_t n = 1; n < small.conversations; n++) {
        assert_true(uuid_compare(plan.conversations[n - 1].id, plan.conversations[n].id) < 0);
    }
}

static void test_the_smallest(void **state)
{
    struct seed_plan plan;
    const struct seed_size two = {.users = 2, .conversations = 3, .messages = 5};
    const struct seed_size nothing = {.users = 2};
    seed_plan_make(&plan, &two, *state);
    assert_int_equal(plan.conversations[2].group_size, 2);
    seed_plan_make(&plan, &nothing, *state);
    assert_false(uuid_is_zero(plan.people[1].id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_deterministic),
        TEST(test_groups),
        TEST(test_messages),
        TEST(test_texts),
        TEST(test_ids_are_in_order_of_time),
        TEST(test_the_smallest),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
