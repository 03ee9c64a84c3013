/* store/change.c: positions, whole commits, cutting, incarnations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/change.h"
#include "store/queries.h"
#include "unit/support/chat_rows.h"

struct fixture {
    struct test_database t;
    struct db *db;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    test_database_init(&f->t);
    test_database_migrate(&f->t);
    f->db = test_database_open(&f->t, store_queries, false);
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

static struct position at(int64_t stamp)
{
    return (struct position){{stamp}};
}

static const struct uuid somebody = {{0xA1}};

/* One commit with so many changes, whose revs are 1, 2, 3 ... */
static int64_t commit(struct db *db, int changes)
{
    int64_t stamp = 0;
    assert_int_equal(db_begin_write(db), ERR_OK);
    assert_int_equal(store_stamp(db, somebody, &stamp), ERR_OK);
    for (int i = 1; i <= changes; i++) {
        assert_int_equal(store_change_add(db, CHANGE_USER, (struct uuid){{0}}, somebody, i),
                         ERR_OK);
    }
    assert_int_equal(db_commit(db), ERR_OK);
    return stamp;
}

struct listed {
    struct change *rows;
    size_t count;
    struct position to;
};

static struct listed list(struct fixture *f, int64_t behind)
{
    struct listed l;
    struct position from = at(behind);
    assert_int_equal(store_position(f->db, &l.to, NULL), ERR_OK);
    assert_int_equal(store_change_list(f->db, &f->t.arena, &from, &l.to, &l.rows, &l.count),
                     ERR_OK);
    return l;
}

/* --- positions and lists ------------------------------------------------------------------- */

static void test_position(void **state)
{
    struct fixture *f = *state;
    struct position p = at(99);
    assert_int_equal(store_position(f->db, &p, NULL), ERR_OK);
    assert_true(position_eq(&p, &(struct position){{0}}));
    assert_int_equal(commit(f->db, 0), 1);
    assert_int_equal(store_position(f->db, &p, NULL), ERR_OK);
    assert_true(position_eq(&p, &(struct position){{1}}));
}

static void test_a_row_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    const struct uuid conversation = {{0xC1}};
    int64_t stamp = 0;
    assert_int_equal(db_begin_write(f->db), ERR_OK);
    assert_int_equal(store_stamp(f->db, conversation, &stamp), ERR_OK);
    assert_int_equal(store_change_add(f->db, CHANGE_MESSAGE, conversation, somebody, 7), ERR_OK);
    assert_int_equal(store_change_add(f->db, CHANGE_ENDED, conversation, (struct uuid){{0}}, 8),
                     ERR_OK);
    assert_int_equal(db_commit(f->db), ERR_OK);
    struct listed l = list(f, 0);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.rows[0].shard, 0);
    assert_int_equal(l.rows[0].stamp, stamp);
    assert_int_equal(l.rows[0].kind, CHANGE_MESSAGE);
    assert_true(uuid_eq(l.rows[0].conversation_id, conversation));
    assert_true(uuid_eq(l.rows[0].object_id, somebody));
    assert_int_equal(l.rows[0].rev, 7);
    assert_int_equal(l.rows[1].kind, CHANGE_ENDED);
    assert_true(uuid_is_zero(l.rows[1].object_id));
}

static void test_whole_commits(void **state)
{
    struct fixture *f = *state;
    commit(f->db, 2);
    commit(f->db, 5);
    commit(f->db, 0);
    commit(f->db, 1);
    commit(f->db, 0);
    static const size_t counts[] = {8, 6, 1, 1, 0, 0}; /* behind 0, 1, 2 ... */
    for (size_t behind = 0; behind < COUNT_OF(counts); behind++) {
        struct listed l = list(f, (int64_t)behind);
        assert_int_equal(l.count, counts[behind]);
        assert_int_equal(l.to.at[0], 5);
    }
    struct listed all = list(f, 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(all.rows[2 + i].rev, 1 + i); /* in the order in which they were made */
    }
}

static void test_a_large_commit(void **state)
{
    struct fixture *f = *state;
    commit(f->db, 3000);
    commit(f->db, 1);
    struct listed l = list(f, 0);
    assert_int_equal(l.count, 3001);
    assert_int_equal(l.rows[2999].rev, 3000);
    assert_int_equal(l.rows[3000].stamp, 2);
}

