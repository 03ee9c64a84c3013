#include "live/bus.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "live/peers.h"
#include "live/redis_link.h"

enum {
    TICK_MS = 100,    /* counts are told so often, silence is looked for */
    PAUSE_MS = 1000,  /* between two lists of all users, between two questions */
    TYPING_MAX = 256, /* that wait */
    CHANGES_MAX = 8192,
    COUNTS_MAX = 512, /* in one message */
    CHANNEL_BYTES = 16,
    CHANNEL_MAX = 64
};

/* Presence to be told, in order; the list of all users is in it between BUS_BEGIN and BUS_END. */
struct changes {
    struct bus_record *records; /* malloc'd */
    size_t first;
    size_t count; /* with those before `first` */
    size_t size;
    size_t count_max;
};

struct bus {
    struct bus_options options;
    struct hub *hub;
    struct arena arena; /* of the URL */
    struct redis_url url;
    char channel[CHANNEL_MAX];
    uint64_t node;
    pthread_t thread;
    bool has_run;

    pthread_mutex_t lock; /* guards the fields up to the next blank line */
    bool is_up;
    bool is_stopping;
    bool is_closed; /* `wake` must not be used any more */
    bool is_poked;
    struct bus_record typing[TYPING_MAX];
    size_t typing_count;
    struct changes changes;
    uv_async_t wake;

    uv_loop_t loop;
    uv_timer_t ticker;
    struct redis_link *link;
    struct peers *peers;
    uint64_t number;   /* of the last message */
    int64_t said_ms;   /* steady clock, of the last message */
    int64_t listed_ms; /* of the last list of all users */
    int64_t asked_ms;  /* of the last question */
    bool is_list_due;  /* the others are to be told all users; bus_here() sets it under the lock */
    bool is_asking_due;
    atomic_int_fast64_t breaks;
    atomic_int_fast64_t sent;
    atomic_int_fast64_t received;
    atomic_int_fast64_t bad;
    atomic_int_fast64_t dropped;
    atomic_int_fast64_t nodes;
};

static int64_t now_ms(void)
{
    return clock_steady_us() / 1000;
}

/* --- what waits to be told ------------------------------------------------------------------- */

/* The lock is held. */
static void wake(struct bus *bus)
{
    if (bus->has_run && !bus->is_closed) {
        (void)uv_async_send(&bus->wake);
    }
}

void bus_poke(struct bus *bus)
{
    if (bus == NULL) {
        return;
    }
    pthread_mutex_lock(&bus->lock);
    if (!bus->is_poked) {
        bus->is_poked = true;
        wake(bus);
    }
    pthread_mutex_unlock(&bus->lock);
}

/* Of more than fit the oldest go. */
void bus_type(struct bus *bus, struct uuid conversation_id, struct uuid user_id)
{
    if (bus == NULL) {
        return;
    }
    pthread_mutex_lock(&bus->lock);
    if (bus->is_up) {
        if (bus->typing_count == TYPING_MAX) {
            bus->typing_count--;
            memmove(bus->typing, bus->typing + 1, bus->typing_count * sizeof(bus->typing[0]));
            atomic_fetch_add(&bus->dropped, 1);
        }
        bus->typing[bus->typing_count++] = (struct bus_record){
            .kind = BUS_TYPING, .conversation_id = conversation_id, .user_id = user_id};
        wake(bus);
    }
    pthread_mutex_unlock(&bus->lock);
}

static void changes_clear(struct changes *changes)
{
    changes->first = changes->count = 0;
}

static void changes_add(struct changes *changes, struct bus_record record)
{
    if (changes->count == changes->size) {
        changes->size = changes->size > 0 ? 2 * changes->size : 64;
        changes->records =
            mem_realloc(changes->records, changes->size * sizeof(changes->records[0]));
    }
    changes->records[changes->count++] = record;
}

/* While Redis is away nothing is kept: when it comes all users are listed. The same if there are more
 * changes than may wait. */
