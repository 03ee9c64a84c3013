#include "serve/touch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "chat/session.h"
#include "serve/app.h"
#include "store/change.h"

enum { TOUCH_INTERVAL_S = 60 };

struct touch {
    struct work work;
    struct arena arena;
    const struct chat_limits *limits;
    struct uuid session_id;
    struct uuid user_id;
};

static enum err touch_run(struct work *work, struct db *db)
{
    struct touch *touch = (struct touch *)work;
    struct call call = {
        .db = db, .arena = &touch->arena, .now_us = clock_now_us(), .limits = touch->limits};
    return chat_session_touch(&call, touch->session_id, touch->user_id);
}

static void touch_done(struct work *work, enum err e, bool batch_failed)
{
    struct touch *touch = (struct touch *)work;
    (void)e;
    (void)batch_failed;
    arena_fini(&touch->arena);
    free(touch);
}

void touch_session(struct req *r)
{
    bool due = r->call.me != NULL && !uuid_is_zero(r->session.id) &&
               r->call.now_us - r->session.last_used_at > TOUCH_INTERVAL_S * US_PER_SECOND;
    if (!due) {
        return;
    }
    struct touch *touch = mem_alloc_zero(sizeof(*touch));
    touch->work.run = touch_run;
    touch->work.done = touch_done;
    touch->work.shard = store_shard_among(r->user.id, exec_shards(r->app->exec));
    touch->limits = &r->app->limits;
    touch->session_id = r->session.id;
    touch->user_id = r->user.id;
    arena_init(&touch->arena);
    if (!exec_write(r->app->exec, &touch->work)) {
        touch_done(&touch->work, ERR_BUSY, true);
    }
}