/* What is undone leaves nothing, also when the same commit is tried again. */
static void test_an_undone_commit(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        int64_t stamp = 0;
        assert_int_equal(db_begin_write(f->db), ERR_OK);
        assert_int_equal(store_stamp(f->db, somebody, &stamp), ERR_OK);
        assert_int_equal(stamp, 1);
        assert_int_equal(store_change_add(f->db, CHANGE_USER, (struct uuid){{0}}, somebody, 1),
                         ERR_OK);
        db_rollback(f->db);
    }
    assert_int_equal(commit(f->db, 1), 1);
    assert_int_equal(list(f, 0).count, 1);
}

static void test_cut(void **state)
{
    struct fixture *f = *state;
    int64_t dropped = -1;
    int64_t before_us = clock_now_us();
    commit(f->db, 4);
    commit(f->db, 3);
    assert_int_equal(store_change_cut(f->db, before_us, 100, &dropped), ERR_OK);
    assert_int_equal(dropped, 0);
    int64_t after_us = clock_now_us() + 1;
    assert_int_equal(store_change_cut(f->db, after_us, 5, &dropped), ERR_OK);
    assert_int_equal(dropped, 5);
    struct listed l = list(f, 0);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.rows[0].stamp, 2);
    assert_int_equal(store_change_cut(f->db, after_us, 5, &dropped), ERR_OK);
    assert_int_equal(dropped, 2);
}

/* --- incarnations -------------------------------------------------------------------------- */

static const struct uuid first = {{1}};
static const struct uuid second = {{2}};
static const struct uuid third = {{3}};

static void begin_life(struct db *db, struct uuid id)
{
    assert_int_equal(store_incarnation_add(db, id, STR("test"), false, 1), ERR_OK);
}

static bool holds(struct db *db, struct uuid id, int64_t stamp)
{
    bool yes = false;
    struct position p = at(stamp);
    assert_int_equal(store_incarnation_holds(db, id, &p, &yes), ERR_OK);
    return yes;
}

static void test_the_newest_life(void **state)
{
    struct fixture *f = *state;
    assert_false(holds(f->db, first, 0));
    commit(f->db, 1);
    begin_life(f->db, first);
    assert_false(holds(f->db, second, 0));
    assert_true(holds(f->db, first, 0));
    assert_true(holds(f->db, first, 1));
    assert_false(holds(f->db, first, 2));
    commit(f->db, 1);
    assert_true(holds(f->db, first, 2));
    assert_false(holds(f->db, first, 3));
}

static void test_earlier_lives(void **state)
{
    struct fixture *f = *state;
    begin_life(f->db, first);
    commit(f->db, 1);
    begin_life(f->db, second);
    commit(f->db, 1);
    commit(f->db, 1);
    begin_life(f->db, third);
    commit(f->db, 1);
    assert_true(holds(f->db, first, 1));
    assert_false(holds(f->db, first, 2)); /* that number was never reached in it */
    assert_true(holds(f->db, second, 3));
    assert_false(holds(f->db, second, 4));
    assert_true(holds(f->db, third, 4));
    assert_false(holds(f->db, third, 5));
}

/* Positions of shards that the database does not have. */
static void test_other_shards(void **state)
{
    struct fixture *f = *state;
    bool yes = true;
    struct position p = {{0, 1}};
    begin_life(f->db, first);
    assert_int_equal(store_incarnation_holds(f->db, first, &p, &yes), ERR_OK);
    assert_false(yes);
}

static void copy_file(const char *from, const char *to)
{
    char block[4096];
    size_t n;
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(block, 1, sizeof(block), in)) > 0) {
        assert_int_equal(fwrite(block, 1, n, out), n);
    }
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
}

/* A copy from before goes its own way: whoever saw more than it holds must be found out, also once
 * it has come as far with other commits. */
static void test_a_copy_from_before(void **state)
{
    struct fixture *f = *state;
    struct test_database other;
    test_database_init(&other);
    begin_life(f->db, first);
    commit(f->db, 1);
    test_database_script(&f->t, f->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    copy_file(f->t.url + strlen("sqlite:"), other.url + strlen("sqlite:"));
    commit(f->db, 1);
    assert_true(holds(f->db, first, 2));

    struct db *copy = test_database_open(&other, store_queries, false);
    begin_life(copy, second);
    assert_true(holds(copy, first, 1));
    assert_false(holds(copy, first, 2));
    commit(copy, 1);
    commit(copy, 1);
    assert_false(holds(copy, first, 2));
    assert_true(holds(copy, second, 2));
    db_close(copy);
    test_database_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_position),         TEST(test_a_row_comes_back_as_it_was),
        TEST(test_whole_commits),    TEST(test_a_large_commit),
        TEST(test_an_undone_commit), TEST(test_cut),
        TEST(test_the_newest_life),  TEST(test_earlier_lives),
        TEST(test_other_shards),     TEST(test_a_copy_from_before),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
