/* Messages of other nodes, one a line with its length in front: what is taken has one form, and whatever
 * they say as many users go as have come. */
#include <stdlib.h>

#include "base/arena.h"
#include "live/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void on_come(struct uuid user_id, void *context)
{
    (void)user_id;
    ++*(int64_t *)context;
}

static void on_gone(struct uuid user_id, int64_t at_us, void *context)
{
    (void)user_id;
    must(at_us >= 0 && --*(int64_t *)context >= 0);
}

static void on_lost(const struct uuid *user_ids, size_t count, int64_t at_us, void *context)
{
    (void)user_ids;
    must(at_us >= 0);
    *(int64_t *)context -= (int64_t)count;
}

static void hear(struct peers *peers, struct str message)
{
    struct bus_head head;
    struct bus_record record;
    struct str rest;
    struct buf again;
    if (!bus_wire_open(message, &head, &rest)) {
        return;
    }
    (void)!peers_hear(peers, &head, rest);
    buf_init(&again, BUS_MESSAGE_MAX);
    bus_wire_head(&again, &head);
    while (bus_wire_next(&rest, &record)) {
        bus_wire_add(&again, &record);
    }
    must(rest.n == 0 && str_eq(buf_view(&again), message));
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t users = 0;
    struct str rest = {(const char *)data, size};
    struct peers *peers = peers_new(&(struct peers_options){
        .self = 1, .come = on_come, .gone = on_gone, .lost = on_lost, .context = &users});
    while (rest.n > 0) {
        size_t n = (uint8_t)rest.p[0] < rest.n ? (uint8_t)rest.p[0] : rest.n - 1;
        hear(peers, (struct str){rest.p + 1, n});
        rest = (struct str){rest.p + 1 + n, rest.n - 1 - n};
    }
    peers_expire(peers, 0);
    must(users == 0 && peers_count(peers) == 0);
    peers_free(peers);
    return 0;
}
