#include "live/map.h"

#include <stdlib.h>

#include "base/arena.h"
#include "crypto/random.h"

enum { SLOTS_MIN = 64 };

uint64_t map_hash(struct uuid key, uint64_t seed)
{
    uint64_t high;
    uint64_t low;
    memcpy(&high, key.b, sizeof(high));
    memcpy(&low, key.b + sizeof(high), sizeof(low));
    uint64_t hash = (high ^ seed) * UINT64_C(0x9E3779B97F4A7C15);
    hash = (hash ^ hash >> 32 ^ low) * UINT64_C(0xD6E8FEB86659FD93);
    hash = (hash ^ hash >> 32 ^ seed) * UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ hash >> 32;
}

void map_init(struct map *map)
{
    *map = (struct map){0};
    random_bytes(&map->seed, sizeof(map->seed));
}

void map_fini(struct map *map)
{
    free(map->slots);
    *map = (struct map){0};
}

static struct map_node **slot_of(const struct map *map, struct uuid key)
{
    return &map->slots[map_hash(key, map->seed) & (map->slot_count - 1)];
}

struct map_node *map_find(const struct map *map, struct uuid key)
{
    if (map->count == 0) {
        return NULL;
    }
    struct map_node *node = *slot_of(map, key);
    while (node != NULL && !uuid_eq(node->key, key)) {
        node = node->next;
    }
    return node;
}

static void put(struct map *map, struct map_node *node)
{
    struct map_node **slot = slot_of(map, node->key);
    node->next = *slot;
    *slot = node;
}

static void resize(struct map *map, size_t slot_count)
{
    struct map old = *map;
    map->slot_count = slot_count;
    map->slots = mem_alloc_zero(slot_count * sizeof(map->slots[0]));
    for (size_t i = 0; i < old.slot_count; i++) {
        for (struct map_node *node = old.slots[i]; node != NULL;) {
            struct map_node *next = node->next;
            put(map, node);
            node = next;
        }
    }
    free(old.slots);
}

void map_add(struct map *map, struct map_node *node)
{
    if (map->count >= map->slot_count) {
        resize(map, map->slot_count > 0 ? 2 * map->slot_count : SLOTS_MIN);
    }
    put(map, node);
    map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **at = slot_of(map, node->key);
    while (*at != node) {
        at = &(*at)->next;
    }
    *at = node->next;
    map->count--;
    if (map->slot_count > SLOTS_MIN && map->count < map->slot_count / 8) {
        resize(map, map->slot_count / 4);
    }
}
