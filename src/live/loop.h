/* A loop: one thread, its clients, their indexes, and the mailbox through which everybody else speaks
 * to it. Inside live/. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/buf.h"
#include "live/client.h"
#include "live/ring.h"
#include "live/ws_reader.h"

enum { READ_SIZE = 65536 };

enum mail_kind {
    MAIL_BATCH,
    MAIL_WHISPER,
    MAIL_CLIENT, /* a new one; frame: its hello */
    MAIL_PULLED,
    MAIL_ANSWER, /* to what a client said */
    MAIL_TELL,
    MAIL_DRAINED, /* a stream has room again */
    MAIL_CLOSED,  /* a stream's connection is gone */
    MAIL_NEWS,    /* the registry has something to tell */
    MAIL_QUIESCE,
    MAIL_STOP,
};

struct mail {
    struct mail *next;
    enum mail_kind kind;
    union {
        struct live_batch *batch;
        struct live_client *client;
        struct live_pull *pull;
        int64_t timeout_ms;
    };
    struct live_frame *frame;
};

struct loop_counts {
    atomic_int_fast64_t clients; /* on their way to it included */
    atomic_int_fast64_t kinds[TRANSPORT_COUNT];
    atomic_int_fast64_t queued_bytes;
    atomic_int_fast64_t frames;
    atomic_int_fast64_t pulls;
    atomic_int_fast64_t overflows;
    atomic_int_fast64_t ring_joins;
};

struct loop {
    struct hub *hub;
    struct loop_counts counts;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the mailbox, up to the next blank line */
    struct mail *mails;
    struct mail **last_mail;
    bool is_closed; /* `wake` must not be used any more */
    uv_async_t wake;

    uv_loop_t uv;
    uv_timer_t ticker;
    uv_timer_t stopper;
    struct live_client *clients;
    struct live_client *touched;
    struct live_client *fed;
    struct index conversations;
    struct index users;
    struct index subscribers;
    struct ring ring;
    struct uuid incarnation;  /* of the newest batch */
    struct position position; /* its end */
    struct position told;     /* what clients that got all batches may be told */
    uint32_t releases;        /* batches behind which nothing waited */
    struct ws_reader_cache readers;
    char *input; /* READ_SIZE bytes, for one read at a time */
    struct buf output;
    bool is_full;  /* a queue is half full: it is written before more is put into it */
    bool is_quiet; /* nothing more is read from clients */
    bool is_stopping;
};

void loop_init(struct loop *loop, struct hub *hub);
void loop_run(struct loop *loop); /* starts the thread */
/* After loop_run: until the thread has ended. */
void loop_join(struct loop *loop);
/* After loop_join, or if it never ran. */
void loop_fini(struct loop *loop);

/* Any thread. Mail to a loop that has ended waits for loop_fini. */
void loop_post(struct loop *loop, struct mail mail);
/* A new client comes to its loop. Takes `hello`. If the loop has ended, it is dropped at once. */
void loop_post_client(struct live_client *client, struct live_frame *hello);

/* Settles all clients that were touched; at the end of each callback of libuv. */
void loop_settle(struct loop *loop);
int64_t loop_now_ms(const struct loop *loop);

/* sse.c: a connection is gone. */
void sse_closed(struct live_client *client);

/* fanout.c: takes a batch to the clients. */
void fanout_batch(struct loop *loop, const struct live_batch *batch);
void fanout_whisper(struct loop *loop, const struct live_batch *batch);

static inline void count_add(atomic_int_fast64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
