/* The hub: who is connected, and what goes to whom. It knows users, conversations and frames, and
 * neither tables nor rights: the tailer (sync/) feeds it, pages are read by who is asked through
 * `pull`.
 *
 * Threads: LIVE_THREADS loops (libuv). Each client belongs to one loop for life, and so do the loop's
 * indexes; loops share nothing but immutable batches, a mailbox each (mutex, uv_async) and the
 * registry of who is online (one mutex). Functions say from which thread they may be called.
 *
 * A client is in one of three states:
 *
 *     PULLING   a page is being read for it (at most one at a time), or written to it. It gets no
 *               live frames.
 *     LIVE      everything up to the loop's position has been queued on it.
 *     ENDING    what is queued is written, then it is closed.
 *
 * It goes live only from a page that is a whole round read in one snapshot (`joinable`): memberships
 * and positions H of the same moment. The loop then replays from its ring what came after H. Where
 * the ring does not reach back to H, or has an event without a frame for it, or says that the client
 * itself has joined a conversation, it pulls again from H. When its buffer overflows it pulls from
 * the last position that was queued wholly. So there is one way to catch up, whatever the reason. */
#pragma once

#include "base/arena.h"
#include "db/exec.h"
#include "http/server.h"
#include "live/batch.h"
#include "live/cursor.h"

struct hub;
struct live_client;

/* Users that one client may subscribe to. */
enum { HUB_SUBSCRIPTIONS_MAX = 200 };

/* What is read for a client in one go; see sync/page.h. */
struct live_page {
    enum err failure;           /* not ERR_OK: nothing was read, try again later */
    struct live_frame **frames; /* malloc'd, with a reference each: who takes the page has them */
    size_t count;
    struct cursor next; /* where it goes on */
    bool more;          /* the round is not over */
    bool reset;         /* the cursor is worthless: one reset frame, then the end */
    bool ended;         /* the session of the pull does not live any more: the end (4401) */
    bool joinable;
    struct position present;    /* of the database, when it was read */
    struct uuid *conversations; /* joinable: all that the user is in; malloc'd */
    size_t conversation_count;
};

void live_page_fini(struct live_page *page);

/* A request for a page. Made by the hub, one at a time for a client. */
struct live_pull {
    struct work work; /* for who reads it */
    struct live_client *client;
    struct uuid user_id;
    struct uuid session_id; /* has it ended by now: page.ended; zero: only the user counts */
    struct cursor from;
    size_t size_max; /* bytes of JSON; at least one frame goes into a page whatever its size */
    bool from_ring;  /* the ring reaches back to from.at: memberships are enough (no frames;
                        joinable, next = from) unless one of them has changed since from.at */
    struct live_page page;
};

struct live_who {
    struct uuid user_id;
    struct uuid session_id;
    int64_t expires_us; /* wall clock; then it is closed (4401); 0: never */
    struct str address; /* copied */
};

struct hub_options {
    int64_t threads;
    int64_t buffer_max;  /* bytes queued on a client */
    int64_t ring_max;    /* bytes of batches kept */
    int64_t message_max; /* bytes of a message from a client */
    int64_t clients_max;
    int64_t clients_per_user_max;
    int64_t clients_per_address_max; /* 0: no limit */
    int64_t heartbeat_s;
    int shards;
    /* None is NULL. They are called on any loop's thread; `context` is given back. */
    /* Reads pull->page, then calls hub_pulled(). May be refused: false. */
    bool (*pull)(struct live_pull *pull, void *context);
    /* A client said something (WebSocket text message). Ends with hub_answered(), at once or from
     * any thread: so many may be under way, then the client is not read from. `text` is only valid
     * during the call. */
    void (*said)(struct live_client *client, struct str text, void *context);
    /* A user came to this node (his first client) or has gone from it (his last one, for a few
     * seconds), and when. One call at a time, in order; those of `presence` too. */
    void (*here)(struct uuid user_id, bool is_here, int64_t at_us, void *context);
    /* The same, whichever node it is: hub_note_elsewhere() knows of the others. */
    void (*presence)(struct uuid user_id, bool online, int64_t at_us, void *context);
    void *context;
};

struct hub *hub_new(const struct hub_options *options);
/* The incarnation that cursors are made for until a batch brings another one, and the positions at
 * which the tailer begins. Then the loops run. */
void hub_start(struct hub *hub, struct uuid incarnation, const struct position *at);
/* Reads nothing more from clients: once it returns, `said` is not called any more. What they said
 * before is answered. */
