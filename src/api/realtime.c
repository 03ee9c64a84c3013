/* The three ways to listen (WebSocket, server-sent events, long poll), tickets for browsers,
 * typing, presence. Here a request is judged and its exchange handed over; what is sent then is the
 * business of live/ and sync/. What clients say over a socket: realtime_said.c. */
#include "api/realtime.h"
#include "api/conversations.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/token.h"
#include "live/bus.h"
#include "serve/app.h"
#include "serve/reply.h"
#include "serve/throttle.h"
#include "store/change.h"
#include "store/ticket.h"
#include "store/user.h"
#include "sync/frames.h"

enum {
    POLL_BYTES_MAX = 1024 * 1024 - 512, /* of frames: the cursor has room beside them in 1 MiB */
    POLL_WAIT_MAX_S = 60,
    TICKET_LIFETIME_S = 30,
    KEY_BYTES = 16
};

static const struct rate typing_rate = {1, 3};

/* Who listens, and from where. In the request's arena. */
struct listener {
    struct req *r;
    struct live_who who;
    struct cursor from;
    int64_t wait_s;
    struct str accept_key;
    bool speaks_confab; /* the subprotocol was offered */
};

/* A cursor that we did not make is like one of a database that is gone: answered by `reset`. */
static struct cursor read_cursor(struct str text)
{
    struct cursor cursor;
    if (!cursor_parse(text, &cursor)) {
        cursor = (struct cursor){0};
        memset(cursor.incarnation.b, 0xFF, sizeof(cursor.incarnation.b));
    }
    return cursor;
}

static struct listener *listener_of(struct req *r)
{
    if (r->object == NULL) {
        struct listener *listener = ARENA_NEW(r->arena, struct listener);
        listener->r = r;
        listener->who = (struct live_who){.user_id = r->user.id,
                                          .session_id = r->session.id,
                                          .expires_us = r->auth_expires_us,
                                          .address = r->address};
        listener->from = read_cursor(req_filter(r, "cursor")->text);
        r->object = listener;
    }
    return r->object;
}

static enum err check_room(struct req *r)
{
    if (atomic_load(&r->app->stopping)) {
        return ERR_BUSY;
    }
    enum err e = hub_check_room(r->app->hub, &listener_of(r)->who);
    if (e == ERR_TOO_MANY_SOCKETS) {
        r->retry_after_s = r->app->conf->heartbeat_interval;
    }
    return e;
}

static struct live_frame *hello(const struct req *r)
{
    return frame_hello(&r->user, r->app->conf->heartbeat_interval);
}

/* ------- WebSocket: the handshake (RFC 6455, 4.2) ------- */

static bool has_token(struct str list, struct str token)
{
    while (list.p != NULL) {
        if (str_eq_nocase(str_trim(str_cut(&list, ',')), token)) {
            return true;
        }
    }
    return false;
}

static bool is_upgrade(struct req *r)
{
    return r->x->may_upgrade && str_eq(r->x->method, STR("GET")) &&
           has_token(http_request_header_all(r->x, "Upgrade"), STR("websocket")) &&
           has_token(http_request_header_all(r->x, "Connection"), STR("upgrade")) &&
           str_eq(str_trim(http_request_header_all(r->x, "Sec-WebSocket-Version")), STR("13"));
}

static struct str accept_key(struct req *r, struct str key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA1_SIZE];
    sha1(arena_printf(r->arena, "%.*s%s", STR_ARG(key), guid), digest);
    return base64_encode(r->arena, str_of_bytes(digest, sizeof(digest)));
}

static enum err bad_handshake(struct req *r, struct str detail)
{
    r->detail = detail;
    return ERR_PARSE;
}

