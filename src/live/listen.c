/* What a client listens to: its memberships and the users it subscribes to. */
#include <stdlib.h>

#include "live/hub_private.h"

static void leave_all(struct live_client *client)
{
    struct loop *loop = client->loop;
    for (uint32_t i = 0; i < client->conversation_count; i++) {
        struct link *link = &client->conversations[i];
        if (link->group != NULL) {
            hub_count_listener(loop->hub, index_id(link), -1);
            index_remove(&loop->conversations, link);
        }
    }
    free(client->conversations);
    client->conversations = NULL;
    client->conversation_count = 0;
}

void listen_set(struct live_client *client, const struct uuid *conversations, size_t count)
{
    struct loop *loop = client->loop;
    /* Counted first, so that what stays is never thought to have no listener. */
    for (size_t i = 0; i < count; i++) {
        hub_count_listener(loop->hub, conversations[i], +1);
    }
    leave_all(client);
    if (count == 0) {
        return;
    }
    client->conversations = mem_alloc(count * sizeof(client->conversations[0]));
    client->conversation_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        index_add(&loop->conversations, conversations[i], &client->conversations[i], client);
    }
}

void listen_leave(struct live_client *client, struct uuid conversation_id)
{
    struct loop *loop = client->loop;
    for (uint32_t i = 0; i < client->conversation_count; i++) {
        struct link *link = &client->conversations[i];
        if (link->group != NULL && uuid_eq(index_id(link), conversation_id)) {
            hub_count_listener(loop->hub, conversation_id, -1);
            index_remove(&loop->conversations, link);
            return;
        }
    }
}

bool listen_is_subscribed(const struct live_client *client, struct uuid user_id)
{
    const struct link *first = NULL;
    if (client->subscription_count > 0) {
        first = index_first(&client->loop->subscribers, user_id);
    }
    if (first == NULL) {
        return false;
    }
    for (const struct subscriptions *s = client->subscriptions; s != NULL; s = s->next) {
        for (size_t i = 0; i < s->count; i++) {
            if (s->links[i].group == first->group) {
                return true;
            }
        }
    }
    return false;
}

bool listen_subscribe(struct live_client *client, const struct uuid *user_ids, size_t count)
{
    if (count > HUB_SUBSCRIPTIONS_MAX - client->subscription_count) {
        return false;
    }
    struct subscriptions *added = mem_alloc_zero(sizeof(*added) + count * sizeof(added->links[0]));
    added->next = client->subscriptions;
    client->subscriptions = added;
    for (size_t i = 0; i < count; i++) {
        if (!listen_is_subscribed(client, user_ids[i])) {
            struct link *link = &added->links[added->count++];
            index_add(&client->loop->subscribers, user_ids[i], link, client);
            client->subscription_count++;
        }
    }
    if (added->count == 0) {
        client->subscriptions = added->next;
        free(added);
    }
    return true;
}

void listen_clear(struct live_client *client)
{
    struct loop *loop = client->loop;
    leave_all(client);
    while (client->subscriptions != NULL) {
        struct subscriptions *first = client->subscriptions;
        for (size_t i = 0; i < first->count; i++) {
            index_remove(&loop->subscribers, &first->links[i]);
        }
        client->subscriptions = first->next;
        free(first);
    }
    client->subscription_count = 0;
    index_remove(&loop->users, &client->by_user);
}
