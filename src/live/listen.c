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

/* Those that it has not subscribed to yet go to the front. */
static size_t keep_new(const struct live_client *client, struct uuid *ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_new = !listen_is_subscribed(client, ids[i]);
        for (size_t k = 0; k < kept && is_new; k++) {
            is_new = !uuid_eq(ids[k], ids[i]);
        }
        if (is_new) {
            ids[kept++] = ids[i];
        }
    }
    return kept;
}

bool listen_subscribe(struct live_client *client, struct uuid *user_ids, size_t *count)
{
    size_t fresh = keep_new(client, user_ids, *count);
    if (fresh > HUB_SUBSCRIPTIONS_MAX - client->subscription_count) {
        return false;
    }
    *count = fresh;
    if (fresh == 0) {
        return true;
    }
    struct subscriptions *added = mem_alloc_zero(sizeof(*added) + fresh * sizeof(added->links[0]));
    added->next = client->subscriptions;
    added->count = fresh;
    client->subscriptions = added;
    client->subscription_count += (uint32_t)fresh;
    for (size_t i = 0; i < fresh; i++) {
        index_add(&client->loop->subscribers, user_ids[i], &added->links[i], client);
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
