/* What a client says on its WebSocket: a JSON object with a `type`. Sending, reading and typing are
 * requests like those over HTTP (serve/inner.h); the rest is answered here, on the loop's thread.
 * Each ends in one hub_answered(). */
#include <stdlib.h>

#include "api/realtime.h"
#include "base/clock.h"
#include "base/log.h"
#include "chat/session.h"
#include "live/bus.h"
#include "serve/app.h"
#include "serve/inner.h"
#include "store/change.h"
#include "store/sync.h"
#include "store/user.h"
#include "sync/frames.h"
#include "json/read.h"
#include "json/write.h"

enum { SUBSCRIBE_MAX = 200, ERROR_MAX = 64 * 1024 };

/* One frame of a client, during `said`. */
struct said {
    struct app *app;
    struct live_client *client;
    struct arena arena;
    json_t *frame;
    struct str type;
    struct str client_id; /* as it was sent; absent if it is no text */
};

static struct str text_of(const json_t *value)
{
    return json_is_string(value) ? (struct str){json_string_value(value), json_string_length(value)}
                                 : STR_NULL;
}

/* ------- refusing ------- */

static void refuse(const struct said *said, enum err e, struct str error)
{
    hub_answered(said->client, frame_nack(said->type, said->client_id, err_status(e), err_code(e),
                                          error, e == ERR_BUSY ? 1 : 0));
}

/* {"detail": ..., "code": ...}, as REST has it. */
static void refuse_because(const struct said *said, enum err e)
{
    struct buf b;
    struct json_out o;
    buf_init(&b, ERROR_MAX);
    json_out_init(&o, &b);
    json_open_object(&o);
    json_field_str(&o, "detail", str_of(err_text(e)));
    if (err_status(e) == 401) {
        json_field_str(&o, "code", str_of(err_code(e)));
    }
    json_close_object(&o);
    refuse(said, e, buf_view(&b));
    buf_fini(&b);
}

/* {"field": ["text"]} */
static void refuse_field(const struct said *said, const char *field, struct str text)
{
    struct buf b;
    struct json_out o;
    buf_init(&b, ERROR_MAX);
    json_out_init(&o, &b);
    json_open_object(&o);
    json_key_str(&o, str_of(field));
    json_open_array(&o);
    json_str(&o, text);
    json_close_array(&o);
    json_close_object(&o);
    refuse(said, ERR_INVALID, buf_view(&b));
    buf_fini(&b);
}

static bool is_missing(const struct said *said, const char *field)
{
    const json_t *value = json_object_get(said->frame, field);
    return value == NULL || json_is_null(value);
}

/* False: it was refused for it. */
static bool require(const struct said *said, const char *field)
{
    if (is_missing(said, field)) {
        refuse_field(said, field, STR("This field is required."));
        return false;
    }
    return true;
}

static bool require_id(const struct said *said, const char *field, struct uuid *out)
{
    if (!require(said, field)) {
        return false;
    }
    struct str text = text_of(json_object_get(said->frame, field));
    if (text.p == NULL || !uuid_parse(text, out)) {
        refuse_field(said, field, STR("Must be a valid UUID."));
        return false;
    }
    return true;
}

/* ------- requests ------- */

/* Until the request is answered; `type` and `client_id` are in `text`. */
struct asked {
    struct live_client *client;
    bool wants_ack;
    struct str type;
    struct str client_id;
    char text[];
};

static struct asked *asked_new(const struct said *said, bool wants_ack)
{
    size_t n = said->type.n + said->client_id.n;
    struct asked *asked = mem_alloc(sizeof(*asked) + n);
    memcpy(asked->text, said->type.p, said->type.n);
    if (said->client_id.n > 0) {
        memcpy(asked->text + said->type.n, said->client_id.p, said->client_id.n);
    }
    asked->client = said->client;
    asked->wants_ack = wants_ack;
    asked->type = (struct str){asked->text, said->type.n};
    asked->client_id = said->client_id.p == NULL
                           ? STR_NULL
                           : (struct str){asked->text + said->type.n, said->client_id.n};
    return asked;
}

static void answered(const struct inner_answer *answer, void *context)
{
    struct asked *asked = context;
    struct live_frame *frame = NULL;
    if (answer->status >= 400) {
        frame = frame_nack(asked->type, asked->client_id, answer->status, answer->error_code,
                           answer->body, answer->retry_after_s);
    } else if (asked->wants_ack) {
        frame = frame_ack(asked->type, asked->client_id, answer->body);
    }
    hub_answered(asked->client, frame);
    free(asked);
}

