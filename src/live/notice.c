#include "live/notice.h"

#include "crypto/random.h"

enum { RETRY_MS_MAX = 5000 };

struct live_frame *notice_cursor(const char *type, const struct cursor *cursor, int shards)
{
    struct arena a;
    arena_init(&a);
    struct str text = cursor_format(&a, cursor, shards); /* base64url: nothing to escape */
    struct live_frame *frame = live_frame_new(
        arena_printf(&a, "{\"type\":\"%s\",\"cursor\":\"%.*s\"}", type, STR_ARG(text)));
    arena_fini(&a);
    return frame;
}

/* Not all at once: everybody gets another time. */
struct live_frame *notice_drain(void)
{
    struct arena a;
    uint32_t number = 0;
    random_bytes(&number, sizeof(number));
    arena_init(&a);
    struct live_frame *frame = live_frame_new(
        arena_printf(&a, "{\"type\":\"drain\",\"retry_ms\":%u}", number % (RETRY_MS_MAX + 1)));
    arena_fini(&a);
    return frame;
}

struct live_frame *notice_mark(const struct cursor *cursor, int shards)
{
    struct arena a;
    arena_init(&a);
    struct live_frame *frame = live_frame_new_mark(cursor_format(&a, cursor, shards));
    arena_fini(&a);
    return frame;
}