static enum err read_handshake(struct req *r)
{
    struct listener *listener = listener_of(r);
    struct str key = str_trim(http_request_header_all(r->x, "Sec-WebSocket-Key"));
    struct str protocols = http_request_header_all(r->x, "Sec-WebSocket-Protocol");
    struct str bytes;
    if (!is_upgrade(r)) {
        return ERR_UPGRADE_REQUIRED;
    }
    if (!base64_decode(r->arena, key, &bytes) || bytes.n != KEY_BYTES) {
        return bad_handshake(r, STR("Sec-WebSocket-Key is missing or malformed."));
    }
    listener->speaks_confab = has_token(protocols, STR("confab.v1"));
    if (protocols.p != NULL && !listener->speaks_confab) {
        return bad_handshake(r, STR("The subprotocol of this server is confab.v1."));
    }
    listener->accept_key = accept_key(r, key);
    return ERR_OK;
}

/* In the writer: of two who come with one ticket, one gets in. */
static enum err use_ticket(struct req *r)
{
    bool first;
    enum err e = store_ticket_use(r->call.db, r->ticket_id, r->ticket_expires_at, &first);
    if (e == ERR_OK && !first) {
        r->token_message = STR("Token is invalid or expired");
        e = ERR_TOKEN_INVALID;
    }
    return e;
}

static void socket_taken(int fd, struct str early, void *context)
{
    const struct listener *listener = context;
    if (fd >= 0) {
        hub_take_socket(listener->r->app->hub, fd, early, &listener->who, &listener->from,
                        hello(listener->r));
    }
}

/* The use of a ticket was waited for: by now there may be no room any more. */
static void open_socket(struct req *r)
{
    struct listener *listener = r->object;
    enum err e = check_room(r);
    if (e != ERR_OK) {
        reply_send(r, e);
        return;
    }
    reply_prepare(r, r->route->status);
    http_add_header(r->x, "Upgrade", "websocket");
    http_add_header(r->x, "Sec-WebSocket-Accept", listener->accept_key.p);
    if (listener->speaks_confab) {
        http_add_header(r->x, "Sec-WebSocket-Protocol", "confab.v1");
    }
    http_upgrade(r->x, socket_taken, listener);
}

/* What changes behind it the first page tells. */
static enum err note_hello(struct req *r)
{
    struct cursor *from = &listener_of(r)->from;
    return uuid_is_zero(from->incarnation) ? store_position(r->call.db, &from->at, NULL) : ERR_OK;
}

static enum err listen_on_socket(struct req *r)
{
    enum err e = read_handshake(r);
    if (e == ERR_OK) {
        e = check_room(r);
    }
    if (e == ERR_OK) {
        e = note_hello(r);
    }
    r->confirm = uuid_is_zero(r->ticket_id) ? NULL : use_ticket;
    r->take = open_socket;
    return e;
}

/* ------- server-sent events ------- */

static void add_events_headers(struct req *r)
{
    http_add_header(r->x, "Content-Type", "text/event-stream");
    http_add_header(r->x, "X-Accel-Buffering", "no"); /* nginx would keep frames back */
}

static void open_events(struct req *r)
{
    const struct listener *listener = r->object;
    reply_prepare(r, r->route->status);
    add_events_headers(r);
    hub_take_events(r->app->hub, r->x, &listener->who, &listener->from, hello(r));
}

static enum err listen_to_events(struct req *r)
{
    struct str last_id = http_request_header(r->x, "Last-Event-ID");
    if (last_id.p != NULL) { /* an empty one too: of a client that was told to reset */
        listener_of(r)->from = read_cursor(last_id);
    }
    if (str_eq(r->x->method, STR("HEAD"))) {
        r->content_type_out = "text/event-stream";
        return ERR_OK;
    }
    r->take = open_events;
    enum err e = check_room(r);
    return e == ERR_OK ? note_hello(r) : e;
}

/* ------- long poll ------- */

static void write_page(struct req *r, const struct live_page *page)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_open_array(o, "frames");
    for (size_t i = 0; i < page->count; i++) {
        json_raw(o, live_frame_json(page->frames[i]));
    }
    json_close_array(o);
    json_field_str(o, "cursor",
                   page->reset ? STR("")
                               : cursor_format(r->arena, &page->next, exec_shards(r->app->exec)));
    json_field_bool(o, "more", page->more && !page->reset);
    json_close_object(o);
}