/* POST conversations/{id}/<action>/ with the rest of the frame as body. */
static void ask(struct said *said, const char *action, bool wants_ack)
{
    struct uuid id;
    char text[UUID_TEXT];
    if (!require_id(said, "conversation_id", &id)) {
        return;
    }
    (void)json_object_del(said->frame, "type");
    (void)json_object_del(said->frame, "conversation_id");
    uuid_format(id, text);
    const struct live_who *who = hub_client_who(said->client);
    const struct inner_request request = {
        .user_id = who->user_id,
        .session_id = who->session_id,
        .method = "POST",
        .path = arena_printf(&said->arena, "/api/conversations/%.*s/%s/", UUID_TEXT, text, action),
        .body = json_dump_compact(&said->arena, said->frame),
        .address = who->address,
    };
    serve_inner(said->app, &request, answered, asked_new(said, wants_ack));
}

static void say_send(struct said *said)
{
    if (require(said, "client_id")) {
        ask(said, "messages", true);
    }
}

static void say_read(struct said *said)
{
    if (require(said, "seq")) {
        ask(said, "read", false);
    }
}

static void say_typing(struct said *said)
{
    ask(said, "typing", false);
}

/* ------- subscribe ------- */

static bool read_user_ids(const struct said *said, struct uuid ids[SUBSCRIBE_MAX], size_t *count)
{
    const json_t *list = json_object_get(said->frame, "user_ids");
    if (!require(said, "user_ids")) {
        return false;
    }
    *count = json_array_size(list);
    if (!json_is_array(list) || *count > SUBSCRIBE_MAX) {
        refuse_field(said, "user_ids", STR("Must be a list of at most 200 ids."));
        return false;
    }
    for (size_t i = 0; i < *count; i++) {
        struct str text = text_of(json_array_get(list, i));
        if (text.p == NULL || !uuid_parse(text, &ids[i])) {
            refuse_field(said, "user_ids", STR("Must be a valid UUID."));
            return false;
        }
    }
    return true;
}

/* *unknown: one of them does not exist. */
static enum err tell_users(struct said *said, struct db *db, const struct uuid *ids, size_t count,
                           struct uuid *unknown)
{
    for (size_t i = 0; i < count; i++) {
        struct user user;
        bool found;
        enum err e = store_sync_user(db, &said->arena, ids[i], &user, &found);
        if (e != ERR_OK) {
            return e;
        }
        if (!found) {
            *unknown = ids[i];
            return ERR_NOT_FOUND;
        }
        hub_tell(said->client, frame_user(&user));
        hub_tell(said->client, frame_presence(user.id, hub_is_online(said->app->hub, user.id),
                                              user.last_seen_at));
    }
    return ERR_OK;
}

/* Subscribed first, read then: what changes in between is told twice rather than never. */
static void say_subscribe(struct said *said)
{
    struct uuid ids[SUBSCRIBE_MAX];
    struct uuid unknown = {{0}};
    char text[UUID_TEXT];
    size_t count;
    struct db *db;
    if (!read_user_ids(said, ids, &count)) {
        return;
    }
    if (!hub_subscribe(said->client, ids, &count)) {
        refuse_field(said, "user_ids", STR("These are too many."));
        return;
    }
    enum err e = exec_read_begin(said->app->exec, &db);
    if (e == ERR_OK) {
        e = tell_users(said, db, ids, count, &unknown);
        exec_read_end(said->app->exec, db);
    }
    if (e == ERR_NOT_FOUND) {
        uuid_format(unknown, text);
        refuse_field(said, "user_ids",
                     arena_printf(&said->arena, "Invalid pk \"%.*s\" - object does not exist.",
                                  UUID_TEXT, text));
    } else if (e != ERR_OK) {
        refuse_because(said, e);
    } else {
        hub_answered(said->client, NULL);
    }
}

/* ------- auth ------- */

static enum err check_token(struct said *said, struct str token, struct jwt_claims *claims)
{
    struct user user;
    struct session session;
    struct db *db;
    const struct chat_limits *limits = &said->app->limits;
    enum jwt_result result =
        jwt_check(&said->arena, limits->secret_key, token, clock_now_us() / US_PER_SECOND, claims);
    if (result != JWT_OK || claims->token_type != TOKEN_ACCESS) {
        return ERR_TOKEN_INVALID;
    }
    enum err e = exec_read_begin(said->app->exec, &db);
    if (e == ERR_OK) {
        struct call call = {
            .db = db, .arena = &said->arena, .now_us = clock_now_us(), .limits = limits};
        e = chat_identify_jwt(&call, claims, &user, &session);
        exec_read_end(said->app->exec, db);
    }
    if (e == ERR_OK && !uuid_eq(claims->user_id, hub_client_who(said->client)->user_id)) {
        e = ERR_TOKEN_INVALID; /* a socket is one user's for life */
    }
    return e;
}

static void say_auth(struct said *said)
{
    struct jwt_claims claims;
    if (!require(said, "token")) {
        return;
    }
    enum err e = check_token(said, text_of(json_object_get(said->frame, "token")), &claims);
    if (e != ERR_OK) {
        refuse_because(said, e);
        return;
    }
    hub_extend(said->client, claims.sid, claims.exp * US_PER_SECOND);
    hub_answered(said->client, frame_ack(said->type, said->client_id, STR_NULL));
}

