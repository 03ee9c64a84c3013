#include "live/loop.h"

#include <stdlib.h>

#include "base/log.h"
#include "live/hub_private.h"

enum { TICK_MS = 1000, OUTPUT_MAX = 16 * 1024 * 1024 };

static void settle_touched(struct loop *loop)
{
    loop->is_full = false;
    while (loop->touched != NULL) {
        struct live_client *client = loop->touched;
        loop->touched = client->next_touched;
        client->is_touched = false;
        client_settle(client);
        client_unref(client);
    }
}

/* --- mail ------------------------------------------------------------------------------------ */

static void put_mail(struct loop *loop, const struct mail *mail)
{
    struct mail *copy = mem_alloc(sizeof(*copy));
    *copy = *mail;
    copy->next = NULL;
    *loop->last_mail = copy;
    loop->last_mail = &copy->next;
    if (!loop->is_closed) {
        uv_async_send(&loop->wake);
    }
}

void loop_post(struct loop *loop, struct mail mail)
{
    pthread_mutex_lock(&loop->lock);
    put_mail(loop, &mail);
    pthread_mutex_unlock(&loop->lock);
}

void loop_post_client(struct live_client *client, struct live_frame *hello)
{
    struct loop *loop = client->loop;
    struct mail mail = {.kind = MAIL_CLIENT, .client = client, .frame = hello};
    pthread_mutex_lock(&loop->lock);
    bool is_open = !loop->is_closed;
    if (is_open) {
        put_mail(loop, &mail);
    }
    pthread_mutex_unlock(&loop->lock);
    if (!is_open) {
        live_frame_unref(hello);
        client->transport->drop(client);
    }
}

static struct mail *take_mails(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct mail *mails = loop->mails;
    loop->mails = NULL;
    loop->last_mail = &loop->mails;
    pthread_mutex_unlock(&loop->lock);
    return mails;
}

static void quiesce(struct loop *loop)
{
    struct hub *hub = loop->hub;
    loop->is_quiet = true;
    for (struct live_client *client = loop->clients; client != NULL; client = client->next) {
        client_touch(client); /* it is not to be read from any more */
    }
    settle_touched(loop);
    pthread_mutex_lock(&hub->lock);
    hub->quiet_loops++;
    pthread_cond_broadcast(&hub->quiet);
    pthread_mutex_unlock(&hub->lock);
}

static void on_stopper(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    while (loop->clients != NULL) {
        loop->clients->transport->drop(loop->clients);
    }
    loop_settle(loop);
}

static void stop(struct loop *loop, int64_t timeout_ms)
{
    loop->is_quiet = true;
    loop->is_stopping = true;
    uv_timer_start(&loop->stopper, on_stopper, (uint64_t)timeout_ms, 0);
    for (struct live_client *client = loop->clients; client != NULL;) {
        struct live_client *next = client->next;
        client_drain(client);
        client = next;
    }
}

static void open_pull(struct live_pull *pull)
{
    struct live_client *client = pull->client;
    join_page(client, &pull->page, pull->from_ring);
    live_page_fini(&pull->page);
    free(pull);
    client_unref(client);
}

static void tell(struct live_client *client, struct live_frame *frame)
{
    if (client->state < CLIENT_ENDING) {
        client_push(client, frame);
    } else {
        live_frame_unref(frame);
    }
}

static void take_batch(struct loop *loop, struct live_batch *batch)
{
    fanout_batch(loop, batch);
    ring_add(&loop->ring, batch);
    live_batch_unref(batch);
}

static void open_mail(struct loop *loop, const struct mail *mail)
{
    switch (mail->kind) {
    case MAIL_BATCH: take_batch(loop, mail->batch); break;
    case MAIL_WHISPER:
        fanout_whisper(loop, mail->batch);
        live_batch_unref(mail->batch);
        break;
    case MAIL_CLIENT: client_start(mail->client, mail->frame); break;
    case MAIL_PULLED: open_pull(mail->pull); break;
    case MAIL_ANSWER:
        client_answered(mail->client, mail->frame);
        client_unref(mail->client);
        break;
    case MAIL_TELL: tell(mail->client, mail->frame); break;
    case MAIL_DRAINED: client_touch(mail->client); break;
    case MAIL_CLOSED: sse_closed(mail->client); break;
    case MAIL_NEWS: registry_tell(&loop->hub->registry); break;
    case MAIL_QUIESCE: quiesce(loop); break;
    case MAIL_STOP: stop(loop, mail->timeout_ms); break;
    }
}

