/* serve/inner.h: requests over a socket go the way of all requests, as the user and device of the
 * socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "chat/session.h"
#include "serve/inner.h"
#include "serve/route.h"
#include "serve/router.h"
#include "serve/throttle.h"
#include "store/change.h"
#include "store/queries.h"
#include "store/sync.h"
#include "unit/support/world.h"

struct fixture {
    struct world w;
    struct conf conf;
    struct app app;
    struct uuid alice;
    struct uuid bob; /* not in the conversation */
    struct uuid conversation;
    struct session session; /* Alice's */
    char path[128];

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    int count;
    int status;
    int64_t retry_after_s;
    char code[64];
    char body[2048];
};

static void open_session(struct fixture *f)
{
    const struct device device = {STR("a test"), STR("127.0.0.1")};
    world_begin(&f->w);
    const struct user alice = world_get(&f->w, f->alice);
    struct call call = world_call(&f->w, &alice);
    assert_int_equal(chat_session_open(&call, f->alice, &device, &f->session), ERR_OK);
    world_commit(&f->w);
}

static void start_app(struct fixture *f)
{
    struct str problem = STR("");
    const struct exec_options options = {
        .url = f->w.t.url,
        .queries = store_queries,
        .write_queue_max = 16,
        .write_batch_max = 16,
        .pools = {[EXEC_HASHES] = {1, 16, 0}, [EXEC_SEARCHES] = {1, 16, 0}},
        .busy_timeout_ms = 5000,
        .read_timeout_ms = 60000,
        .hold = store_hold_shard};
    conf_init(&f->conf);
    f->app = (struct app){.conf = &f->conf, .limits = f->w.limits};
    f->app.router = router_new(api_resources, api_resource_count);
    f->app.throttle = throttle_new();
    assert_int_equal(exec_new(&options, &f->app.exec, &f->w.t.arena, &problem), ERR_OK);
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    char id[UUID_TEXT];
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    world_init(&f->w);
    f->alice = world_user(&f->w, "alice");
    f->bob = world_user(&f->w, "bob");
    f->conversation = world_conversation(&f->w, f->alice, (struct uuid){{0}});
    open_session(f);
    start_app(f);
    uuid_format(f->conversation, id);
    (void)snprintf(f->path, sizeof(f->path), "/api/conversations/%.*s/messages/", UUID_TEXT, id);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    exec_stop(f->app.exec);
    exec_free(f->app.exec);
    throttle_free(f->app.throttle);
    router_free(f->app.router);
    world_fini(&f->w);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void done(const struct inner_answer *answer, void *context)
{
    struct fixture *f = context;
    pthread_mutex_lock(&f->lock);
    f->count++;
    f->status = answer->status;
    f->retry_after_s = answer->retry_after_s;
    (void)snprintf(f->code, sizeof(f->code), "%s",
                   answer->error_code != NULL ? answer->error_code : "");
    (void)snprintf(f->body, sizeof(f->body), "%.*s", STR_ARG(answer->body));
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void ask(struct fixture *f, struct uuid user_id, struct uuid session_id, const char *method,
                const char *path, const char *body)
{
    const struct inner_request request = {.user_id = user_id,
                                          .session_id = session_id,
                                          .method = method,
                                          .path = str_of(path),
                                          .body = str_of(body),
                                          .address = STR("127.0.0.1")};
    pthread_mutex_lock(&f->lock);
    int before = f->count;
    pthread_mutex_unlock(&f->lock);
    serve_inner(&f->app, &request, done, f);
    pthread_mutex_lock(&f->lock);
    while (f->count == before) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    assert_int_equal(f->count, before + 1);
    pthread_mutex_unlock(&f->lock);
}

static void send_as_alice(struct fixture *f, const char *body)
{
    ask(f, f->alice, f->session.id, "POST", f->path, body);
}

static void expect(struct fixture *f, int status, const char *code, const char *part)
{
    assert_int_equal(f->status, status);
    assert_string_equal(f->code, code);
    if (strstr(f->body, part) == NULL) {
        fail_msg("no \"%s\" in: %s", part, f->body);
    }
}

static void test_a_write_is_stored_before_it_is_answered(void **state)
{
    struct fixture *f = *state;
    int64_t count = 0;
    send_as_alice(f, "{\"message_body\": \"over a socket\"}");
    expect(f, 201, "", "\"message_body\":\"over a socket\"");
    struct db *db;
    assert_int_equal(exec_read_begin(f->app.exec, &db), ERR_OK);
    struct conversation conversation;
    bool found;
    assert_int_equal(
        store_sync_conversation(db, &f->w.arena, f->conversation, &conversation, &found), ERR_OK);
    count = conversation.message_count;
    exec_read_end(f->app.exec, db);
    assert_int_equal(count, 1);
}

static void test_a_read(void **state)
{
    struct fixture *f = *state;
    ask(f, f->alice, f->session.id, "GET", "/api/users/me/", "");
    expect(f, 200, "", "\"username\":\"alice\"");
}

static void test_errors_are_those_of_rest(void **state)
{
    struct fixture *f = *state;
    send_as_alice(f, "{}");
    expect(f, 400, "invalid", "{\"message_body\":[\"This field is required.\"]}");
    send_as_alice(f, "not JSON");
    expect(f, 400, "parse_error", "JSON parse error");
    ask(f, f->bob, (struct uuid){{0}}, "POST", f->path, "{\"message_body\": \"x\"}");
    expect(f, 403, "not_participant", "\"detail\"");
    ask(f, f->alice, f->session.id, "POST", "/api/nowhere/", "{}");
    expect(f, 404, "not_found", "Not found.");
    ask(f, f->alice, f->session.id, "POST", "/api/users/me/", "{}");
    expect(f, 405, "method_not_allowed", "POST");
}

/* A device that was signed out has nothing to say any more, though its socket is still there. */
static void test_a_revoked_session(void **state)
{
    struct fixture *f = *state;
    world_begin(&f->w);
    const struct user alice = world_get(&f->w, f->alice);
    struct call call = world_call(&f->w, &alice);
    assert_int_equal(chat_session_revoke(&call, &f->session), ERR_OK);
    world_commit(&f->w);
    send_as_alice(f, "{\"message_body\": \"x\"}");
    expect(f, 401, "token_not_valid", "\"code\":\"token_not_valid\"");
}

static void test_another_users_session(void **state)
{
    struct fixture *f = *state;
    ask(f, f->bob, f->session.id, "GET", "/api/users/me/", "");
    expect(f, 401, "token_not_valid", "\"detail\"");
}

static void test_a_deleted_user(void **state)
{
    struct fixture *f = *state;
    world_delete_user(&f->w, f->alice);
    send_as_alice(f, "{\"message_body\": \"x\"}");
    expect(f, 401, "user_not_found", "\"detail\"");
}

static void test_rates_count(void **state)
{
    struct fixture *f = *state;
    f->conf.throttle_user = (struct rate){2, 3600};
    send_as_alice(f, "{\"message_body\": \"1\"}");
    send_as_alice(f, "{\"message_body\": \"2\"}");
    expect(f, 201, "", "\"message_body\":\"2\"");
    send_as_alice(f, "{\"message_body\": \"3\"}");
    expect(f, 429, "throttled", "Request was throttled.");
    assert_true(f->retry_after_s > 0);
}

/* A search waits for its pool, as one over HTTP does. */
static void test_a_search_runs_apart(void **state)
{
    struct fixture *f = *state;
    send_as_alice(f, "{\"message_body\": \"a needle\"}");
    ask(f, f->alice, f->session.id, "GET", "/api/messages/search/?q=needle", "");
    expect(f, 200, "", "a needle");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_a_write_is_stored_before_it_is_answered),
        TEST(test_a_read),
        TEST(test_errors_are_those_of_rest),
        TEST(test_a_revoked_session),
        TEST(test_another_users_session),
        TEST(test_a_deleted_user),
        TEST(test_rates_count),
        TEST(test_a_search_runs_apart),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
