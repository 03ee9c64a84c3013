/* One client, whatever its transport: its state, what is on its way to it, what it listens to. Inside
 * live/. Belongs to its loop's thread, where all of these functions are called. */
#pragma once

#include "live/hub.h"
#include "live/index.h"
#include "live/queue.h"

enum client_state { CLIENT_PULLING, CLIENT_LIVE, CLIENT_ENDING, CLIENT_GONE };

/* Why it ends: a WebSocket's close code (RFC 6455, 7.4); 4000 and above are ours (docs/realtime.md). */
enum close_code {
    CLOSE_NONE = 0, /* a close frame without a code */
    CLOSE_GOING_AWAY = 1001,
    CLOSE_PROTOCOL = 1002,
    CLOSE_BINARY = 1003,
    CLOSE_NOT_UTF8 = 1007,
    CLOSE_TOO_LARGE = 1009,
    CLOSE_RESTART = 1012,
    CLOSE_SIGNED_OUT = 4401,
    CLOSE_RESET = 4410,
};

enum transport_kind { TRANSPORT_SOCKET, TRANSPORT_STREAM, TRANSPORT_POLL, TRANSPORT_COUNT };

struct transport {
    enum transport_kind kind;
    bool talks; /* hello, synced, ping and drain go to it */
    bool marks; /* it wants the cursor behind the last frame of a position */
    void (*start)(struct live_client *client); /* it has come to its loop */
    /* Writes what it can of the queue. */
    void (*flush)(struct live_client *client);
    /* The same and nothing else, amid a batch: errors are left to the next flush. NULL: cannot. */
    void (*write)(struct live_client *client);
    /* What is queued is still to be written; the state becomes ENDING behind this call, unless the
     * client is gone by then. */
    void (*end)(struct live_client *client, enum close_code code);
    /* Gives the connection up at once: ends in client_gone(). Also of a client that never came to
     * its loop, because that has ended. */
    void (*drop)(struct live_client *client);
    void (*tick)(struct live_client *client); /* once a second */
    /* A page could not be read. NULL: it is tried again at the next tick. */
    void (*failed)(struct live_client *client, enum err e);
};

/* The last frame about a user that it subscribes to, which came while it was pulling; pages do not
 * have it. */
struct missed {
    struct uuid user_id;
    bool droppable; /* presence, else the profile: one of each is kept */
    struct live_frame *frame;
};

/* What only a pulling client has. */
struct catchup {
    struct cursor from; /* everything before it has been queued */
    bool no_ring;       /* the ring was of no use the last time: the next pull reads a page */
    bool waits;         /* for the next tick */
    bool is_suspect;    /* its session was perhaps revoked: a page is due whatever is queued */
    struct missed *missed;
    size_t missed_count;
    size_t missed_size;
};

/* Users that were subscribed to at once. */
struct subscriptions {
    struct subscriptions *next;
    size_t count;
    struct link links[];
};

struct registry_address;

struct live_client {
    const struct transport *transport;
    struct loop *loop;
    struct live_client *prev; /* in the loop's list */
    struct live_client *next;
    struct live_client *next_touched;
    struct live_client *next_fed;
    struct live_who who;
    struct registry_address *address;
    struct link by_user;
    struct link *conversations; /* an array; one that was left is not linked */
    struct subscriptions *subscriptions;
    struct catchup *catchup; /* while it is pulling */
    struct queue queue;
    struct position at; /* it has been told everything up to here, and if it is live up to
                           loop->told */
    int64_t beat_ms;    /* when the next ping is due */
    uint32_t queue_max; /* bytes */
    uint32_t conversation_count;
    uint32_t subscription_count;
    uint32_t lacks; /* polls: what waited as they joined from the ring was left out, until
                       loop->releases is this. 0: nothing was */
    uint32_t refs;
    uint16_t said;  /* what it said that is not answered yet */
    uint8_t state;  /* enum client_state */
    bool is_pulled; /* a pull is out */
    bool is_ahead;  /* `at` was beyond the loop's position when it went live */
    bool is_touched;
    bool is_fed; /* is in the loop's list of those that want a mark */
};

/* Do pages tell what the event tells? They have no users but oneself. */
static inline bool client_has_in_pages(const struct live_client *client,
                                       const struct live_event *event)
{
    return event->kind != LIVE_USER ||
           (!event->droppable && uuid_eq(event->user_id, client->who.user_id));
}

/* Has a page up to client->at told it? */
static inline bool client_knows(const struct live_client *client, const struct live_event *event)
{
    return client_has_in_pages(client, event) && live_event_is_known(event, &client->at);
}

/* --- client.c --- */

/* Any thread. `client` is the first member of a zeroed allocation; it enters the registry and gets a
 * loop and one reference, the loop's. */
void client_init(struct live_client *client, struct hub *hub, const struct transport *transport,
                 const struct live_who *who, const struct cursor *from);
void client_ref(struct live_client *client);
void client_unref(struct live_client *client);
/* It has come to its loop. Takes `hello` (NULL: none). */
void client_start(struct live_client *client, struct live_frame *hello);
/* Something has happened: it is settled at the end of the loop's turn. */
void client_touch(struct live_client *client);
/* Writes, pulls if it is time to. */
void client_settle(struct live_client *client);
void client_tick(struct live_client *client);
void client_end(struct live_client *client, enum close_code code);
/* Tells it to come back later, then the end. */
void client_drain(struct live_client *client);
/* The connection is closed: it is taken out of everything. */
void client_gone(struct live_client *client);
/* An answer to something that it said. Takes the frame; NULL: none. */
void client_answered(struct live_client *client, struct live_frame *frame);

/* Into its queue, whatever its size. Takes the reference. */
void client_push(struct live_client *client, struct live_frame *frame);
/* The same if there is room, without taking the reference. False: no. */
bool client_offer(struct live_client *client, struct live_frame *frame, bool droppable) CHECKED;
/* So many bytes of the queue have been written. */
void client_written(struct live_client *client, size_t n);
/* The first frame of the queue, whose reference becomes the caller's; NULL: empty. */
struct live_frame *client_take(struct live_client *client);
/* Queues the cursor as a mark, for transports that want one. */
void client_mark(struct live_client *client);
/* How far it has been told everything that is queued. Not while it is ending. */
struct cursor client_cursor(const struct live_client *client);

/* --- join.c: from pulling to live and back --- */

void join_begin(struct live_client *client, const struct cursor *from);
/* Asks for a page. */
void join_pull(struct live_client *client);
/* A page has come; it is freed by the caller, frames are taken out of it. */
void join_page(struct live_client *client, struct live_page *page, bool from_ring);
/* A live client missed something of the batch that is being passed on: it pulls from before it. */
void join_again(struct live_client *client);
/* It reads a page from there, whatever it was told since. */
void join_from(struct live_client *client, const struct cursor *from);
/* Its session was not among those that lived when a batch was made: it gets nothing until a page has
 * looked at it again, since it may have begun later. */
void join_suspect(struct live_client *client);
/* About a user who is not in pages (LIVE_USER, with a frame): a pulling client gets it once it is live. */
void join_miss(struct live_client *client, const struct live_event *event);
void join_free(struct live_client *client);

/* --- listen.c: what it listens to --- */

/* In place of what it listened to before. */
void listen_set(struct live_client *client, const struct uuid *conversations, size_t count);
void listen_leave(struct live_client *client, struct uuid conversation_id);
bool listen_subscribe(struct live_client *client, struct uuid *user_ids, size_t *count);
bool listen_is_subscribed(const struct live_client *client, struct uuid user_id);
void listen_clear(struct live_client *client);