/* What nobody is left to read. */
static void drop_mail(const struct mail *mail)
{
    switch (mail->kind) {
    case MAIL_BATCH:
    case MAIL_WHISPER: live_batch_unref(mail->batch); break;
    case MAIL_CLIENT:
        live_frame_unref(mail->frame);
        mail->client->transport->drop(mail->client);
        break;
    case MAIL_PULLED: open_pull(mail->pull); break;
    case MAIL_ANSWER:
        live_frame_unref(mail->frame);
        client_unref(mail->client);
        break;
    case MAIL_TELL: live_frame_unref(mail->frame); break;
    case MAIL_CLOSED: sse_closed(mail->client); break;
    case MAIL_DRAINED:
    case MAIL_NEWS:
    case MAIL_QUIESCE:
    case MAIL_STOP: break;
    }
}

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    struct mail *mails = take_mails(loop);
    while (mails != NULL) {
        struct mail *mail = mails;
        mails = mail->next;
        open_mail(loop, mail);
        free(mail);
        if (loop->is_full) {
            settle_touched(loop);
        }
    }
    loop_settle(loop);
}

/* --- time ------------------------------------------------------------------------------------ */

int64_t loop_now_ms(const struct loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    for (struct live_client *client = loop->clients; client != NULL;) {
        struct live_client *next = client->next;
        client_tick(client);
        client = next;
    }
    if (loop == &loop->hub->loops[0] && !loop->is_stopping) {
        registry_tell(&loop->hub->registry);
    }
    loop_settle(loop);
}

/* --- life ------------------------------------------------------------------------------------ */

/* The last callbacks, and uv_run returns. */
static void close_handles(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->is_closed = true;
    pthread_mutex_unlock(&loop->lock);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->ticker, NULL);
    uv_close((uv_handle_t *)&loop->stopper, NULL);
}

void loop_settle(struct loop *loop)
{
    settle_touched(loop);
    if (loop->is_stopping && loop->clients == NULL && !loop->is_closed) {
        close_handles(loop);
    }
}

static void must(int code)
{
    if (code != 0) {
        log_error("libuv: %s", uv_strerror(code));
        abort();
    }
}

void loop_init(struct loop *loop, struct hub *hub)
{
    loop->hub = hub;
    pthread_mutex_init(&loop->lock, NULL);
    loop->last_mail = &loop->mails;
    must(uv_loop_init(&loop->uv));
    must(uv_async_init(&loop->uv, &loop->wake, on_wake));
    must(uv_timer_init(&loop->uv, &loop->ticker));
    must(uv_timer_init(&loop->uv, &loop->stopper));
    loop->wake.data = loop->ticker.data = loop->stopper.data = loop;
    index_init(&loop->conversations);
    index_init(&loop->users);
    index_init(&loop->subscribers);
    ring_init(&loop->ring, (size_t)hub->options.ring_max);
    loop->readers.message_max = (size_t)hub->options.message_max;
    loop->input = mem_alloc(READ_SIZE);
    buf_init(&loop->output, OUTPUT_MAX);
}

static void *loop_main(void *context)
{
    struct loop *loop = context;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

void loop_run(struct loop *loop)
{
    must(uv_timer_start(&loop->ticker, on_tick, TICK_MS, TICK_MS));
    if (pthread_create(&loop->thread, NULL, loop_main, loop) != 0) {
        log_error("no thread for a loop");
        abort();
    }
}

void loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
}

void loop_fini(struct loop *loop)
{
    if (!loop->is_closed) {
        close_handles(loop);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    }
    struct mail *mails = take_mails(loop);
    while (mails != NULL) {
        struct mail *mail = mails;
        mails = mail->next;
        drop_mail(mail);
        free(mail);
    }
    must(uv_loop_close(&loop->uv));
    ring_fini(&loop->ring);
    index_fini(&loop->conversations);
    index_fini(&loop->users);
    index_fini(&loop->subscribers);
    ws_reader_cache_fini(&loop->readers);
    buf_fini(&loop->output);
    free(loop->input);
    pthread_mutex_destroy(&loop->lock);
}
