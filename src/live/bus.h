/* The bus: nodes on one database tell each other over a channel of Redis what the others should know at
 * once. What must not be lost is in the database, and nothing rests on the bus: without it the tailer
 * finds commits by its look once a second, and people are seen as online by their own node only.
 *
 * Redis stores nothing of it. Each node tells who listens there (all of them when it connects or is asked,
 * then changes) and gives a sign of life every few seconds; the others keep that in memory, since a request
 * must not wait for Redis. A node that is silent for BUS_SILENCE_MS is gone, and its users with it. Messages
 * are numbered: who has missed one asks.
 *
 * The channel's name comes from SECRET_KEY and the number of the database in REDIS_URL, so installations
 * that share a Redis do not hear each other.
 *
 * One message is under way at a time, and takes what has gathered meanwhile: so pokes coalesce, and what
 * waits is bounded. Threads: one of its own (libuv); the calls below from any thread, none of them waits
 * for anything but a mutex. With a NULL bus they do nothing. */
#pragma once

#include "live/bus_wire.h"
#include "live/hub.h"

struct bus;

enum { BUS_BEAT_MS = 5000, BUS_SILENCE_MS = 15000 };

struct bus_options {
    const char *url; /* a good one: base/redis_url.h */
    struct str secret_key;
    /* All on the bus's thread; they must not wait. */
    void (*poked)(void *context); /* another node has committed something */
    void (*typed)(struct uuid conversation_id, struct uuid user_id, void *context);
    /* A node has gone without a word and this one is to store when its users were seen last. */
    void (*lost)(const struct uuid *user_ids, size_t count, int64_t at_us, void *context);
    /* Requests counted here since the last call, at most `max`; how many there are. */
    size_t (*counts)(struct bus_count *out, size_t max, void *context);
    void (*counted)(const struct bus_count *count, void *context); /* by another node */
    void *context;
};

/* Makes the bus; NULL: without a URL. */
struct bus *bus_new(const struct bus_options *options);
/* Starts its thread. `hub` is told who is where, and lives until bus_stop. */
void bus_start(struct bus *bus, struct hub *hub);
void bus_stop(struct bus *bus);
void bus_free(struct bus *bus);

/* Something was committed. */
void bus_poke(struct bus *bus);
void bus_type(struct bus *bus, struct uuid conversation_id, struct uuid user_id);
/* For hub_options.here: a user has come to this node, or has gone from it. */
void bus_here(struct bus *bus, struct uuid user_id, bool is_here, int64_t at_us);

struct bus_stats {
    bool is_up;
    int64_t breaks;   /* of the connection, since start */
    int64_t sent;     /* messages */
    int64_t received; /* messages of other nodes */
    int64_t bad;      /* messages that were none */
    int64_t dropped;  /* of what had no room: typing, changes of presence */
    int64_t nodes;    /* others that are heard */
};
void bus_stats_get(struct bus *bus, struct bus_stats *out);
