#include "live/registry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "crypto/hash.h"

enum { GONE_MS = 3000 };

struct registry_user {
    struct map_node node;
    struct registry_user *next_changed;
    bool is_changed;   /* is in that list */
    bool is_told;      /* other nodes have been told that the user is here */
    bool is_announced; /* others have been told that the user is online */
    int64_t clients;
    int64_t nodes;   /* others that the user is at */
    int64_t gone_ms; /* steady clock: when the last client left, or the last other node */
    int64_t gone_us; /* the same by the wall clock, that of the other node too */
};

struct registry_address {
    struct map_node node;
    int64_t clients;
    size_t n;
    char text[];
};

void registry_init(struct registry *registry, const struct hub_options *limits)
{
    *registry = (struct registry){.limits = limits};
    pthread_mutex_init(&registry->lock, NULL);
    map_init(&registry->users);
    map_init(&registry->addresses);
}

static void free_nodes(struct map *map)
{
    for (size_t i = 0; i < map->slot_count; i++) {
        while (map->slots[i] != NULL) {
            struct map_node *node = map->slots[i];
            map->slots[i] = node->next;
            free(node); /* it is the first member */
        }
    }
    map_fini(map);
}

void registry_fini(struct registry *registry)
{
    free_nodes(&registry->users);
    free_nodes(&registry->addresses);
    pthread_mutex_destroy(&registry->lock);
}

static struct uuid address_key(struct str text)
{
    uint8_t digest[SHA256_SIZE];
    struct uuid key;
    sha256(text, digest);
    memcpy(key.b, digest, sizeof(key.b));
    return key;
}

enum err registry_check(struct registry *registry, const struct live_who *who)
{
    const struct hub_options *limits = registry->limits;
    struct uuid key = address_key(who->address);
    enum err e = ERR_OK;
    pthread_mutex_lock(&registry->lock);
    const struct registry_user *user =
        (struct registry_user *)map_find(&registry->users, who->user_id);
    const struct registry_address *address =
        (struct registry_address *)map_find(&registry->addresses, key);
    if (registry->clients >= limits->clients_max) {
        e = ERR_BUSY;
    } else if (user != NULL && user->clients >= limits->clients_per_user_max) {
        e = ERR_TOO_MANY_SOCKETS;
    } else if (address != NULL && limits->clients_per_address_max > 0 &&
               address->clients >= limits->clients_per_address_max) {
        e = ERR_TOO_MANY_SOCKETS;
    }
    pthread_mutex_unlock(&registry->lock);
    return e;
}

/* The lock is held. */
static void note_change(struct registry *registry, struct registry_user *user)
{
    if (!user->is_changed) {
        user->is_changed = true;
        user->next_changed = registry->changed;
        registry->changed = user;
    }
}

/* The lock is held. */
static void note_gone(struct registry *registry, struct registry_user *user, int64_t at_us)
{
    user->gone_ms = clock_steady_us() / 1000;
    user->gone_us = at_us;
    note_change(registry, user);
}

static struct registry_user *find_or_add(struct registry *registry, struct uuid id)
{
    struct registry_user *user = (struct registry_user *)map_find(&registry->users, id);
    if (user == NULL) {
        user = mem_alloc_zero(sizeof(*user));
        user->node.key = id;
        map_add(&registry->users, &user->node);
    }
    return user;
}

static bool enter_user(struct registry *registry, struct uuid id)
{
    struct registry_user *user = find_or_add(registry, id);
    bool is_news = user->clients == 0 && !user->is_told;
    registry->users_online += user->clients == 0;
    user->clients++;
    if (is_news) {
        note_change(registry, user);
    }
    return is_news;
}

static struct registry_address *enter_address(struct registry *registry, struct uuid key,
                                              struct str text)
{
    struct registry_address *address =
        (struct registry_address *)map_find(&registry->addresses, key);
    if (address == NULL) {
        address = mem_alloc_zero(sizeof(*address) + text.n + 1);
        address->node.key = key;
        address->n = text.n;
        if (text.n > 0) {
            memcpy(address->text, text.p, text.n);
        }
        map_add(&registry->addresses, &address->node);
    }
    address->clients++;
    return address;
}

struct registry_address *registry_enter(struct registry *registry, struct live_who *who,
                                        bool *is_news)
{
    struct uuid key = address_key(who->address);
    pthread_mutex_lock(&registry->lock);
    *is_news = enter_user(registry, who->user_id);
    struct registry_address *address = enter_address(registry, key, who->address);
    who->address = (struct str){address->text, address->n};
    registry->clients++;
    pthread_mutex_unlock(&registry->lock);
    return address;
}

void registry_leave(struct registry *registry, const struct live_who *who,
                    struct registry_address *address)
{
    pthread_mutex_lock(&registry->lock);
    struct registry_user *user = (struct registry_user *)map_find(&registry->users, who->user_id);
    registry->clients--;
    if (--user->clients == 0) {
        registry->users_online--;
        note_gone(registry, user, clock_now_us());
    }
    if (--address->clients == 0) {
        map_remove(&registry->addresses, &address->node);
        free(address);
    }
    pthread_mutex_unlock(&registry->lock);
}