void bus_here(struct bus *bus, struct uuid user_id, bool is_here, int64_t at_us)
{
    if (bus == NULL) {
        return;
    }
    pthread_mutex_lock(&bus->lock);
    if (bus->is_up && bus->changes.count >= bus->changes.count_max) {
        atomic_fetch_add(&bus->dropped, (int64_t)(bus->changes.count - bus->changes.first));
        changes_clear(&bus->changes);
        bus->is_list_due = true;
    }
    if (bus->is_up) {
        changes_add(&bus->changes, (struct bus_record){.kind = is_here ? BUS_HERE : BUS_GONE,
                                                       .user_id = user_id,
                                                       .at_us = is_here ? 0 : at_us});
        wake(bus);
    }
    pthread_mutex_unlock(&bus->lock);
}

/* In place of the changes that waited, which are in it. The lock is held, so that what changes from now
 * on comes behind it. */
static void list_users(struct bus *bus)
{
    struct uuid *ids = NULL;
    size_t count = hub_list_here(bus->hub, &ids);
    changes_clear(&bus->changes);
    bus->changes.count_max = count + CHANGES_MAX;
    changes_add(&bus->changes, (struct bus_record){.kind = BUS_BEGIN});
    for (size_t i = 0; i < count; i++) {
        changes_add(&bus->changes, (struct bus_record){.kind = BUS_HERE, .user_id = ids[i]});
    }
    changes_add(&bus->changes, (struct bus_record){.kind = BUS_END});
    free(ids);
    bus->is_list_due = false;
    bus->listed_ms = now_ms();
}

/* --- saying ---------------------------------------------------------------------------------- */

static bool has_room(const struct buf *out)
{
    return out->n + BUS_RECORD_MAX <= BUS_MESSAGE_MAX;
}

static void add_question(struct bus *bus, struct buf *out)
{
    if (bus->is_asking_due && now_ms() - bus->asked_ms >= PAUSE_MS) {
        bus_wire_add(out, &(struct bus_record){.kind = BUS_ASK});
        bus->is_asking_due = false;
        bus->asked_ms = now_ms();
    }
}

/* The lock is held. */
static void add_what_waits(struct bus *bus, struct buf *out)
{
    struct changes *changes = &bus->changes;
    if (bus->is_poked) {
        bus_wire_add(out, &(struct bus_record){.kind = BUS_POKE});
        bus->is_poked = false;
    }
    for (size_t i = 0; i < bus->typing_count; i++) {
        bus_wire_add(out, &bus->typing[i]);
    }
    bus->typing_count = 0;
    if (bus->is_list_due && now_ms() - bus->listed_ms >= PAUSE_MS) {
        list_users(bus);
    }
    while (changes->first < changes->count && has_room(out)) {
        bus_wire_add(out, &changes->records[changes->first++]);
    }
    if (changes->first == changes->count) {
        changes_clear(changes);
    }
}

static void add_counts(struct bus *bus, struct buf *out)
{
    struct bus_count counts[COUNTS_MAX];
    size_t room = (BUS_MESSAGE_MAX - out->n) / BUS_RECORD_MAX;
    size_t count =
        bus->options.counts(counts, room < COUNTS_MAX ? room : COUNTS_MAX, bus->options.context);
    for (size_t i = 0; i < count; i++) {
        bus_wire_add(out, &(struct bus_record){.kind = BUS_COUNT, .count = counts[i]});
    }
}

/* Says what there is to say, if the message before has been taken. */
static void say(struct bus *bus, bool with_counts)
{
    struct buf out;
    if (!redis_link_is_free(bus->link)) {
        return;
    }
    buf_init(&out, BUS_MESSAGE_MAX);
    bus_wire_head(&out, &(struct bus_head){bus->node, bus->number + 1});
    size_t empty = out.n;
    add_question(bus, &out);
    pthread_mutex_lock(&bus->lock);
    add_what_waits(bus, &out);
    pthread_mutex_unlock(&bus->lock);
    if (with_counts) {
        add_counts(bus, &out);
    }
    if (out.n > empty || now_ms() - bus->said_ms >= BUS_BEAT_MS) {
        bus->number++;
        bus->said_ms = now_ms();
        atomic_fetch_add(&bus->sent, 1);
        redis_link_say(bus->link, buf_view(&out));
    }
    buf_fini(&out);
}

