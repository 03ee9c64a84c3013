#include "live/hub.h"

#include <stdlib.h>

#include "live/hub_private.h"

enum { LOOPS_MAX = 64 };

void live_page_fini(struct live_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        live_frame_unref(page->frames[i]);
    }
    free(page->frames);
    free(page->conversations);
    *page = (struct live_page){0};
}

/* --- life ------------------------------------------------------------------------------------ */

struct hub *hub_new(const struct hub_options *options)
{
    struct hub *hub = mem_alloc_zero(sizeof(*hub));
    int64_t threads = options->threads;
    hub->options = *options;
    pthread_mutex_init(&hub->lock, NULL);
    pthread_cond_init(&hub->quiet, NULL);
    registry_init(&hub->registry, &hub->options);
    hub->loop_count = (size_t)(threads < 1 ? 1 : threads > LOOPS_MAX ? LOOPS_MAX : threads);
    hub->loops = mem_alloc_zero(hub->loop_count * sizeof(hub->loops[0]));
    for (size_t i = 0; i < hub->loop_count; i++) {
        loop_init(&hub->loops[i], hub);
    }
    return hub;
}

void hub_start(struct hub *hub, struct uuid incarnation, const struct position *at)
{
    hub->has_run = true;
    for (size_t i = 0; i < hub->loop_count; i++) {
        struct loop *loop = &hub->loops[i];
        loop->incarnation = incarnation;
        loop->position = loop->told = loop->ring.floor = *at;
        loop_run(loop);
    }
}

static void post_to_all(struct hub *hub, struct mail mail)
{
    for (size_t i = 0; i < hub->loop_count; i++) {
        loop_post(&hub->loops[i], mail);
    }
}

void hub_quiesce(struct hub *hub)
{
    if (!hub->has_run || hub->has_stopped) {
        return;
    }
    pthread_mutex_lock(&hub->lock);
    hub->quiet_loops = 0;
    pthread_mutex_unlock(&hub->lock);
    post_to_all(hub, (struct mail){.kind = MAIL_QUIESCE});
    pthread_mutex_lock(&hub->lock);
    while (hub->quiet_loops < hub->loop_count) {
        pthread_cond_wait(&hub->quiet, &hub->lock);
    }
    pthread_mutex_unlock(&hub->lock);
}

void hub_stop(struct hub *hub, int64_t timeout_ms)
{
    if (!hub->has_run || hub->has_stopped) {
        return;
    }
    hub->has_stopped = true;
    post_to_all(hub, (struct mail){.kind = MAIL_STOP, .timeout_ms = timeout_ms});
    for (size_t i = 0; i < hub->loop_count; i++) {
        loop_join(&hub->loops[i]);
    }
}

void hub_free(struct hub *hub)
{
    if (hub == NULL) {
        return;
    }
    hub_stop(hub, 0);
    for (size_t i = 0; i < hub->loop_count; i++) {
        loop_fini(&hub->loops[i]);
    }
    registry_fini(&hub->registry);
    pthread_cond_destroy(&hub->quiet);
    pthread_mutex_destroy(&hub->lock);
    free(hub->loops);
    free(hub);
}

/* --- batches --------------------------------------------------------------------------------- */

static void send_to_all(struct hub *hub, enum mail_kind kind, struct live_batch *batch)
{
    for (size_t i = 0; i < hub->loop_count; i++) {
        loop_post(&hub->loops[i], (struct mail){.kind = kind, .batch = live_batch_ref(batch)});
    }
    live_batch_unref(batch);
}

void hub_publish(struct hub *hub, struct live_batch *batch)
{
    live_batch_measure(batch);
    send_to_all(hub, MAIL_BATCH, batch);
}

void hub_whisper(struct hub *hub, struct live_batch *batch)
{
    send_to_all(hub, MAIL_WHISPER, batch);
}

static size_t listening_slot(struct uuid conversation_id)
{
    return map_hash(conversation_id, 0) & (LISTENING_SLOTS - 1);
}

void hub_count_listener(struct hub *hub, struct uuid conversation_id, int change)
{
    atomic_fetch_add(&hub->listening[listening_slot(conversation_id)], (unsigned)change);
}

bool hub_listens(const struct hub *hub, struct uuid conversation_id)
{
    return atomic_load(&hub->listening[listening_slot(conversation_id)]) > 0;
}

bool hub_is_online(struct hub *hub, struct uuid user_id)
{
    return registry_is_online(&hub->registry, user_id);
}

/* --- clients --------------------------------------------------------------------------------- */

void hub_pulled(struct live_pull *pull)
{
    loop_post(pull->client->loop, (struct mail){.kind = MAIL_PULLED, .pull = pull});
}

void hub_answered(struct live_client *client, struct live_frame *frame)
{
    loop_post(client->loop, (struct mail){.kind = MAIL_ANSWER, .client = client, .frame = frame});
}

void hub_tell(struct live_client *client, struct live_frame *frame)
{
    loop_post(client->loop, (struct mail){.kind = MAIL_TELL, .client = client, .frame = frame});
}

enum err hub_check_room(struct hub *hub, const struct live_who *who)
{
    return registry_check(&hub->registry, who);
}

const struct live_who *hub_client_who(const struct live_client *client)
{
    return &client->who;
}

bool hub_subscribe(struct live_client *client, struct uuid *user_ids, size_t *count)
{
    return listen_subscribe(client, user_ids, count);
}

void hub_extend(struct live_client *client, struct uuid session_id, int64_t expires_us)
{
    client->who.session_id = session_id;
    client->who.expires_us = expires_us;
}

/* --- figures --------------------------------------------------------------------------------- */

void hub_stats_get(struct hub *hub, struct hub_stats *out)
{
    *out = (struct hub_stats){.users = registry_users(&hub->registry)};
    for (size_t i = 0; i < hub->loop_count; i++) {
        struct loop_counts *counts = &hub->loops[i].counts;
        out->sockets += atomic_load(&counts->kinds[TRANSPORT_SOCKET]);
        out->streams += atomic_load(&counts->kinds[TRANSPORT_STREAM]);
        out->polls += atomic_load(&counts->kinds[TRANSPORT_POLL]);
        out->queued_bytes += atomic_load(&counts->queued_bytes);
        out->frames += atomic_load(&counts->frames);
        out->pulls += atomic_load(&counts->pulls);
        out->overflows += atomic_load(&counts->overflows);
        out->ring_joins += atomic_load(&counts->ring_joins);
    }
}
