#include "serve/throttle.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/random.h"

enum { SLOTS = 1 << 15, PROBES = 8, SEED_SIZE = 16 };

struct slot {
    uint64_t key; /* 0: free */
    int64_t ends_us;
    int64_t count;
};

struct throttle {
    pthread_mutex_t lock;    /* guards the slots */
    uint8_t seed[SEED_SIZE]; /* so that nobody can name what shares a slot with another */
    struct slot *slots;
};

struct throttle *throttle_new(void)
{
    struct throttle *throttle = mem_alloc_zero(sizeof(*throttle));
    pthread_mutex_init(&throttle->lock, NULL);
    random_bytes(throttle->seed, sizeof(throttle->seed));
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
    *best = (struct slot){.key = key};
    return best;
}

static bool count(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                  int64_t add, int64_t *wait_s)
{
    if (rate.requests <= 0) {
        return true;
    }
    int64_t now_us = clock_steady_us();
    uint64_t key = key_of(throttle, scope, who);
    pthread_mutex_lock(&throttle->lock);
    struct slot *slot = find(throttle, key, now_us);
    if (slot->ends_us <= now_us) {
        slot->count = 0;
        slot->ends_us = now_us + rate.per_seconds * US_PER_SECOND;
    }
    bool fits = slot->count < rate.requests;
    slot->count += fits ? add : 0;
    *wait_s = (slot->ends_us - now_us + US_PER_SECOND - 1) / US_PER_SECOND;
    pthread_mutex_unlock(&throttle->lock);
    return fits;
}

bool throttle_take(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s)
{
    return count(throttle, rate, scope, who, 1, wait_s);
}

bool throttle_peek(struct throttle *throttle, struct rate rate, const char *scope, struct str who,
                   int64_t *wait_s)
{
    return count(throttle, rate, scope, who, 0, wait_s);
}