static void polled(struct live_page *page, void *context)
{
    struct req *r = context;
    enum err e = page->ended ? ERR_TOKEN_INVALID : page->failure;
    if (e == ERR_OK) {
        write_page(r, page);
    }
    live_page_fini(page);
    reply_send(r, e);
}

static void open_poll(struct req *r)
{
    const struct listener *listener = r->object;
    http_defer(r->x);
    hub_take_poll(r->app->hub, &listener->who, &listener->from, listener->wait_s, POLL_BYTES_MAX,
                  polled, r);
}

/* Who comes without a cursor gets one at once, if there is nothing else to tell him. */
static enum err listen_by_poll(struct req *r)
{
    const struct value *wait = req_filter(r, "wait");
    bool may_wait = value_is_set(wait) && !uuid_is_zero(listener_of(r)->from.incarnation);
    listener_of(r)->wait_s = may_wait ? wait->n : 0;
    r->take = open_poll;
    return check_room(r);
}

/* ------- tickets ------- */

static enum err issue_ticket(struct req *r)
{
    int64_t now_s = r->call.now_us / US_PER_SECOND;
    const struct jwt_claims claims = {.token_type = TOKEN_TICKET,
                                      .iat = now_s,
                                      .exp = now_s + TICKET_LIFETIME_S,
                                      .jti = random_uuid_v7(),
                                      .user_id = r->user.id,
                                      .sid = r->session.id};
    json_open_object(&r->out);
    json_field_str(&r->out, "ticket", jwt_issue(r->arena, r->app->limits.secret_key, &claims));
    json_field_i64(&r->out, "expires_in", TICKET_LIFETIME_S);
    json_close_object(&r->out);
    return ERR_OK;
}

/* ------- typing ------- */

static enum err open_to_send(struct req *r)
{
    return api_open_conversation(r, NEED_SEND);
}

static enum err tell_typing(struct req *r)
{
    struct uuid id = api_conversation(r)->conversation.id;
    const struct uuid who[2] = {r->user.id, id};
    int64_t wait_s;
    bool due = throttle_take(r->app->throttle, typing_rate, "typing",
                             str_of_bytes(who, sizeof(who)), &wait_s);
    if (due) {
        realtime_typing(id, r->user.id, r->app);
        bus_type(r->app->bus, id, r->user.id);
    }
    return ERR_OK;
}

/* ------- presence ------- */

static enum err show_presence(struct req *r)
{
    struct user user;
    bool found;
    enum err e = store_user_get(r->call.db, r->arena, r->path_ids[0].id, &user, &found);
    if (e != ERR_OK || !found) {
        return e == ERR_OK ? ERR_NOT_FOUND : e;
    }
    bool online = hub_is_online(r->app->hub, user.id);
    json_open_object(&r->out);
    json_field_uuid(&r->out, "user_id", user.id);
    json_field_str(&r->out, "state", online ? STR("online") : STR("offline"));
    json_field_time_or_null(&r->out, "last_seen", user.last_seen_at);
    json_close_object(&r->out);
    return ERR_OK;
}

/* ------- routes ------- */

#define CURSOR_FIELD                                                                               \
    {                                                                                              \
        .name = "cursor", .type = FIELD_TEXT, .help = "Where the client stands; without: nowhere." \
    }

static const struct field socket_query[] = {
    CURSOR_FIELD,
    {.name = "ticket",
     .type = FIELD_SECRET,
     .help = "Instead of an Authorization header, which browsers cannot send here."},
};
static const struct field events_query[] = {CURSOR_FIELD};
static const struct field events_headers[] = {
    {.name = "Last-Event-ID", .type = FIELD_TEXT, .help = "The cursor; it beats the query's."},
};
static const struct field poll_query[] = {
    CURSOR_FIELD,
    {.name = "wait",
     .type = FIELD_INT,
     .min = 0,
     .max = POLL_WAIT_MAX_S,
     .help = "For how many seconds to wait for something new."},
};

