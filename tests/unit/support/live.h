/* A hub with a test in the place of those around it: pages are what the test answers, messages and
 * presence are kept for it to look at. And the other end of a WebSocket. Everything that waits fails
 * the test after some seconds. */
#pragma once

#include <pthread.h>

#include "live/hub.h"

enum { LIVE_TEST_MAX = 256, PEER_FRAME_MAX = 1 << 20 };

struct live_test {
    struct hub *hub;
    struct hub_options options; /* set between init and start */
    bool is_roomy;        /* sockets have the usual buffers; else a slow reader is soon felt */
    pthread_mutex_t lock; /* guards the fields below */
    pthread_cond_t changed;
    struct live_pull *pulls[LIVE_TEST_MAX];
    size_t pull_count; /* that wait */
    int refuse;        /* so many pulls are refused */
    struct live_client *said_by[LIVE_TEST_MAX];
    char *said[LIVE_TEST_MAX];
    size_t said_count;
    struct uuid subscribe[4]; /* at the next message, if any */
    size_t subscribe_count;
    int64_t extend_us;            /* the same */
    char presence[LIVE_TEST_MAX]; /* "+1-1": the user's first byte */
    char here[LIVE_TEST_MAX];     /* the same, of this node alone */
};

extern const struct uuid live_test_incarnation;

void live_test_init(struct live_test *t);
void live_test_start(struct live_test *t, int64_t at);
void live_test_fini(struct live_test *t);

/* Ids and cursors that tests can write down. */
struct uuid live_test_user(uint8_t n);
struct uuid live_test_session(uint8_t n);
struct uuid live_test_conversation(uint8_t n);
struct cursor live_test_cursor(int64_t at);
struct live_who live_test_who(uint8_t user);
struct live_frame *live_test_frame(const char *json);

/* Pages. */
struct live_pull *live_test_pull(struct live_test *t); /* the next one */
void live_test_no_pull(struct live_test *t);           /* none waits at the moment */
/* Waits until the descriptor has something to read (true) or a pull waits (false). */
bool live_test_wait_input(struct live_test *t, int fd);
void live_test_add_frame(struct live_pull *pull, const char *json);
/* A whole round up to `at`: the user is in conversations 1 to `conversations`. */
void live_test_joinable(struct live_pull *pull, int64_t at, uint8_t conversations);
/* live_test_pull, live_test_joinable and hub_pulled in one. */
void live_test_join(struct live_test *t, int64_t at, uint8_t conversations);

/* Batches of shard 0. */
struct live_batch *live_test_batch(int64_t from, int64_t to, size_t count);
/* For conversation n; json NULL: no frame. */
struct live_event live_test_message(uint8_t conversation, const char *json);
/* hub_publish(); events that say no stamp are of the batch's last commit. */
void live_test_send(struct live_test *t, struct live_batch *batch);
/* A batch of one message. */
void live_test_publish(struct live_test *t, int64_t from, int64_t to, uint8_t conversation,
                       const char *json);
/* Waits for the hub to have no more sockets than that. */
void live_test_wait_sockets(struct live_test *t, int64_t count);
void live_test_wait_said(struct live_test *t, size_t count);
void live_test_wait_presence(struct live_test *t, const char *expected);
void live_test_wait_here(struct live_test *t, const char *expected);

/* The other end of a WebSocket. */
struct peer {
    int fd;
    char *text; /* of the last frame; zero-terminated */
    size_t n;
};

/* A connection that user n has opened. */
void peer_open(struct peer *peer, struct live_test *t, uint8_t user, int64_t cursor);
void peer_open_as(struct peer *peer, struct live_test *t, const struct live_who *who,
                  const struct cursor *from, struct str early);
void peer_fini(struct peer *peer);
void peer_send(struct peer *peer, uint8_t opcode, struct str payload);
void peer_say(struct peer *peer, const char *text);
/* Bytes as they are. */
void peer_send_raw(struct peer *peer, struct str bytes);
/* The next frame's opcode; -1: the other side has closed. */
int peer_read(struct peer *peer);
/* The next frame is this text. */
void peer_gets(struct peer *peer, const char *text);
/* The next one is {"type": type, "cursor": that of `at`}. */
void peer_gets_cursor(struct peer *peer, const char *type, int64_t at);
/* A close frame with this code (0: without), then the end of the stream. */
void peer_gets_close(struct peer *peer, int code);
/* Nothing has come by now. */
void peer_gets_nothing(struct peer *peer);
