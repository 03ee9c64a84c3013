/* The other nodes, as far as they have been heard of: who listens there. Belongs to the bus's thread;
 * what changes is told by callbacks, on it. */
#pragma once

#include "live/bus_wire.h"

struct peers;

struct peers_options {
    uint64_t self; /* this node's id: what it said itself comes back */
    /* `users` have come to a node, or have gone from it (at_us: when). is_lost: the node is not
     * heard of any more, and at_us is when it was last. */
    void (*come)(struct uuid user_id, void *context);
    void (*gone)(struct uuid user_id, int64_t at_us, void *context);
    void (*lost)(const struct uuid *user_ids, size_t count, int64_t at_us, void *context);
    void *context;
};

struct peers *peers_new(const struct peers_options *options);
void peers_free(struct peers *peers); /* without a word to anybody; NULL is fine */

/* A message has come. True: the node has told things that were missed, and is to be asked. */
bool peers_hear(struct peers *peers, const struct bus_head *head, struct str records) CHECKED;
/* Nobody could be heard until now: all get their time again. */
void peers_excuse(struct peers *peers);
/* Drops the nodes that have not been heard for `silence_ms`. */
void peers_expire(struct peers *peers, int64_t silence_ms);
/* Is this node's id the least of those that are known? Of many that see the same, it is the one to act. */
bool peers_is_first(const struct peers *peers);
size_t peers_count(const struct peers *peers);
