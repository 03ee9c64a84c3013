/* A batch on its way to a loop's clients. Nothing is written before the batch is through: clients are
 * only touched. So nobody is freed here, but links of the client at hand may go. */
#include "live/hub_private.h"

struct fanout {
    struct loop *loop;
    const struct live_batch *batch;
    bool durable;
};

/* Its page was read later than what this event tells. */
static bool is_covered(const struct fanout *f, const struct live_client *client,
                       const struct live_event *event)
{
    return client->is_ahead && f->durable && client_knows(client, event);
}

static void note_fed(struct live_client *client)
{
    if (client->transport->marks && !client->is_fed) {
        client->is_fed = true;
        client_ref(client);
        client->next_fed = client->loop->fed;
        client->loop->fed = client;
    }
}

static void deliver(const struct fanout *f, struct live_client *client,
                    const struct live_event *event)
{
    if (client->state != CLIENT_LIVE || is_covered(f, client, event) ||
        (event->droppable && !client->transport->talks)) {
        return;
    }
    if (event->frame == NULL) {
        join_again(client);
    } else if (client_offer(client, event->frame, event->droppable)) {
        note_fed(client);
    } else {
        count_add(&f->loop->counts.overflows, 1);
        join_again(client);
    }
}

static void deliver_user(const struct fanout *f, struct live_client *client,
                         const struct live_event *event)
{
    deliver(f, client, event);
    if (client->state == CLIENT_PULLING && event->frame != NULL &&
        !client_has_in_pages(client, event)) {
        join_miss(client, event);
    }
}

static void to_conversation(const struct fanout *f, const struct live_event *event)
{
    if (event->waits) {
        return;
    }
    struct link *link = index_first(&f->loop->conversations, event->conversation_id);
    for (; link != NULL; link = link->next) {
        if (!uuid_eq(link->client->who.user_id, event->not_to)) {
            deliver(f, link->client, event);
        }
    }
}

static void to_own(const struct fanout *f, const struct live_event *event)
{
    struct link *link = index_first(&f->loop->users, event->user_id);
    for (; link != NULL; link = link->next) {
        deliver(f, link->client, event);
    }
}

/* Presence is for those who subscribe, the profile for the user too. */
static void to_user(const struct fanout *f, const struct live_event *event)
{
    struct link *link = NULL;
    if (!event->droppable) {
        link = index_first(&f->loop->users, event->user_id);
    }
    for (; link != NULL; link = link->next) {
        deliver_user(f, link->client, event);
    }
    if (event->frame != NULL) {
        link = index_first(&f->loop->subscribers, event->user_id);
    }
    for (; link != NULL; link = link->next) {
        bool has_it = !event->droppable && uuid_eq(link->client->who.user_id, event->user_id);
        if (!has_it) {
            deliver_user(f, link->client, event);
        }
    }
}

static void apply_right(const struct fanout *f, struct live_client *client,
                        const struct live_event *event)
{
    if (event->kind == LIVE_SESSIONS) {
        if (!live_event_has_session(event, client->who.session_id)) {
            join_suspect(client);
        }
    } else if (client->state == CLIENT_LIVE && !is_covered(f, client, event)) {
        if (event->kind == LIVE_LEFT) {
            listen_leave(client, event->conversation_id);
        } else {
            join_again(client);
        }
    }
}

/* Before any frame of the batch: the state in them may be younger than the change. */
static void apply_rights(const struct fanout *f)
{
    for (size_t i = 0; i < f->batch->count; i++) {
        const struct live_event *event = &f->batch->events[i];
        if (event->kind != LIVE_LEFT && event->kind != LIVE_JOINED &&
            event->kind != LIVE_SESSIONS) {
            continue;
        }
        struct link *link = index_first(&f->loop->users, event->user_id);
        while (link != NULL) {
            struct link *next = link->next;
            apply_right(f, link->client, event);
            link = next;
        }
    }
}

static void pass_on(const struct fanout *f)
{
    apply_rights(f);
    for (size_t i = 0; i < f->batch->count; i++) {
        const struct live_event *event = &f->batch->events[i];
        switch (event->kind) {
        case LIVE_CONVERSATION: to_conversation(f, event); break;
        case LIVE_OWN:
        case LIVE_LEFT: to_own(f, event); break;
        case LIVE_USER: to_user(f, event); break;
        case LIVE_JOINED:
        case LIVE_SESSIONS: break;
        }
    }
}

/* The cursor behind the last frame of the batch, for those that got any. */
static void mark_fed(struct loop *loop, bool durable)
{
    while (loop->fed != NULL) {
        struct live_client *client = loop->fed;
        loop->fed = client->next_fed;
        client->is_fed = false;
        if (durable && client->state == CLIENT_LIVE) {
            client_mark(client);
        }
        client_unref(client);
    }
}

/* What clients were told may not be true any more: their cursors say whether. */
static void restart(struct loop *loop, const struct live_batch *batch)
{
    size_t bytes_max = loop->ring.bytes_max;
    for (struct live_client *client = loop->clients; client != NULL; client = client->next) {
        if (client->state == CLIENT_LIVE) {
            join_again(client);
        }
    }
    ring_fini(&loop->ring);
    ring_init(&loop->ring, bytes_max);
    loop->ring.floor = batch->to;
    loop->told = batch->to;
}

void fanout_batch(struct loop *loop, const struct live_batch *batch)
{
    if (batch->restarts) {
        restart(loop, batch);
    }
    loop->incarnation = batch->incarnation;
    pass_on(&(struct fanout){loop, batch, true});
    loop->position = batch->to;
    loop->told = position_max(loop->told, &batch->told);
    loop->releases += position_eq(&batch->told, &batch->to);
    mark_fed(loop, true);
}

void fanout_whisper(struct loop *loop, const struct live_batch *batch)
{
    pass_on(&(struct fanout){loop, batch, false});
    mark_fed(loop, false);
}
