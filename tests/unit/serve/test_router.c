/* serve/router.c: paths, prefixes, ids, suffixes, Allow; and that the program's own table holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/router.h"

static enum err handle(struct req *r)
{
    (void)r;
    return ERR_OK;
}

#define ROUTE(name)                                                                                \
    {                                                                                              \
        .method = name, .access = ACCESS_USER, .db = ROUTE_READ, .handle = handle, .status = 200   \
    }

static const struct resource root = {.name = "root", .paths = {""}, .methods = {ROUTE("GET")}};
static const struct resource things = {
    .name = "things", .paths = {"things/", "items/"}, .methods = {ROUTE("POST"), ROUTE("GET")}};
static const struct resource mine = {
    .name = "mine", .paths = {"things/mine/"}, .methods = {ROUTE("GET")}};
static const struct resource thing = {
    .name = "thing",
    .paths = {"things/{id}/"},
    .methods = {ROUTE("DELETE"), ROUTE("PATCH"), ROUTE("GET"), ROUTE("PUT")}};
static const struct resource part = {
    .name = "part", .paths = {"things/{id}/parts/{part_id}/"}, .methods = {ROUTE("DELETE")}};
static const struct resource first_part = {
    .name = "first part", .paths = {"things/{id}/parts/first/"}, .methods = {ROUTE("GET")}};
static const struct resource outside = {
    .name = "outside", .paths = {"/health/", "health/"}, .methods = {ROUTE("GET")}};

/* The ones with ids first: their order must not matter. */
static const struct resource *const table[] = {&part,   &thing, &first_part, &mine,
                                               &things, &root,  &outside};

#define ID "01941f29-7c00-7825-b6e9-38d548defba6"

struct found {
    struct req r;
    struct str format;
    bool found;
};

static struct found find(struct router *router, const char *path)
{
    struct found f = {.found = false};
    f.found = router_find(router, &f.r, str_of(path), &f.format);
    return f;
}

static void assert_leads(struct router *router, const char *path, const struct resource *wanted)
{
    struct found f = find(router, path);
    const struct resource *got = f.found ? f.r.resource : NULL;
    if (got != wanted) {
        fail_msg("%s leads to %s, not to %s", path, got == NULL ? "nothing" : got->name,
                 wanted == NULL ? "nothing" : wanted->name);
    }
}

static int setup(void **state)
{
    *state = router_new(table, COUNT_OF(table));
    return 0;
}

static int teardown(void **state)
{
    router_free(*state);
    return 0;
}

static void test_paths(void **state)
{
    assert_leads(*state, "/api/", &root);
    assert_leads(*state, "/api", &root);
    assert_leads(*state, "/api/things/", &things);
    assert_leads(*state, "/api/things", &things);
    assert_leads(*state, "/api/items/", &things);
    assert_leads(*state, "/api/things/" ID "/", &thing);
    assert_leads(*state, "/api/things/" ID, &thing);
    assert_leads(*state, "/api/things/" ID "/parts/" ID "/", &part);
}

static void test_literals_win_over_ids(void **state)
{
    assert_leads(*state, "/api/things/mine/", &mine);
    assert_leads(*state, "/api/things/mine", &mine);
    assert_leads(*state, "/api/things/" ID "/parts/first/", &first_part);
    assert_leads(*state, "/api/things/minee/", &thing);
}

static void test_unknown_paths(void **state)
{
    static const char *const unknown[] = {
        "",
        "/",
        "things/",
        "/things/",
        "/api/nothing/",
        "/api//",
        "//api/",
        "/api/things//",
        "/api/Things/",
        "/API/things/",
        "/apithings",
        "/api/v2/things/",
        "/api/v1/v1/things/",
        "/api/things/" ID "/parts/",
        "/api/things/" ID "/parts/" ID "/more/",
        "/api/a/b/c/d/e/f/g/h/i/j/k/",
    };
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        assert_leads(*state, unknown[i], NULL);
    }
}

static void assert_prefix(struct router *router, const char *path, const char *wanted)
{
    struct found f = find(router, path);
    assert_true(f.found);
    assert_true(str_eq(f.r.prefix, str_of(wanted)));
}

static void test_prefixes(void **state)
{
    assert_prefix(*state, "/api/things/", "/api/");
    assert_prefix(*state, "/api/v1/things/", "/api/v1/");
    assert_prefix(*state, "/api/chats/things", "/api/chats/");
    assert_prefix(*state, "/api/v1", "/api/v1/");
    assert_prefix(*state, "/api", "/api/");
    assert_prefix(*state, "/health/", "/");
    assert_leads(*state, "/health", &outside);
    assert_leads(*state, "/api/health/", &outside);
    assert_leads(*state, "/v1/things/", NULL);
}

