/* Many WebSocket clients of one server in one loop. They connect, catch up, answer the server's
 * pings and keep their cursors; what else the server sends goes to `on_frame`. A client that is
 * refused or closed ends the program: a benchmark that loses clients measures something else.
 *
 * The server is Confab or the bare program, which answers the same handshake. */
#pragma once

#include "frame.h"
#include "lines.h"
#include "loop.h"
#include "samples.h"

enum client_state {
    CLIENT_CLOSED,
    CLIENT_CONNECTING,
    CLIENT_SHAKING, /* hands: asked for the upgrade */
    CLIENT_CATCHING_UP,
    CLIENT_SYNCED,
};

struct client {
    struct watch watch; /* first */
    struct swarm *swarm;
    uint32_t number;
    enum client_state state;
    bool is_idle; /* not read from by the loop */
    int64_t began_ns;
    char *cursor; /* of its last `synced` or `ping`; NULL: none */
    char *rest;   /* the beginning of a frame */
    size_t rest_n;
};

struct swarm {
    struct loop *loop;
    uint16_t port;
    const struct lines *tokens; /* client n signs in with number n, and so on from the front */
    size_t first_token;
    const char *cursor; /* that all begin with; NULL: none */
    size_t room_size;   /* so many clients are in a room of the bare program */
    int receive_buffer; /* bytes in the kernel; 0: its own choice */
    bool leaves;        /* a client goes as soon as it is synced */
    void (*on_frame)(struct client *client, const struct frame *frame, int64_t now_ns);
    void *context;
    struct client *clients;
    size_t count;
    size_t next;    /* connects next */
    size_t pending; /* on their way to being synced */
    size_t synced;
    size_t frames; /* and bytes received, ever */
    size_t bytes;
    struct samples connect_ns; /* from the SYN to `synced` */
};

/* The options are set, the rest is zero. Nobody connects yet. */
void swarm_init(struct swarm *swarm);
/* Connects all, at most at_once of them at a time, until they are synced. */
void swarm_connect(struct swarm *swarm, size_t at_once, double patience_s);
/* Closes all. */
void swarm_drop(struct swarm *swarm);
/* Without cursors they have everything to catch up with. */
void swarm_forget(struct swarm *swarm);

/* One text to the server, JSON. */
void client_say(struct client *client, const char *text, size_t n);
/* Reads once, at most size_max bytes. */
void client_receive(struct client *client, size_t size_max);
/* The loop reads from it no more, or again. */
void client_set_idle(struct client *client, bool is_idle);