static void say_pong(struct said *said)
{
    hub_answered(said->client, NULL);
}

/* ------- what is said ------- */

static const struct {
    const char *type;
    void (*say)(struct said *said);
} words[] = {
    {"send", say_send},           {"read", say_read}, {"typing", say_typing},
    {"subscribe", say_subscribe}, {"auth", say_auth}, {"pong", say_pong},
};

static void dispatch(struct said *said)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_eq(said->type, str_of(words[i].type))) {
            words[i].say(said);
            return;
        }
    }
    hub_answered(said->client, frame_error("unknown_type", "There is no such type of frame."));
}

void realtime_said(struct live_client *client, struct str text, void *context)
{
    struct said said = {.app = context, .client = client};
    struct str problem;
    arena_init(&said.arena);
    if (json_read(&said.arena, text, &said.frame, &problem) != ERR_OK) {
        hub_answered(
            client,
            frame_error("parse_error",
                        arena_printf(&said.arena, "JSON parse error - %.*s", STR_ARG(problem)).p));
    } else if (!json_is_object(said.frame)) {
        hub_answered(client, frame_error("parse_error", "A frame is a JSON object."));
    } else {
        /* Kept beside the tree: a request takes the type out of it. */
        said.type = arena_copy(&said.arena, text_of(json_object_get(said.frame, "type")));
        said.client_id = arena_copy(&said.arena, text_of(json_object_get(said.frame, "client_id")));
        dispatch(&said);
    }
    json_decref(said.frame);
    arena_fini(&said.arena);
}

/* ------- who comes and goes ------- */

enum { SEEN_MAX = 256 }; /* in one write */

struct seen {
    struct work work;
    int64_t at_us;
    size_t count;
    struct uuid user_ids[];
};

static enum err seen_run(struct work *work, struct db *db)
{
    const struct seen *seen = (struct seen *)work;
    enum err e = ERR_OK;
    for (size_t i = 0; i < seen->count && e == ERR_OK; i++) {
        e = store_user_touch(db, seen->user_ids[i], seen->at_us);
    }
    return e;
}

static void seen_done(struct work *work, enum err e, bool batch_failed)
{
    (void)batch_failed;
    if (e != ERR_OK) {
        log_warning("a user's last visit was not stored code=%s", err_code(e));
    }
    free(work);
}

static void store_seen(struct app *app, const struct uuid *user_ids, size_t count, int64_t at_us)
{
    struct seen *seen = mem_alloc(sizeof(*seen) + count * sizeof(user_ids[0]));
    int shard = count == 1 ? store_shard_among(user_ids[0], exec_shards(app->exec))
                           : EXEC_ANY_SHARD; /* they may be anywhere */
    *seen = (struct seen){.work = {.run = seen_run, .done = seen_done, .shard = shard},
                          .at_us = at_us,
                          .count = count};
    memcpy(seen->user_ids, user_ids, count * sizeof(user_ids[0]));
    if (!exec_write(app->exec, &seen->work)) {
        free(seen); /* the server is stopping, or has more important things to write */
    }
}

void realtime_lost(const struct uuid *user_ids, size_t count, int64_t at_us, void *context)
{
    for (size_t i = 0; i < count; i += SEEN_MAX) {
        size_t n = count - i < SEEN_MAX ? count - i : SEEN_MAX;
        store_seen(context, user_ids + i, n, at_us);
    }
}

void realtime_here(struct uuid user_id, bool is_here, int64_t at_us, void *context)
{
    struct app *app = context;
    if (!is_here) {
        store_seen(app, &user_id, 1, at_us);
    }
    bus_here(app->bus, user_id, is_here, at_us);
}

static void whisper(struct app *app, const struct live_event *event)
{
    struct live_batch *batch = live_batch_new(1);
    batch->events[0] = *event;
    live_batch_measure(batch);
    hub_whisper(app->hub, batch);
}

void realtime_presence(struct uuid user_id, bool online, int64_t at_us, void *context)
{
    whisper(context, &(struct live_event){.kind = LIVE_USER,
                                          .droppable = true,
                                          .user_id = user_id,
                                          .frame = frame_presence(user_id, online, at_us)});
}

void realtime_typing(struct uuid conversation_id, struct uuid user_id, void *context)
{
    struct app *app = context;
    if (hub_listens(app->hub, conversation_id)) {
        whisper(app, &(struct live_event){.kind = LIVE_CONVERSATION,
                                          .droppable = true,
                                          .conversation_id = conversation_id,
                                          .user_id = user_id,
                                          .not_to = user_id,
                                          .frame = frame_typing(conversation_id, user_id)});
    }
}