static void test_ids(void **state)
{
    struct uuid id;
    assert_true(uuid_parse(STR(ID), &id));
    struct found f = find(*state, "/api/things/" ID "/parts/nonsense/");
    assert_true(f.found);
    assert_true(f.r.path_ids[0].valid);
    assert_true(uuid_eq(f.r.path_ids[0].id, id));
    assert_false(f.r.path_ids[1].valid);
    assert_true(str_eq(f.r.path_ids[1].text, STR("nonsense")));
    f = find(*state, "/api/things/");
    assert_null(f.r.path_ids[0].text.p);
}

static void assert_format(struct router *router, const char *path, const struct resource *wanted,
                          const char *format)
{
    struct found f = find(router, path);
    assert_true(f.found);
    assert_ptr_equal(f.r.resource, wanted);
    assert_true(str_eq(f.format, str_of(format)));
    assert_int_equal(f.format.p == NULL, format == NULL);
}

static void test_suffixes(void **state)
{
    assert_format(*state, "/api/things.json", &things, "json");
    assert_format(*state, "/api/things.xml", &things, "xml");
    assert_format(*state, "/api/things/mine.json", &mine, "json");
    assert_format(*state, "/api/things/" ID ".json", &thing, "json");
    assert_format(*state, "/api/things/" ID, &thing, NULL);
    assert_format(*state, "/api/things/a.b.json", &thing, "json");
    assert_leads(*state, "/api/.json", NULL);
    struct found f = find(*state, "/api/things/" ID ".json");
    assert_true(f.r.path_ids[0].valid);
}

static void test_methods(void **state)
{
    (void)state;
    assert_string_equal(router_method(&thing, STR("PATCH"))->method, "PATCH");
    assert_string_equal(router_method(&things, STR("HEAD"))->method, "GET");
    assert_null(router_method(&part, STR("HEAD")));
    assert_null(router_method(&things, STR("PUT")));
    assert_null(router_method(&things, STR("get")));
    assert_null(router_method(&things, STR("")));
}

static void test_allow(void **state)
{
    assert_string_equal(router_allow(*state, &things), "GET, POST, HEAD, OPTIONS");
    assert_string_equal(router_allow(*state, &thing), "GET, PUT, PATCH, DELETE, HEAD, OPTIONS");
    assert_string_equal(router_allow(*state, &part), "DELETE, OPTIONS");
}

/* ------- tables that must not start ------- */

static void assert_refused(const struct resource *bad)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(2);
        }
        router_free(router_new(&bad, 1));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_bad_tables(void **state)
{
    (void)state;
    const struct resource no_access = {
        .name = "x",
        .paths = {"x/"},
        .methods = {{.method = "GET", .handle = handle, .status = 200}}};
    const struct resource no_handler = {
        .name = "x",
        .paths = {"x/"},
        .methods = {{.method = "GET", .access = ACCESS_USER, .status = 200}}};
    const struct resource no_status = {
        .name = "x",
        .paths = {"x/"},
        .methods = {{.method = "GET", .access = ACCESS_USER, .handle = handle}}};
    const struct resource slow_reader = {.name = "x",
                                         .paths = {"x/"},
                                         .methods = {{.method = "GET",
                                                      .access = ACCESS_USER,
                                                      .db = ROUTE_READ,
                                                      .slow = handle,
                                                      .handle = handle,
                                                      .status = 200}}};
    const struct resource many_ids = {
        .name = "x", .paths = {"{a}/{b}/{c}/"}, .methods = {ROUTE("GET")}};
    assert_refused(&no_access);
    assert_refused(&no_handler);
    assert_refused(&no_status);
    assert_refused(&slow_reader);
    assert_refused(&many_ids);
}

/* The table of the program: it starts, and each path leads to its own resource. */
static void test_own_table(void **state)
{
    (void)state;
    struct router *router = router_new(api_resources, api_resource_count);
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < api_resource_count; i++) {
        const struct resource *resource = api_resources[i];
        for (size_t p = 0; p < PATHS_MAX && resource->paths[p] != NULL; p++) {
            const char *path = resource->paths[p];
            const char *full = path[0] == '/' ? path : arena_printf(&a, "/api/%s", path).p;
            assert_leads(router, full, resource);
        }
        assert_true(strlen(router_allow(router, resource)) > strlen("OPTIONS"));
    }
    arena_fini(&a);
    router_free(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_paths),
        TEST(test_literals_win_over_ids),
        TEST(test_unknown_paths),
        TEST(test_prefixes),
        TEST(test_ids),
        TEST(test_suffixes),
        TEST(test_methods),
        TEST(test_allow),
#undef TEST
        cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_own_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
