/* sync/mark.c: who was told what, kept in a file from one life of the database to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/mark.h"
#include "unit/support/database.h"

static const struct uuid life = {{7}};

struct fixture {
    struct test_database t;
    char path[96];
    struct mark *mark;
};

static int set_up(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    test_database_init(&f->t);
    (void)snprintf(f->path, sizeof(f->path), "%s/db-mark", f->t.folder);
    assert_int_equal(mark_open(f->path, &f->mark), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    mark_close(f->mark);
    (void)remove(f->path);
    test_database_fini(&f->t);
    free(f);
    return 0;
}

/* As after the end of the process. */
static void open_again(struct fixture *f)
{
    mark_close(f->mark);
    assert_int_equal(mark_open(f->path, &f->mark), ERR_OK);
}

static void assert_says(const struct fixture *f, int64_t wanted)
{
    struct uuid incarnation;
    struct position at;
    assert_true(mark_read(f->mark, &incarnation, &at));
    assert_true(uuid_eq(incarnation, life));
    assert_int_equal(at.at[0], wanted);
}

static bool says_nothing(const struct fixture *f)
{
    struct uuid incarnation;
    struct position at;
    return !mark_read(f->mark, &incarnation, &at);
}

static void begin_at(struct fixture *f, int64_t at)
{
    assert_int_equal(mark_begin(f->mark, life, &(struct position){{at}}), ERR_OK);
}

static void test_new_file(void **state)
{
    const struct fixture *f = *state;
    assert_true(says_nothing(f));
}

static void test_kept(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 10);
    mark_raise(f->mark, &(struct position){{17}});
    mark_raise(f->mark, &(struct position){{12}}); /* never lowered */
    open_again(f);
    assert_says(f, 17);
}

static void test_begun_anew(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 10);
    mark_raise(f->mark, &(struct position){{17}});
    begin_at(f, 5);
    open_again(f);
    assert_says(f, 5);
}

static void test_one_at_a_time(void **state)
{
    const struct fixture *f = *state;
    struct mark *second = NULL;
    assert_int_equal(mark_open(f->path, &second), ERR_CONFLICT);
}

static void test_damaged(void **state)
{
    struct fixture *f = *state;
    begin_at(f, 10);
    mark_close(f->mark);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);
    assert_int_equal(mark_open(f->path, &f->mark), ERR_OK);
    assert_true(says_nothing(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begun_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
