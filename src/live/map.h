/* A hash map by id. Its nodes are part of what is kept; it owns nothing but the table. One thread at
 * a time. */
#pragma once

#include "base/uuid.h"

struct map_node {
    struct map_node *next;
    struct uuid key;
};

struct map {
    struct map_node **slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
    uint64_t seed; /* ids may come from clients, who could choose those that collide */
};

uint64_t map_hash(struct uuid key, uint64_t seed);

void map_init(struct map *map);
void map_fini(struct map *map);
struct map_node *map_find(const struct map *map, struct uuid key);
/* node->key is set and not in the map yet. */
void map_add(struct map *map, struct map_node *node);
void map_remove(struct map *map, struct map_node *node);
