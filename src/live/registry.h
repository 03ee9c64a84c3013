/* Who is connected: how many clients a user and an address have, and who is online, here or on another
 * node. One for the hub; one mutex, held for a few instructions. Any thread. */
#pragma once

#include <pthread.h>

#include "base/err.h"
#include "live/hub.h"
#include "live/map.h"

struct registry {
    const struct hub_options *limits;
    pthread_mutex_t lock; /* guards all below */
    struct map users;
    struct map addresses;
    int64_t clients;
    int64_t users_online;
    struct registry_user *changed; /* whose presence is to be looked at */
};

/* An entry's text stays valid until the last client from there has left. */
struct registry_address;

void registry_init(struct registry *registry, const struct hub_options *limits);
void registry_fini(struct registry *registry);

enum err registry_check(struct registry *registry, const struct live_who *who) CHECKED;
/* *is_news: the user was not there; registry_tell() has something to tell. who->address becomes the
 * entry's. */
struct registry_address *registry_enter(struct registry *registry, struct live_who *who,
                                        bool *is_news);
void registry_leave(struct registry *registry, const struct live_who *who,
                    struct registry_address *address);
bool registry_is_online(struct registry *registry, struct uuid user_id);
bool registry_is_here(struct registry *registry, struct uuid user_id);
int64_t registry_users(struct registry *registry);
/* hub_list_here() */
size_t registry_list_here(struct registry *registry, struct uuid **ids);
/* hub_note_elsewhere(). True: registry_tell() has something to tell at once. */
bool registry_note_elsewhere(struct registry *registry, struct uuid user_id, bool is_there,
                             int64_t at_us);
/* Calls `here` and `presence` for whoever has come, or has been gone for some seconds. Always from the
 * same thread, so that the calls are in order. */
void registry_tell(struct registry *registry);
