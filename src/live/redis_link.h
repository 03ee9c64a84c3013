/* One connection to a Redis server, made again and again: it listens to a channel and says things on it,
 * one at a time. RESP3, so Redis 6 or later, or Valkey. Not hiredis: Debian's (0.14) knows no TLS and no
 * time limits, looks names up in the caller's thread and takes replies of any size; what is needed of the
 * protocol is three commands and live/resp.h.
 *
 * Belongs to the loop that it was made with: all calls and callbacks on its thread. */
#pragma once

#include <uv.h>

#include "base/redis_url.h"

struct redis_link;

struct redis_link_options {
    const struct redis_url *url; /* lives as long as the link */
    const char *channel;         /* too */
    void (*up)(void *context);   /* it listens */
    void (*down)(const char *problem,
                 void *context); /* once after each up, and if a first try fails */
    void (*message)(struct str text, void *context);
    void (*said)(void *context); /* the next thing may be said */
    void *context;
};

struct redis_link *redis_link_new(uv_loop_t *loop, const struct redis_link_options *options);
/* Begins to connect. */
void redis_link_start(struct redis_link *link);
/* May something be said? */
bool redis_link_is_free(const struct redis_link *link);
/* Copies. Only if it is free; `said` follows, or `down`. */
void redis_link_say(struct redis_link *link, struct str text);
/* Closes everything; no callback follows. The loop must run on until it has nothing more to do, then
 * redis_link_free(). */
void redis_link_stop(struct redis_link *link);
void redis_link_free(struct redis_link *link); /* NULL is fine */
