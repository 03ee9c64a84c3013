/* How a client comes to be live, and what it does when it cannot stay so. See hub.h. */
#include <stdlib.h>

#include "live/hub_private.h"
#include "live/notice.h"

enum replay { REPLAY_WHOLE, REPLAY_LACKS };

/* The user's memberships as they are at some place of the ring; in order. */
struct members {
    struct uuid *ids;
    size_t count;
};

void join_begin(struct live_client *client, const struct cursor *from)
{
    client->catchup = mem_alloc_zero(sizeof(*client->catchup));
    client->catchup->from = *from;
    client->state = CLIENT_PULLING;
}

void join_free(struct live_client *client)
{
    struct catchup *catchup = client->catchup;
    if (catchup == NULL) {
        return;
    }
    for (size_t i = 0; i < catchup->missed_count; i++) {
        live_frame_unref(catchup->missed[i].frame);
    }
    free(catchup->missed);
    free(catchup);
    client->catchup = NULL;
}

static struct missed *find_missed(const struct catchup *catchup, const struct live_event *event)
{
    for (size_t i = 0; i < catchup->missed_count; i++) {
        struct missed *missed = &catchup->missed[i];
        if (uuid_eq(missed->user_id, event->user_id) && missed->droppable == event->droppable) {
            return missed;
        }
    }
    return NULL;
}

void join_miss(struct live_client *client, const struct live_event *event)
{
    struct catchup *catchup = client->catchup;
    struct missed *missed = find_missed(catchup, event);
    if (missed != NULL) {
        live_frame_unref(missed->frame);
        missed->frame = live_frame_ref(event->frame);
        return;
    }
    if (catchup->missed_count == catchup->missed_size) {
        catchup->missed_size = catchup->missed_size > 0 ? 2 * catchup->missed_size : 4;
        catchup->missed =
            mem_realloc(catchup->missed, catchup->missed_size * sizeof(catchup->missed[0]));
    }
    catchup->missed[catchup->missed_count++] =
        (struct missed){event->user_id, event->droppable, live_frame_ref(event->frame)};
}

/* --- pulling --------------------------------------------------------------------------------- */

static bool can_use_ring(const struct live_client *client)
{
    const struct catchup *catchup = client->catchup;
    return !catchup->no_ring && !catchup->from.paging &&
           uuid_eq(catchup->from.incarnation, client->loop->incarnation) &&
           ring_reaches(&client->loop->ring, &catchup->from.at);
}

static void fail(struct live_client *client, enum err e)
{
    client->catchup->waits = true;
    if (client->transport->failed != NULL) {
        client->transport->failed(client, e);
    }
}

void join_pull(struct live_client *client)
{
    const struct hub_options *options = &client->loop->hub->options;
    struct live_pull *pull = mem_alloc_zero(sizeof(*pull));
    bool was_suspect = client->catchup->is_suspect;
    pull->client = client;
    pull->user_id = client->who.user_id;
    pull->session_id = client->who.session_id;
    pull->from = client->catchup->from;
    pull->size_max = client->queue.bytes <= client->queue_max / 2 ? client->queue_max : 1;
    pull->from_ring = can_use_ring(client);
    client->catchup->is_suspect = false;
    client->is_pulled = true;
    client_ref(client);
    count_add(&client->loop->counts.pulls, 1);
    if (!options->pull(pull, options->context)) {
        free(pull);
        client->is_pulled = false;
        client->catchup->is_suspect = was_suspect;
        fail(client, ERR_BUSY);
        client_unref(client);
    }
}