void hub_quiesce(struct hub *hub);
/* Tells all to come back later (drain, close 1012), writes what is queued for at most timeout_ms,
 * ends the loops. What is posted behind it (hub_pulled, hub_answered) is thrown away by hub_free; a
 * new client is closed, a new poll answered at once, on the caller's thread. */
void hub_stop(struct hub *hub, int64_t timeout_ms);
/* When nothing calls it any more: the HTTP server and the executor have ended, every pull and
 * everything that was said has come back. NULL is fine. */
void hub_free(struct hub *hub);

/* --- from the tailer's thread --- */

/* Takes the reference. Batches come in order: from == the `to` of the one before, unless it restarts:
 * then the ring begins anew, and clients ask with the cursors that they had. All of them go into the
 * ring, also one with from == to (read positions that waited). */
void hub_publish(struct hub *hub, struct live_batch *batch);

/* --- from any thread --- */

/* A batch that is not durable (typing): from == to. Takes the reference. */
void hub_whisper(struct hub *hub, struct live_batch *batch);
/* May anybody be listening to it? False means: surely not at this moment. */
bool hub_listens(const struct hub *hub, struct uuid conversation_id);
/* On any node. */
bool hub_is_online(struct hub *hub, struct uuid user_id);
/* On this one; there is no other way to a client. */
bool hub_is_here(struct hub *hub, struct uuid user_id);
/* Who has been told to `here` as being there: their number; *ids is malloc'd. */
size_t hub_list_here(struct hub *hub, struct uuid **ids);
/* A user has come to another node, or has gone from it (at_us: when; else 0). As often gone as come. */
void hub_note_elsewhere(struct hub *hub, struct uuid user_id, bool is_there, int64_t at_us);

/* pull->page is filled; the pull is the hub's again. */
void hub_pulled(struct live_pull *pull);
/* One answer to what a client said: `frame` (the reference is taken; NULL: none) goes to it. */
void hub_answered(struct live_client *client, struct live_frame *frame);
/* Further frames to one client, beside an answer. Takes the reference. */
void hub_tell(struct live_client *client, struct live_frame *frame);

/* --- clients --- */

/* ERR_BUSY, ERR_TOO_MANY_SOCKETS: no room. Call it before a connection is taken over: as many as are
 * between this question and their taking may go beyond a limit. Any thread. */
enum err hub_check_room(struct hub *hub, const struct live_who *who) CHECKED;

/* A WebSocket after its handshake: takes the descriptor, `hello` and copies the rest. `early`: bytes
 * that came behind the handshake. Any thread. */
void hub_take_socket(struct hub *hub, int fd, struct str early, const struct live_who *who,
                     const struct cursor *from, struct live_frame *hello);
/* Server-sent events on an exchange whose status and headers are set. On its HTTP thread. */
void hub_take_events(struct hub *hub, struct http_exchange *x, const struct live_who *who,
                     const struct cursor *from, struct live_frame *hello);
/* A long poll: `done` gets a page that has frames, or an empty one after wait_s, or one that says
 * `failure`, `reset` or `ended`; once, on a loop's thread. What is in the page is done's; `next` is
 * the cursor for the next time, `more`: it should come at once. Typing and presence do not end a
 * poll. Any thread. */
typedef void hub_polled(struct live_page *page, void *context);
void hub_take_poll(struct hub *hub, const struct live_who *who, const struct cursor *from,
                   int64_t wait_s, size_t size_max, hub_polled *done, void *context);

/* Who it is. Only while the client is held: inside `said`, or until hub_answered(); outside `said`
 * no more than user_id and address, since hub_extend() changes the rest. */
const struct live_who *hub_client_who(const struct live_client *client);
/* Inside `said` only. Adds users whose `user` and `presence` frames it wants. Of the ids those stay that
 * it did not have, once each; false: too many. */
bool hub_subscribe(struct live_client *client, struct uuid *user_ids, size_t *count) CHECKED;
/* Inside `said` only: a newer token of the same user. */
void hub_extend(struct live_client *client, struct uuid session_id, int64_t expires_us);

struct hub_stats {
    int64_t sockets;
    int64_t streams;
    int64_t polls;
    int64_t users;
    int64_t queued_bytes; /* on all clients */
    int64_t frames;       /* written since start */
    int64_t pulls;        /* since start */
    int64_t overflows;    /* times that a slow reader was turned to pulling */
    int64_t ring_joins;   /* joins that needed no page */
};
void hub_stats_get(struct hub *hub, struct hub_stats *out);
