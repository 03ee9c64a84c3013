#include "live/client.h"

#include <stdlib.h>

#include "base/clock.h"
#include "live/hub_private.h"
#include "live/notice.h"

/* The one with the fewest clients. */
static struct loop *choose_loop(struct hub *hub)
{
    struct loop *best = &hub->loops[0];
    for (size_t i = 1; i < hub->loop_count; i++) {
        if (atomic_load(&hub->loops[i].counts.clients) < atomic_load(&best->counts.clients)) {
            best = &hub->loops[i];
        }
    }
    return best;
}

void client_init(struct live_client *client, struct hub *hub, const struct transport *transport,
                 const struct live_who *who, const struct cursor *from)
{
    bool is_news = false;
    client->transport = transport;
    client->loop = choose_loop(hub);
    client->refs = 1;
    client->queue_max = (uint32_t)hub->options.buffer_max;
    client->who = *who;
    client->address = registry_enter(&hub->registry, &client->who, &is_news);
    count_add(&client->loop->counts.clients, 1);
    count_add(&client->loop->counts.kinds[transport->kind], 1);
    if (is_news) {
        loop_post(&hub->loops[0], (struct mail){.kind = MAIL_NEWS});
    }
    join_begin(client, from);
}

void client_ref(struct live_client *client)
{
    client->refs++;
}

static void list_remove(struct live_client **list, struct live_client *client)
{
    if (client->prev != NULL) {
        client->prev->next = client->next;
    } else if (*list == client) {
        *list = client->next;
    }
    if (client->next != NULL) {
        client->next->prev = client->prev;
    }
    client->prev = client->next = NULL;
}

static void list_add(struct live_client **list, struct live_client *client)
{
    client->next = *list;
    if (*list != NULL) {
        (*list)->prev = client;
    }
    *list = client;
}

void client_unref(struct live_client *client)
{
    if (--client->refs > 0) {
        return;
    }
    registry_leave(&client->loop->hub->registry, &client->who, client->address);
    join_free(client);
    free(client);
}

void client_start(struct live_client *client, struct live_frame *hello)
{
    struct loop *loop = client->loop;
    client_ref(client); /* it may be gone before the end of this */
    list_add(&loop->clients, client);
    index_add(&loop->users, client->who.user_id, &client->by_user, client);
    client->beat_ms = loop_now_ms(loop) + loop->hub->options.heartbeat_s * 1000;
    if (hello != NULL) {
        client_push(client, hello);
    }
    if (client->transport->start != NULL) {
        client->transport->start(client);
    }
    if (loop->is_stopping) {
        client_drain(client);
    }
    client_touch(client);
    client_unref(client);
}

void client_touch(struct live_client *client)
{
    if (!client->is_touched) {
        client->is_touched = true;
        client_ref(client);
        client->next_touched = client->loop->touched;
        client->loop->touched = client;
    }
}

static bool may_pull(const struct live_client *client)
{
    const struct catchup *catchup = client->catchup;
    return client->state == CLIENT_PULLING && !client->is_pulled && !catchup->waits &&
           (client->queue.bytes <= client->queue_max / 2 || catchup->is_suspect);
}

void client_settle(struct live_client *client)
{
    if (client->state != CLIENT_GONE) {
        client->transport->flush(client);
    }
    if (may_pull(client)) {
        join_pull(client);
    }
}

static void beat(struct live_client *client)
{
    struct hub *hub = client->loop->hub;
    struct cursor cursor = client_cursor(client);
    client->beat_ms += hub->options.heartbeat_s * 1000;
    client_push(client, notice_cursor("ping", &cursor, hub->options.shards));
    client_mark(client);
}