/* --- from the ring --------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return uuid_compare(*(const struct uuid *)a, *(const struct uuid *)b);
}

static struct uuid *find_member(const struct members *members, struct uuid id)
{
    if (members->count == 0) {
        return NULL;
    }
    return bsearch(&id, members->ids, members->count, sizeof(id), by_id);
}

static void leave(struct members *members, struct uuid id)
{
    struct uuid *at = find_member(members, id);
    if (at != NULL) {
        struct uuid *end = members->ids + members->count;
        memmove(at, at + 1, (size_t)(end - at - 1) * sizeof(*at));
        members->count--;
    }
}

static bool reaches(const struct live_client *client, const struct members *members,
                    const struct live_event *event)
{
    struct uuid me = client->who.user_id;
    switch (event->kind) {
    case LIVE_CONVERSATION:
        return !uuid_eq(event->not_to, me) && find_member(members, event->conversation_id) != NULL;
    case LIVE_OWN:
    case LIVE_LEFT: return uuid_eq(event->user_id, me);
    case LIVE_USER:
        return uuid_eq(event->user_id, me) ||
               (event->frame != NULL && listen_is_subscribed(client, event->user_id));
    case LIVE_JOINED:
    case LIVE_SESSIONS: break;
    }
    return false;
}

/* What waited, and does no more, is in the ring once more. */
static bool is_news(const struct live_client *client, const struct members *members,
                    const struct live_event *event)
{
    bool is_later = event->waits && live_event_is_known(event, &client->loop->told);
    return !is_later && reaches(client, members, event) && !client_knows(client, event);
}

/* What a batch says of the client's own rights. A session that was not among the living then may have
 * begun since: the page that is read next knows. */
static enum replay replay_rights(const struct live_client *client, struct members *members,
                                 const struct live_batch *batch)
{
    enum replay result = REPLAY_WHOLE;
    for (size_t i = 0; i < batch->count; i++) {
        const struct live_event *event = &batch->events[i];
        if (!uuid_eq(event->user_id, client->who.user_id) ||
            (event->kind != LIVE_SESSIONS && client_knows(client, event))) {
            continue;
        }
        if (event->kind == LIVE_LEFT) {
            leave(members, event->conversation_id);
        } else if (event->kind == LIVE_JOINED ||
                   (event->kind == LIVE_SESSIONS &&
                    !live_event_has_session(event, client->who.session_id))) {
            result = REPLAY_LACKS;
        }
    }
    return result;
}

/* Has all of a batch that reaches the client a frame, and is there room for them? */
static bool fits(const struct live_client *client, const struct members *members,
                 const struct live_batch *batch)
{
    size_t count = client->queue.count;
    size_t bytes = client->queue.bytes;
    for (size_t i = 0; i < batch->count; i++) {
        const struct live_event *event = &batch->events[i];
        if (event->droppable || !is_news(client, members, event)) {
            continue;
        }
        if (event->frame == NULL) {
            return false;
        }
        count++;
        bytes += live_frame_wire(event->frame).n;
    }
    return count <= 1 || bytes <= client->queue_max;
}

/* All of it or nothing: what is lacking comes with a page from before the batch, and that has the
 * rest too. */
static enum replay replay_batch(struct live_client *client, struct members *members,
                                const struct live_batch *batch)
{
    enum replay result = replay_rights(client, members, batch);
    if (result == REPLAY_WHOLE && !fits(client, members, batch)) {
        result = REPLAY_LACKS;
    }
    for (size_t i = 0; i < batch->count && result == REPLAY_WHOLE; i++) {
        const struct live_event *event = &batch->events[i];
        if (event->droppable || !is_news(client, members, event)) {
            continue;
        }
        if (event->waits && !client->transport->talks) {
            client->lacks = client->loop->releases + 1;
        } else {
            client_push(client, live_frame_ref(event->frame));
        }
    }
    return result;
}

/* Queues what came after client->at, and moves it along. */
static enum replay replay(struct live_client *client, struct members *members)
{
    const struct ring *ring = &client->loop->ring;
    if (!ring_reaches(ring, &client->at)) {
        return REPLAY_LACKS;
    }
    enum replay result = REPLAY_WHOLE;
    for (size_t i = ring_find(ring, &client->at); i < ring->count && result == REPLAY_WHOLE; i++) {
        const struct live_batch *batch = ring_at(ring, i);
        result = replay_batch(client, members, batch);
        if (result == REPLAY_WHOLE) {
            client->at = position_max(client->at, &batch->told);
        }
    }
    return result;
}

/* --- going live ------------------------------------------------------------------------------ */

/* What is lacking comes with another page. */
static void stay_behind(struct live_client *client)
{
    client->catchup->from =
        (struct cursor){.incarnation = client->loop->incarnation, .at = client->at};
    client->catchup->no_ring = true;
}