/* --- hearing --------------------------------------------------------------------------------- */

static void hear(struct bus *bus, const struct bus_record *record)
{
    const struct bus_options *options = &bus->options;
    switch (record->kind) {
    case BUS_TYPING:
        options->typed(record->conversation_id, record->user_id, options->context);
        break;
    case BUS_COUNT: options->counted(&record->count, options->context); break;
    case BUS_POKE: options->poked(options->context); break;
    case BUS_ASK:
        pthread_mutex_lock(&bus->lock);
        bus->is_list_due = true;
        pthread_mutex_unlock(&bus->lock);
        break;
    case BUS_BEGIN:
    case BUS_END:
    case BUS_HERE:
    case BUS_GONE: break; /* peers.c has them */
    }
}

static void on_message(struct str text, void *context)
{
    struct bus *bus = context;
    struct bus_head head;
    struct bus_record record;
    struct str rest;
    if (!bus_wire_open(text, &head, &rest)) {
        atomic_fetch_add(&bus->bad, 1);
        return;
    }
    if (head.node == bus->node) {
        return;
    }
    atomic_fetch_add(&bus->received, 1);
    bus->is_asking_due = peers_hear(bus->peers, &head, rest) || bus->is_asking_due;
    while (bus_wire_next(&rest, &record)) {
        hear(bus, &record);
    }
    atomic_store(&bus->nodes, (int64_t)peers_count(bus->peers));
}

static void on_come(struct uuid user_id, void *context)
{
    struct bus *bus = context;
    hub_note_elsewhere(bus->hub, user_id, true, 0);
}

static void on_gone(struct uuid user_id, int64_t at_us, void *context)
{
    struct bus *bus = context;
    hub_note_elsewhere(bus->hub, user_id, false, at_us);
}

/* Who cannot hear anybody does not know whether a node has gone. */
static void on_lost(const struct uuid *user_ids, size_t count, int64_t at_us, void *context)
{
    struct bus *bus = context;
    log_warning("bus: a node is not heard any more users=%zu", count);
    for (size_t i = 0; i < count; i++) {
        hub_note_elsewhere(bus->hub, user_ids[i], false, at_us);
    }
    if (bus->is_up && peers_is_first(bus->peers)) {
        bus->options.lost(user_ids, count, at_us, bus->options.context);
    }
}

/* --- the link -------------------------------------------------------------------------------- */

static void set_up(struct bus *bus, bool is_up)
{
    pthread_mutex_lock(&bus->lock);
    bus->is_up = is_up;
    bus->is_list_due = true;
    bus->listed_ms = 0; /* it is told at once */
    bus->typing_count = 0;
    changes_clear(&bus->changes);
    pthread_mutex_unlock(&bus->lock);
}

static void on_up(void *context)
{
    struct bus *bus = context;
    log_info("bus: connected node=%016llx", (unsigned long long)bus->node);
    set_up(bus, true);
    peers_excuse(bus->peers);
    bus->is_asking_due = true;
    bus->asked_ms = 0;
    bus->options.poked(bus->options.context); /* what was said meanwhile was not heard */
    say(bus, true);
}

static void on_down(const char *problem, void *context)
{
    struct bus *bus = context;
    log_warning("bus: Redis is away, it will be tried again problem=%s", problem);
    atomic_fetch_add(&bus->breaks, 1);
    set_up(bus, false);
}

