/* Inside live/. */
#pragma once

#include "live/hub.h"
#include "live/loop.h"
#include "live/registry.h"

/* A power of two. */
enum { LISTENING_SLOTS = 16384 };

struct hub {
    struct hub_options options;
    struct registry registry;
    atomic_uint listening[LISTENING_SLOTS]; /* clients by their conversation's hash */
    pthread_mutex_t lock;                   /* guards `quiet_loops` */
    pthread_cond_t quiet;
    size_t quiet_loops;
    bool has_run;
    bool has_stopped;
    size_t loop_count;
    struct loop *loops;
};

/* For hub_listens: one client more (+1) or less (-1). */
void hub_count_listener(struct hub *hub, struct uuid conversation_id, int change);