static const struct shape_field frame_fields[] = {
    {.name = "type",
     .type = SHAPE_STRING,
     .choices = "message,conversation,conversation.gone,membership,read,user,synced,reset",
     .help = "What the other fields are follows from it: docs/realtime.md."},
};
static const struct shape shape_frame = {.name = "Frame", FIELDS(frame_fields), .open = true};

static const struct shape_field sync_fields[] = {
    {.name = "frames", .type = SHAPE_ARRAY, .of = &shape_frame},
    {.name = "cursor", .type = SHAPE_STRING, .help = "For the next request; empty after a reset."},
    {.name = "more", .type = SHAPE_BOOL, .help = "There is more already: ask again at once."},
};
static const struct shape shape_sync = {.name = "Sync", FIELDS(sync_fields)};

static const struct shape_field ticket_fields[] = {
    {.name = "ticket", .type = SHAPE_STRING},
    {.name = "expires_in", .type = SHAPE_INT, .help = "Seconds."},
};
static const struct shape shape_ticket = {.name = "Ticket", FIELDS(ticket_fields)};

static const struct shape_field presence_fields[] = {
    {.name = "user_id", .type = SHAPE_UUID},
    {.name = "state", .type = SHAPE_STRING, .choices = "online,offline"},
    {.name = "last_seen", .type = SHAPE_TIME, .nullable = true},
};
static const struct shape shape_presence = {.name = "Presence", FIELDS(presence_fields)};

const struct resource api_socket_resource = {
    .name = "Socket",
    .description = "A WebSocket (subprotocol confab.v1) on which everything new arrives.",
    .paths = {"ws/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(socket_query),
             .handle = listen_on_socket,
             .fails = FAILS(ERR_PARSE, ERR_UPGRADE_REQUIRED, ERR_TOO_MANY_SOCKETS), .status = 101,
             .secret = true, .ticket = true},
        },
};

static const struct renderer event_stream[] = {RENDERER("text/event-stream", "")};

const struct resource api_events_resource = {
    .name = "Events",
    .description = "The same as server-sent events.",
    .paths = {"events/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(events_query),
             .handle = listen_to_events, .fails = FAILS(ERR_TOO_MANY_SOCKETS),
             .headers = FIELDS(events_headers), .status = 200, .renders = FIELDS(event_stream),
             .secret = true},
        },
};

const struct resource api_sync_resource = {
    .name = "Sync",
    .description = "The same in pages: what is new behind the cursor, at once or when it comes.",
    .paths = {"sync/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(poll_query), .handle = listen_by_poll,
             .fails = FAILS(ERR_TOO_MANY_SOCKETS), .out = &shape_sync, .status = 200,
             .secret = true},
        },
};

const struct resource api_ticket_resource = {
    .name = "Socket Ticket",
    .description = "A ticket for one WebSocket, to be used within seconds.",
    .paths = {"ws/ticket/"},
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_READ, .handle = issue_ticket, .out = &shape_ticket,
             .status = 201, .secret = true},
        },
};

const struct resource api_typing_resource = {
    .name = "Typing",
    .description = "Tells those who listen to the conversation that the caller is typing.",
    .paths = {"conversations/{id}/typing/"},
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_READ, .object = open_to_send,
             .fails = FAILS(ERR_NOT_PARTICIPANT, ERR_CONVERSATION_CLOSED), .handle = tell_typing,
             .status = 204},
        },
};

const struct resource api_presence_resource = {
    .name = "Presence",
    .description = "Whether a user listens at this moment, and when he was last seen.",
    .paths = {"users/{id}/presence/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .handle = show_presence, .out = &shape_presence,
             .status = 200},
        },
};