void client_tick(struct live_client *client)
{
    client->is_ahead = client->is_ahead && !position_covers(&client->loop->position, &client->at);
    int64_t expires_us = client->who.expires_us;
    if (client->state < CLIENT_ENDING && expires_us > 0 && clock_now_us() >= expires_us &&
        client->transport->talks) {
        client_end(client, CLOSE_SIGNED_OUT);
    }
    if (client->state < CLIENT_ENDING && client->transport->talks &&
        loop_now_ms(client->loop) >= client->beat_ms) {
        beat(client);
    }
    if (client->state == CLIENT_PULLING && client->catchup->waits) {
        client->catchup->waits = false;
        client_touch(client);
    }
    if (client->transport->tick != NULL) {
        client->transport->tick(client);
    }
}

void client_end(struct live_client *client, enum close_code code)
{
    if (client->state >= CLIENT_ENDING) {
        return;
    }
    client_ref(client);
    client->transport->end(client, code);
    if (client->state != CLIENT_GONE) {
        client->state = CLIENT_ENDING;
        client_touch(client);
    }
    client_unref(client);
}

void client_drain(struct live_client *client)
{
    if (client->state < CLIENT_ENDING && client->transport->talks) {
        client_push(client, notice_drain());
    }
    client_end(client, CLOSE_RESTART);
}

void client_gone(struct live_client *client)
{
    struct loop *loop = client->loop;
    if (client->state == CLIENT_GONE) {
        return;
    }
    client->state = CLIENT_GONE;
    listen_clear(client);
    count_add(&loop->counts.queued_bytes, -(int64_t)client->queue.bytes);
    count_add(&loop->counts.clients, -1);
    count_add(&loop->counts.kinds[client->transport->kind], -1);
    queue_clear(&client->queue);
    list_remove(&loop->clients, client);
    client_unref(client);
}

void client_push(struct live_client *client, struct live_frame *frame)
{
    size_t before = client->queue.bytes;
    queue_push(&client->queue, frame);
    count_add(&client->loop->counts.queued_bytes, (int64_t)(client->queue.bytes - before));
    client->loop->is_full = client->loop->is_full || client->queue.bytes > client->queue_max / 2;
    client_touch(client);
}

static bool has_room(const struct live_client *client, size_t n)
{
    return client->queue.count == 0 || client->queue.bytes + n <= client->queue_max;
}

bool client_offer(struct live_client *client, struct live_frame *frame, bool droppable)
{
    size_t n = live_frame_wire(frame).n;
    if (droppable && client->queue.bytes > client->queue_max / 2) {
        return true;
    }
    if (!has_room(client, n) && client->transport->write != NULL) {
        client->transport->write(client); /* a large batch does not make a slow reader */
    }
    if (!has_room(client, n)) {
        return false;
    }
    client_push(client, live_frame_ref(frame));
    return true;
}

void client_written(struct live_client *client, size_t n)
{
    uint32_t before = client->queue.count;
    queue_written(&client->queue, n);
    count_add(&client->loop->counts.queued_bytes, -(int64_t)n);
    count_add(&client->loop->counts.frames, before - client->queue.count);
}

struct live_frame *client_take(struct live_client *client)
{
    struct live_frame *frame = queue_take(&client->queue);
    if (frame != NULL) {
        count_add(&client->loop->counts.queued_bytes, -(int64_t)live_frame_wire(frame).n);
        count_add(&client->loop->counts.frames, live_frame_is_mark(frame) ? 0 : 1);
    }
    return frame;
}

void client_answered(struct live_client *client, struct live_frame *frame)
{
    client->said--;
    if (frame != NULL && client->state < CLIENT_ENDING) {
        client_push(client, frame);
    } else {
        live_frame_unref(frame);
    }
    client_touch(client); /* it may be read from again */
}

struct cursor client_cursor(const struct live_client *client)
{
    const struct loop *loop = client->loop;
    if (client->state == CLIENT_PULLING) {
        return client->catchup->from;
    }
    return (struct cursor){.incarnation = loop->incarnation,
                           .at = position_max(client->at, &loop->told)};
}

void client_mark(struct live_client *client)
{
    if (client->transport->marks) {
        struct cursor cursor = client_cursor(client);
        client_push(client, notice_mark(&cursor, client->loop->hub->options.shards));
    }
}