/* What came of users while it was pulling. False: no room for all of it now. */
static bool send_missed(struct live_client *client)
{
    struct catchup *catchup = client->catchup;
    while (catchup->missed_count > 0) {
        struct missed *last = &catchup->missed[catchup->missed_count - 1];
        if (!client_offer(client, last->frame, false)) {
            return false;
        }
        live_frame_unref(last->frame);
        catchup->missed_count--;
    }
    return true;
}

static void go_live(struct live_client *client)
{
    struct loop *loop = client->loop;
    join_free(client);
    client->state = CLIENT_LIVE;
    client->is_ahead = !position_covers(&loop->position, &client->at);
    if (client->transport->talks) {
        struct cursor cursor = client_cursor(client);
        client_push(client, notice_cursor("synced", &cursor, loop->hub->options.shards));
        client_mark(client);
    }
    client_touch(client);
}

/* Another node may have told the client of commits that this one has not come to: the page has to have
 * them, or he who misses what he was told takes the database for one that has gone back. */
static bool ring_lags(const struct live_client *client, const struct live_page *page)
{
    return !position_covers(&client->loop->position, &page->present);
}

/* The page holds everything up to its positions, and the memberships of that moment. */
static void join(struct live_client *client, struct live_page *page, bool from_ring)
{
    struct members members = {page->conversations, page->conversation_count};
    client->at = page->next.at;
    if (members.count > 0) {
        qsort(members.ids, members.count, sizeof(members.ids[0]), by_id);
    }
    enum replay result =
        from_ring && ring_lags(client, page) ? REPLAY_LACKS : replay(client, &members);
    if (!from_ring) {
        client->lacks = 0; /* what was told before the page was read is in it */
    }
    /* Also if it has to pull again: from now on events of its conversations get frames. */
    listen_set(client, members.ids, members.count);
    if (result == REPLAY_LACKS || !send_missed(client)) {
        stay_behind(client);
    } else {
        go_live(client);
        count_add(&client->loop->counts.ring_joins, from_ring ? 1 : 0);
    }
}

/* A page of another life of the database than the loop's: until the tailer has come to it too, or
 * since it has gone on, there is nothing to be live from. */
static void join_if_same_life(struct live_client *client, struct live_page *page, bool from_ring)
{
    if (uuid_eq(page->next.incarnation, client->loop->incarnation)) {
        join(client, page, from_ring);
    } else {
        client->catchup->waits = true;
    }
}

static void send_frames(struct live_client *client, struct live_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        client_push(client, page->frames[i]);
    }
    page->count = 0;
}

/* So that a long way is not gone twice if it is interrupted. */
static void send_cursor(struct live_client *client)
{
    if (client->transport->talks) {
        int shards = client->loop->hub->options.shards;
        client_push(client, notice_cursor("ping", &client->catchup->from, shards));
        client_mark(client);
    }
}

static void send_reset(struct live_client *client)
{
    if (client->transport->marks) {
        client_push(client, live_frame_new_mark(STR("")));
    }
    client_end(client, CLOSE_RESET);
}

void join_page(struct live_client *client, struct live_page *page, bool from_ring)
{
    client->is_pulled = false;
    if (client->state != CLIENT_PULLING) {
        return;
    }
    client_touch(client);
    if (page->failure != ERR_OK) {
        fail(client, page->failure);
        return;
    }
    if (page->ended) {
        client_end(client, CLOSE_SIGNED_OUT);
        return;
    }
    bool has_frames = page->count > 0;
    send_frames(client, page);
    if (page->reset) {
        send_reset(client);
        return;
    }
    client->catchup->from = page->next;
    client->catchup->no_ring = false;
    if (!page->more && page->joinable) {
        join_if_same_life(client, page, from_ring);
    }
    if (has_frames && client->state == CLIENT_PULLING) {
        send_cursor(client);
    }
}

void join_suspect(struct live_client *client)
{
    if (client->state == CLIENT_LIVE) {
        join_again(client);
    }
    if (client->state == CLIENT_PULLING) {
        client->catchup->is_suspect = true; /* a page that is being read may be from before */
        client_touch(client);
    }
}

void join_again(struct live_client *client)
{
    const struct cursor from = client_cursor(client);
    join_from(client, &from);
}

void join_from(struct live_client *client, const struct cursor *from)
{
    client->at = from->at;
    join_begin(client, from);
    client->catchup->no_ring = true;
    client_touch(client);
}