bool registry_is_online(struct registry *registry, struct uuid user_id)
{
    pthread_mutex_lock(&registry->lock);
    const struct registry_user *user = (struct registry_user *)map_find(&registry->users, user_id);
    bool is_online = user != NULL && (user->clients > 0 || user->nodes > 0 || user->is_announced);
    pthread_mutex_unlock(&registry->lock);
    return is_online;
}

bool registry_is_here(struct registry *registry, struct uuid user_id)
{
    pthread_mutex_lock(&registry->lock);
    const struct registry_user *user = (struct registry_user *)map_find(&registry->users, user_id);
    bool is_here = user != NULL && (user->clients > 0 || user->is_told);
    pthread_mutex_unlock(&registry->lock);
    return is_here;
}

bool registry_note_elsewhere(struct registry *registry, struct uuid user_id, bool is_there,
                             int64_t at_us)
{
    pthread_mutex_lock(&registry->lock);
    struct registry_user *user = find_or_add(registry, user_id);
    user->nodes += is_there ? 1 : -1;
    bool has_come = is_there && !user->is_announced;
    bool has_gone = user->nodes == 0 && user->clients == 0 && !user->is_told;
    if (has_gone) {
        note_gone(registry, user, at_us);
        user->gone_ms -= GONE_MS; /* the other node has waited already */
    } else if (has_come) {
        note_change(registry, user);
    }
    pthread_mutex_unlock(&registry->lock);
    return has_come || has_gone;
}

size_t registry_list_here(struct registry *registry, struct uuid **ids)
{
    size_t count = 0;
    pthread_mutex_lock(&registry->lock);
    *ids = mem_alloc(registry->users.count * sizeof(struct uuid) + 1);
    for (size_t i = 0; i < registry->users.slot_count; i++) {
        for (struct map_node *node = registry->users.slots[i]; node != NULL; node = node->next) {
            if (((struct registry_user *)node)->is_told) {
                (*ids)[count++] = node->key;
            }
        }
    }
    pthread_mutex_unlock(&registry->lock);
    return count;
}

int64_t registry_users(struct registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    int64_t users = registry->users_online;
    pthread_mutex_unlock(&registry->lock);
    return users;
}

struct news {
    struct uuid user_id;
    bool is_here;
    bool is_here_news;
    bool is_online;
    bool is_online_news;
    int64_t at_us;
};

/* True: the user's presence is other than what has been told. Who has just gone stays in the list
 * (false, *stays); an entry of somebody who is nowhere goes. The lock is held. */
static bool take_change(struct registry *registry, struct registry_user *user, int64_t now_ms,
                        struct news *news, bool *stays)
{
    bool is_here = user->clients > 0;
    bool is_online = is_here || user->nodes > 0;
    bool is_going = (user->is_told && !is_here) || (user->is_announced && !is_online);
    *stays = is_going && now_ms - user->gone_ms < GONE_MS;
    if (*stays) {
        return false;
    }
    *news = (struct news){.user_id = user->node.key,
                          .is_here = is_here,
                          .is_here_news = is_here != user->is_told,
                          .is_online = is_online,
                          .is_online_news = is_online != user->is_announced,
                          .at_us = is_going ? user->gone_us : clock_now_us()};
    user->is_changed = false;
    user->is_told = is_here;
    user->is_announced = is_online;
    if (!is_online) {
        map_remove(&registry->users, &user->node);
        free(user);
    }
    return news->is_here_news || news->is_online_news;
}

/* The lock is held. malloc'd. */
static struct news *take_changes(struct registry *registry, size_t *count)
{
    int64_t now_ms = clock_steady_us() / 1000;
    struct registry_user **at = &registry->changed;
    struct news *list = NULL;
    size_t size = 0;
    *count = 0;
    while (*at != NULL) {
        struct registry_user *next = (*at)->next_changed;
        bool stays = false;
        if (*count == size) {
            size = size > 0 ? 2 * size : 16;
            list = mem_realloc(list, size * sizeof(list[0]));
        }
        *count += take_change(registry, *at, now_ms, &list[*count], &stays);
        if (stays) {
            at = &(*at)->next_changed;
        } else {
            *at = next;
        }
    }
    return list;
}

static void tell_one(const struct hub_options *options, const struct news *news)
{
    if (news->is_here_news) {
        options->here(news->user_id, news->is_here, news->at_us, options->context);
    }
    if (news->is_online_news) {
        options->presence(news->user_id, news->is_online, news->at_us, options->context);
    }
}

void registry_tell(struct registry *registry)
{
    size_t count = 0;
    pthread_mutex_lock(&registry->lock);
    struct news *list = take_changes(registry, &count);
    pthread_mutex_unlock(&registry->lock);
    for (size_t i = 0; i < count; i++) {
        tell_one(registry->limits, &list[i]);
    }
    free(list);
}
