/* Long poll: a client that ends with the first thing there is to tell it. Frames that may be dropped
 * (typing, presence) are none. */
#include <stdlib.h>

#include "live/hub_private.h"

struct poll {
    struct live_client client;
    hub_polled *done;
    void *context;
    struct cursor asked; /* where it began */
    int64_t wait_ms;
    int64_t deadline_ms;
    bool gets_page; /* from the database, whatever the ring has */
};

/* Is there more to be had at once? Also behind the last page of a round of several: only what is read
 * in one snapshot is all that the client was told before, and he who misses any of it then takes the
 * database for one that has gone back. */
static bool has_more(const struct live_client *client)
{
    return client->state == CLIENT_PULLING;
}

/* All that is queued, and where it goes on from there. */
static void answer(struct poll *poll, struct live_page page)
{
    struct live_client *client = &poll->client;
    hub_polled *done = poll->done;
    void *context = poll->context;
    if (client->state == CLIENT_GONE) {
        return;
    }
    page.next = client_cursor(client);
    page.more = page.failure == ERR_OK && has_more(client);
    page.frames = mem_alloc((client->queue.count + 1) * sizeof(page.frames[0]));
    while (client->queue.count > 0) {
        page.frames[page.count++] = client_take(client);
    }
    client_gone(client); /* perhaps with its memory */
    done(&page, context);
}

static void poll_start(struct live_client *client)
{
    struct poll *poll = (struct poll *)client;
    poll->deadline_ms = loop_now_ms(client->loop) + poll->wait_ms;
}

/* Read positions still wait that another node may have told it: its answer has to have them. They are not
 * an answer by themselves, or it would poll as fast as others read. */
static bool lacks_reads(const struct poll *poll)
{
    const struct live_client *client = &poll->client;
    return client->state == CLIENT_LIVE && client->lacks == client->loop->releases + 1;
}

/* There may be frames although the cursor has not moved: read positions that wait to be sent together
 * hold it back, or a part of a batch is lacking. With it the next poll would get the same at once, and
 * so on. A page has everything, and a cursor behind it. */
static bool is_stuck(const struct poll *poll)
{
    struct cursor cursor = client_cursor(&poll->client);
    return !cursor.paging && !poll->asked.paging &&
           uuid_eq(cursor.incarnation, poll->asked.incarnation) &&
           position_eq(&cursor.at, &poll->asked.at);
}

static void get_page(struct poll *poll)
{
    struct live_client *client = &poll->client;
    poll->gets_page = true;
    while (client->queue.count > 0) {
        live_frame_unref(client_take(client));
    }
    if (client->state == CLIENT_LIVE) {
        join_from(client, &poll->asked);
    }
}

/* A page is waited for whatever the deadline. */
static void poll_flush(struct live_client *client)
{
    struct poll *poll = (struct poll *)client;
    bool is_over = loop_now_ms(client->loop) >= poll->deadline_ms;
    bool has_frames = client->queue.count > 0;
    if (!has_frames && !(is_over && client->state == CLIENT_LIVE)) {
        return;
    }
    if (!poll->gets_page && (lacks_reads(poll) || (has_frames && is_stuck(poll)))) {
        get_page(poll);
    } else {
        answer(poll, (struct live_page){0});
    }
}

static void poll_end(struct live_client *client, enum close_code code)
{
    answer((struct poll *)client,
           (struct live_page){.reset = code == CLOSE_RESET, .ended = code == CLOSE_SIGNED_OUT});
}

static void poll_drop(struct live_client *client)
{
    poll_end(client, CLOSE_RESTART);
}

static void poll_failed(struct live_client *client, enum err e)
{
    answer((struct poll *)client, (struct live_page){.failure = e});
}

void hub_take_poll(struct hub *hub, const struct live_who *who, const struct cursor *from,
                   int64_t wait_s, size_t size_max, hub_polled *done, void *context)
{
    static const struct transport transport = {
        .kind = TRANSPORT_POLL,
        .start = poll_start,
        .flush = poll_flush,
        .end = poll_end,
        .drop = poll_drop,
        .tick = client_touch,
        .failed = poll_failed,
    };
    struct poll *poll = mem_alloc_zero(sizeof(*poll));
    poll->done = done;
    poll->context = context;
    poll->asked = *from;
    poll->wait_ms = wait_s * 1000;
    client_init(&poll->client, hub, &transport, who, from);
    poll->client.queue_max = (uint32_t)size_max;
    loop_post_client(&poll->client, NULL);
}