static void on_said(void *context)
{
    say(context, false);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void close_all(struct bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    bus->is_closed = true;
    pthread_mutex_unlock(&bus->lock);
    redis_link_stop(bus->link);
    uv_close((uv_handle_t *)&bus->wake, NULL);
    uv_close((uv_handle_t *)&bus->ticker, NULL);
}

static void on_wake(uv_async_t *async)
{
    struct bus *bus = async->data;
    pthread_mutex_lock(&bus->lock);
    bool is_over = bus->is_stopping && !bus->is_closed;
    pthread_mutex_unlock(&bus->lock);
    if (is_over) {
        close_all(bus);
    } else {
        say(bus, false);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct bus *bus = timer->data;
    peers_expire(bus->peers, BUS_SILENCE_MS);
    atomic_store(&bus->nodes, (int64_t)peers_count(bus->peers));
    say(bus, true);
}

static void *bus_main(void *context)
{
    struct bus *bus = context;
    redis_link_start(bus->link);
    uv_run(&bus->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void must(int code)
{
    if (code != 0) {
        log_error("bus: no loop or thread: %s", uv_strerror(code));
        abort();
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void name_channel(struct bus *bus)
{
    uint8_t digest[SHA256_SIZE];
    struct str purpose = arena_printf(&bus->arena, "bus %lld", (long long)bus->url.db);
    hmac_sha256(bus->options.secret_key, purpose, digest);
    struct str name =
        base64url_encode(&bus->arena, (struct str){(const char *)digest, CHANNEL_BYTES});
    (void)snprintf(bus->channel, sizeof(bus->channel), "confab:%.*s", STR_ARG(name));
}

struct bus *bus_new(const struct bus_options *options)
{
    struct bus *bus = mem_alloc_zero(sizeof(*bus));
    bus->options = *options;
    arena_init(&bus->arena);
    pthread_mutex_init(&bus->lock, NULL);
    random_bytes(&bus->node, sizeof(bus->node));
    if (!redis_url_parse(&bus->arena, str_of(options->url), &bus->url)) {
        bus_free(bus);
        return NULL;
    }
    name_channel(bus);
    return bus;
}

void bus_start(struct bus *bus, struct hub *hub)
{
    if (bus == NULL) {
        return;
    }
    const struct redis_link_options link = {.url = &bus->url,
                                            .channel = bus->channel,
                                            .up = on_up,
                                            .down = on_down,
                                            .message = on_message,
                                            .said = on_said,
                                            .context = bus};
    const struct peers_options peers = {
        .self = bus->node, .come = on_come, .gone = on_gone, .lost = on_lost, .context = bus};
    bus->hub = hub;
    bus->peers = peers_new(&peers);
    must(uv_loop_init(&bus->loop));
    must(uv_async_init(&bus->loop, &bus->wake, on_wake));
    must(uv_timer_init(&bus->loop, &bus->ticker));
    must(uv_timer_start(&bus->ticker, on_tick, TICK_MS, TICK_MS));
    bus->wake.data = bus->ticker.data = bus;
    bus->link = redis_link_new(&bus->loop, &link);
    pthread_mutex_lock(&bus->lock);
    bus->has_run = true;
    pthread_mutex_unlock(&bus->lock);
    must(-pthread_create(&bus->thread, NULL, bus_main, bus));
}

void bus_stop(struct bus *bus)
{
    if (bus == NULL || !bus->has_run || bus->is_closed) {
        return;
    }
    pthread_mutex_lock(&bus->lock);
    bus->is_stopping = true;
    wake(bus);
    pthread_mutex_unlock(&bus->lock);
    pthread_join(bus->thread, NULL);
    must(uv_loop_close(&bus->loop));
}

void bus_free(struct bus *bus)
{
    if (bus == NULL) {
        return;
    }
    bus_stop(bus);
    redis_link_free(bus->link);
    peers_free(bus->peers);
    free(bus->changes.records);
    pthread_mutex_destroy(&bus->lock);
    arena_fini(&bus->arena);
    free(bus);
}

void bus_stats_get(struct bus *bus, struct bus_stats *out)
{
    *out = (struct bus_stats){0};
    if (bus == NULL) {
        return;
    }
    pthread_mutex_lock(&bus->lock);
    out->is_up = bus->is_up;
    pthread_mutex_unlock(&bus->lock);
    out->breaks = atomic_load(&bus->breaks);
    out->sent = atomic_load(&bus->sent);
    out->received = atomic_load(&bus->received);
    out->bad = atomic_load(&bus->bad);
    out->dropped = atomic_load(&bus->dropped);
    out->nodes = atomic_load(&bus->nodes);
}
