#include "serve/throttle.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/hash.h"

enum { SLOTS = 1 << 15, PROBES = 8, UNTOLD_MAX = 1024, TOLD_FROM = 16 };

struct slot {
    uint64_t key; /* 0: free */
    int64_t ends_us;
    int64_t count;
    uint32_t untold; /* of them, counted here and not known to other nodes */
    bool is_listed;  /* is in throttle.untold */
};

struct throttle {
    pthread_mutex_t lock; /* guards the slots and what is to be told of them */
    uint8_t seed[SHA256_SIZE];
    struct slot *slots;
    uint32_t untold[UNTOLD_MAX]; /* their places; a full list waits, the slots go on counting */
    size_t untold_count;
};

struct throttle *throttle_new(struct str secret)
{
    struct throttle *throttle = mem_alloc_zero(sizeof(*throttle));
    pthread_mutex_init(&throttle->lock, NULL);
    hmac_sha256(secret, STR("throttle"), throttle->seed);
    throttle->slots = mem_alloc_zero(SLOTS * sizeof(struct slot));
    return throttle;
}

void throttle_free(struct throttle *throttle)
{
    if (throttle != NULL) {
        pthread_mutex_destroy(&throttle->lock);
        free(throttle->slots);
        free(throttle);
    }
}

/* Whoever logs in chooses `who`: the hash must be one for which nobody finds a second name. */
static uint64_t key_of(const struct throttle *throttle, const char *scope, struct str who)
{
    uint8_t bytes[SHA256_SIZE];
    struct digest d;
    uint64_t key;
    digest_init(&d);
    digest_add(&d, str_of_bytes(throttle->seed, sizeof(throttle->seed)));
    digest_add(&d, str_of(scope));
    digest_add(&d, who);
    digest_end(&d, bytes);
    memcpy(&key, bytes, sizeof(key));
    return key == 0 ? 1 : key;
}

/* The slot of the key; else a free, an ended or the one that ends first. The lock is held. */
static struct slot *find(struct throttle *throttle, uint64_t key, int64_t now_us)
{
    struct slot *best = NULL;
    for (uint64_t i = 0; i < PROBES; i++) {
        struct slot *slot = &throttle->slots[(key + i) % SLOTS];
        if (slot->key == key) {
            return slot;
        }
        if (slot->key == 0 || slot->ends_us <= now_us) {
            slot->ends_us = 0;
        }
        if (best == NULL || slot->ends_us < best->ends_us) {
            best = slot;
        }
    }
    *best = (struct slot){.key = key, .is_listed = best->is_listed};
    return best;
}

/* The slot, with a new window if its own is over. The lock is held. */
static struct slot *open_window(struct throttle *throttle, uint64_t key, int64_t now_us,
                                int64_t length_us)
{
    struct slot *slot = find(throttle, key, now_us);
    if (slot->ends_us <= now_us) {
        slot->count = 0;
        slot->untold = 0;
        slot->ends_us = now_us + length_us;
    }
    return slot;
}

/* One more has been counted here. The lock is held. */
static void note_untold(struct throttle *throttle, struct slot *slot, struct rate rate)
{
    slot->untold++;
    bool is_due = slot->count * TOLD_FROM >= rate.requests;
    if (is_due && !slot->is_listed && throttle->untold_count < UNTOLD_MAX) {
        slot->is_listed = true;
        throttle->untold[throttle->untold_count++] = (uint32_t)(slot - throttle->slots);
    }
}

static bool count(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                  bool does_count, int64_t *wait_s)
{
    if (rate.requests <= 0) {
        return true;
    }
    int64_t now_us = clock_steady_us();
    uint64_t key = key_of(throttle, scope, who);
    pthread_mutex_lock(&throttle->lock);
    struct slot *slot = open_window(throttle, key, now_us, rate.per_seconds * US_PER_SECOND);
    bool fits = slot->count < rate.requests;
    if (fits && does_count) {
        slot->count++;
        note_untold(throttle, slot, rate);
    }
    *wait_s = (slot->ends_us - now_us + US_PER_SECOND - 1) / US_PER_SECOND;
    pthread_mutex_unlock(&throttle->lock);
    return fits;
}

bool throttle_take(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s)
{
    return count(throttle, rate, scope, who, true, wait_s);
}

bool throttle_peek(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s)
{
    return count(throttle, rate, scope, who, false, wait_s);
}

size_t throttle_tell(struct throttle *throttle, struct bus_count *out, size_t max)
{
    int64_t now_us = clock_steady_us();
    size_t count = 0;
    pthread_mutex_lock(&throttle->lock);
    while (throttle->untold_count > 0 && count < max) {
        struct slot *slot = &throttle->slots[throttle->untold[--throttle->untold_count]];
        int64_t left_us = slot->ends_us - now_us;
        slot->is_listed = false;
        if (slot->untold > 0 && left_us >= 1000) {
            out[count++] = (struct bus_count){slot->key, slot->untold, (uint32_t)(left_us / 1000)};
        }
        slot->untold = 0;
    }
    pthread_mutex_unlock(&throttle->lock);
    return count;
}

/* Where nobody has asked yet, the window is the other node's. */
void throttle_hear(struct throttle *throttle, const struct bus_count *count)
{
    int64_t now_us = clock_steady_us();
    pthread_mutex_lock(&throttle->lock);
    struct slot *slot = open_window(throttle, count->key, now_us, (int64_t)count->left_ms * 1000);
    slot->count += count->n;
    pthread_mutex_unlock(&throttle->lock);
}
