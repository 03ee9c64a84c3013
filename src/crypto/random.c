#include "crypto/random.h"

#include <limits.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "base/clock.h"
#include "crypto/fatal.h"

enum { UUID_BYTES = 10, POOL_SIZE = 64 * UUID_BYTES };

/* Each thread's bytes for ids to come: asking OpenSSL costs the same for 10 bytes as for 640. */
static _Thread_local struct {
    uint8_t bytes[POOL_SIZE];
    size_t left;
} pool;

static pthread_once_t watched = PTHREAD_ONCE_INIT;

/* Only the thread that forked lives on in the child; it must not hand out its parent's bytes. */
static void drop_pool(void)
{
    pool.left = 0;
}

static void watch_fork(void)
{
    if (pthread_atfork(NULL, NULL, drop_pool) != 0) {
        crypto_fatal("out of memory");
    }
}

void random_bytes(void *out, size_t n)
{
    uint8_t *at = out;
    while (n > 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;
        if (RAND_bytes(at, part) != 1) {
            crypto_fatal("no random bytes");
        }
        at += part;
        n -= (size_t)part;
    }
}

struct uuid random_uuid_v7(void)
{
    if (pool.left == 0) {
        pthread_once(&watched, watch_fork);
        random_bytes(pool.bytes, sizeof(pool.bytes));
        pool.left = sizeof(pool.bytes);
    }
    pool.left -= UUID_BYTES;
    return uuid_v7(clock_now_us() / 1000, pool.bytes + pool.left);
}

struct str random_hex(struct arena *a, size_t bytes)
{
    static const char hex[] = "0123456789abcdef";
    char *text = arena_alloc(a, 2 * bytes + 1);
    /* the bytes stand in the first half; from the end, none is overwritten before it is read */
    random_bytes(text, bytes);
    for (size_t i = bytes; i-- > 0;) {
        uint8_t byte = (uint8_t)text[i];
        text[2 * i] = hex[byte >> 4];
        text[2 * i + 1] = hex[byte & 15];
    }
    return (struct str){text, 2 * bytes};
}
