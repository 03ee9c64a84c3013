#include "live/peers.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "live/map.h"

/* Bounds for what a stranger on the channel could make grow. */
enum { NODES_MAX = 256, USERS_MAX = 1000000 };

struct peer_user {
    struct map_node node;
    uint32_t round; /* of the last list that had him */
};

struct peer {
    struct peer *next;
    uint64_t id;
    uint64_t number;  /* of the last message */
    int64_t heard_ms; /* steady clock */
    int64_t heard_us; /* wall clock */
    uint32_t round;   /* of the list that is being told, or was last */
    bool is_listing;  /* and none of it was missed */
    struct map users;
};

struct peers {
    struct peers_options options;
    struct peer *first;
    size_t count;
};

struct peers *peers_new(const struct peers_options *options)
{
    struct peers *peers = mem_alloc_zero(sizeof(*peers));
    peers->options = *options;
    return peers;
}

/* Takes out all users, or those that the present round has not named. *ids is malloc'd. */
static size_t take_users(struct peer *peer, bool is_all, struct uuid **ids)
{
    size_t count = 0;
    *ids = mem_alloc(peer->users.count * sizeof(struct uuid) + 1);
    for (size_t i = 0; i < peer->users.slot_count; i++) {
        for (struct map_node *node = peer->users.slots[i]; node != NULL; node = node->next) {
            if (is_all || ((struct peer_user *)node)->round != peer->round) {
                (*ids)[count++] = node->key;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct map_node *node = map_find(&peer->users, (*ids)[i]);
        map_remove(&peer->users, node);
        free(node); /* it is the first member */
    }
    return count;
}

static void free_peer(struct peer *peer)
{
    struct uuid *ids = NULL;
    (void)take_users(peer, true, &ids);
    free(ids);
    map_fini(&peer->users);
    free(peer);
}

void peers_free(struct peers *peers)
{
    while (peers != NULL && peers->first != NULL) {
        struct peer *peer = peers->first;
        peers->first = peer->next;
        free_peer(peer);
    }
    free(peers);
}

/* --- hearing --------------------------------------------------------------------------------- */

static struct peer *find(struct peers *peers, uint64_t id)
{
    struct peer *peer = peers->first;
    while (peer != NULL && peer->id != id) {
        peer = peer->next;
    }
    if (peer == NULL && peers->count < NODES_MAX) {
        peer = mem_alloc_zero(sizeof(*peer));
        peer->id = id;
        map_init(&peer->users);
        peer->next = peers->first;
        peers->first = peer;
        peers->count++;
    }
    return peer;
}

static void note_here(struct peers *peers, struct peer *peer, struct uuid user_id)
{
    struct peer_user *user = (struct peer_user *)map_find(&peer->users, user_id);
    if (user == NULL && peer->users.count < USERS_MAX) {
        user = mem_alloc_zero(sizeof(*user));
        user->node.key = user_id;
        map_add(&peer->users, &user->node);
        peers->options.come(user_id, peers->options.context);
    }
    if (user != NULL) {
        user->round = peer->round;
    }
}

static void note_gone(struct peers *peers, struct peer *peer, struct uuid user_id, int64_t at_us)
{
    struct map_node *node = map_find(&peer->users, user_id);
    if (node != NULL) {
        map_remove(&peer->users, node);
        free(node); /* it is the first member */
        peers->options.gone(user_id, at_us, peers->options.context);
    }
}

/* The list is over: who was not in it has gone. */
static void end_list(struct peers *peers, struct peer *peer)
{
    struct uuid *ids = NULL;
    if (!peer->is_listing) {
        return;
    }
    peer->is_listing = false;
    size_t count = take_users(peer, false, &ids);
    for (size_t i = 0; i < count; i++) {
        peers->options.gone(ids[i], peer->heard_us, peers->options.context);
    }
    free(ids);
}

static void apply(struct peers *peers, struct peer *peer, const struct bus_record *record)
{
    switch (record->kind) {
    case BUS_BEGIN:
        peer->round++;
        peer->is_listing = true;
        break;
    case BUS_END: end_list(peers, peer); break;
    case BUS_HERE: note_here(peers, peer, record->user_id); break;
    case BUS_GONE: note_gone(peers, peer, record->user_id, record->at_us); break;
    case BUS_POKE:
    case BUS_ASK:
    case BUS_TYPING:
    case BUS_COUNT: break;
    }
}

bool peers_hear(struct peers *peers, const struct bus_head *head, struct str records)
{
    struct peer *peer = head->node != peers->options.self ? find(peers, head->node) : NULL;
    struct bus_record record;
    if (peer == NULL) {
        return false;
    }
    bool has_missed = head->number != peer->number + 1;
    peer->is_listing = peer->is_listing && !has_missed;
    peer->number = head->number;
    peer->heard_ms = clock_steady_us() / 1000;
    peer->heard_us = clock_now_us();
    while (bus_wire_next(&records, &record)) {
        apply(peers, peer, &record);
        has_missed = has_missed && record.kind != BUS_BEGIN;
    }
    return has_missed;
}

/* --- silence --------------------------------------------------------------------------------- */

void peers_excuse(struct peers *peers)
{
    for (struct peer *peer = peers->first; peer != NULL; peer = peer->next) {
        peer->heard_ms = clock_steady_us() / 1000;
    }
}

static void lose(struct peers *peers, struct peer *peer)
{
    struct uuid *ids = NULL;
    size_t count = take_users(peer, true, &ids);
    peers->options.lost(ids, count, peer->heard_us, peers->options.context);
    free(ids);
    free_peer(peer);
}

void peers_expire(struct peers *peers, int64_t silence_ms)
{
    int64_t now_ms = clock_steady_us() / 1000;
    struct peer **at = &peers->first;
    while (*at != NULL) {
        struct peer *peer = *at;
        if (now_ms - peer->heard_ms < silence_ms) {
            at = &peer->next;
        } else {
            *at = peer->next;
            peers->count--;
            lose(peers, peer);
        }
    }
}

bool peers_is_first(const struct peers *peers)
{
    for (const struct peer *peer = peers->first; peer != NULL; peer = peer->next) {
        if (peer->id < peers->options.self) {
            return false;
        }
    }
    return true;
}

size_t peers_count(const struct peers *peers)
{
    return peers->count;
}
