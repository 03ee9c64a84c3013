/* A step: all that is new in the log, in one snapshot; the present state of each object that it names,
 * once; one batch for the hub. All of it: the state may be younger than the change that names it, and
 * an end of a membership that came in between must be in the same batch. Where the tailer is far
 * behind, changes go without frames, and clients pull.
 *
 * Read positions move often: those that others see are held back until READS_MS after the ones before;
 * the farthest of each reader counts. Until then batches tell clients less (`told`) than they hold, and
 * hold these for who comes meanwhile.
 *
 * Threads: everything but the flags under `lock` belongs to the tailer's thread. */
#include "sync/tailer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/change.h"
#include "store/sync.h"
#include "sync/frames.h"

enum { LOOK_MS = 1000, READS_MS = 1000, FRAMED_MAX = 2000 };

/* A read position that others have not been told yet. */
struct waiting_read {
    struct change change; /* its object is the reader */
    int64_t seq;
};

enum asked { ASKED_NOT, ASKED, ASKED_AND_ANSWERED };

struct tailer {
    struct exec *exec;
    struct hub *hub;
    struct mark *mark;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the fields up to the next blank line */
    pthread_cond_t changed;
    bool poked;
    bool stopping;

    struct uuid incarnation;
    struct uuid published; /* the incarnation of the last batch */
    struct position at;
    bool restarts; /* the next batch does: the database went back */
    struct waiting_read *reads;
    size_t read_count;
    size_t read_cap;
    int64_t reads_due_us; /* steady clock */

    struct work question; /* to a writer: what database is this? */
    atomic_int asked;     /* enum asked */
    atomic_int_fast64_t batches;
    atomic_int_fast64_t changes;
    atomic_int_fast64_t lag;
};

/* What is to be told of a step: a change, or something that follows from one. */
struct task {
    struct change change;
    size_t order; /* place in the log */
};

struct step {
    struct tailer *tailer;
    struct db *db;
    struct arena *arena;
    struct task *tasks;
    size_t task_count;
    size_t waited;    /* the tailer's reads from here on are of this step */
    bool is_answered; /* before this snapshot began */
    bool is_bare;     /* too much to make frames of */
    struct live_event *events;
    size_t event_count;
    size_t event_cap;
};

/* --- what there is to tell ------------------------------------------------------------------- */

static int compare_objects(const struct change *a, const struct change *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    int order = uuid_compare(a->conversation_id, b->conversation_id);
    return order != 0 ? order : uuid_compare(a->object_id, b->object_id);
}

static int by_object(const void *left, const void *right)
{
    const struct task *a = left;
    const struct task *b = right;
    int order = compare_objects(&a->change, &b->change);
    if (order == 0) {
        order = a->order < b->order ? -1 : 1;
    }
    return order;
}

static int by_order(const void *left, const void *right)
{
    const struct task *a = left;
    const struct task *b = right;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Of several changes of one object the last one stays, so that what is left stands in the order of
 * rev within each conversation. */
static void keep_last(struct step *step)
{
    size_t kept = 0;
    qsort(step->tasks, step->task_count, sizeof(step->tasks[0]), by_object);
    for (size_t i = 0; i < step->task_count; i++) {
        bool last = i + 1 == step->task_count ||
                    compare_objects(&step->tasks[i].change, &step->tasks[i + 1].change) != 0;
        if (last) {
            step->tasks[kept++] = step->tasks[i];
        }
    }
    step->task_count = kept;
    qsort(step->tasks, kept, sizeof(step->tasks[0]), by_order);
}

/* A membership's change shows in the conversation too. */
static void plan(struct step *step, const struct change *rows, size_t count)
{
    step->tasks = ARENA_ARRAY(step->arena, struct task, 2 * count + 1);
    for (size_t i = 0; i < count; i++) {
        step->tasks[step->task_count++] = (struct task){rows[i], 2 * i};
        if (rows[i].kind == CHANGE_MEMBERSHIP) {
            struct change change = rows[i];
            change.kind = CHANGE_CONVERSATION;
            change.object_id = (struct uuid){{0}};
            step->tasks[step->task_count++] = (struct task){change, 2 * i + 1};
        } else if (rows[i].kind == CHANGE_CONVERSATION) {
            step->tasks[step->task_count - 1].change.object_id = (struct uuid){{0}};
        }
    }
    keep_last(step);
}

/* --- events ---------------------------------------------------------------------------------- */

static struct live_event *add_event(struct step *step, enum live_event_kind kind,
                                    const struct change *change)
{
    if (step->event_count == step->event_cap) {
        step->event_cap = step->event_cap > 0 ? 2 * step->event_cap : 16;
        step->events = mem_realloc(step->events, step->event_cap * sizeof(struct live_event));
    }
    struct live_event *event = &step->events[step->event_count++];
    *event = (struct live_event){.kind = kind,
                                 .shard = change->shard,
                                 .stamp = change->stamp,
                                 .conversation_id = change->conversation_id};
    return event;
}

static struct live_event *add_conversation_event(struct step *step, const struct change *change,
                                                 struct live_frame *frame)
{
    struct live_event *event = add_event(step, LIVE_CONVERSATION, change);
    event->frame = frame;
    return event;
}

static void add_user_event(struct step *step, enum live_event_kind kind,
                           const struct change *change, struct uuid user_id,
                           struct live_frame *frame)
{
    struct live_event *event = add_event(step, kind, change);
    event->user_id = user_id;
    event->frame = frame;
}

static enum err tell_message(struct step *step, const struct change *change)
{
    struct message message;
    bool found = false;
    if (step->is_bare || !hub_listens(step->tailer->hub, change->conversation_id)) {
        add_conversation_event(step, change, NULL);
        return ERR_OK;
    }
    enum err e = store_sync_message(step->db, step->arena, change->object_id, &message, &found);
    if (e == ERR_OK && found) {
        add_conversation_event(step, change, frame_message(&message));
    }
    return e;
}

static enum err tell_conversation(struct step *step, const struct change *change)
{
    struct uuid id = change->conversation_id;
    struct conversation conversation;
    struct member *members = NULL;
    size_t count = 0;
    bool found = false;
    if (step->is_bare || !hub_listens(step->tailer->hub, id)) {
        add_conversation_event(step, change, NULL);
        return ERR_OK;
    }
    enum err e = store_sync_conversation(step->db, step->arena, id, &conversation, &found);
    if (e != ERR_OK || !found || conversation.deleted_at != 0) {
        return e;
    }
    e = store_sync_members(step->db, step->arena, id, FRAME_PARTICIPANTS_MAX, &members, &count);
    if (e == ERR_OK) {
        add_conversation_event(step, change, frame_conversation(&conversation, members, count, 0));
    }
    return e;
}

/* To the member's own devices. */
static void tell_own(struct step *step, const struct change *change, const struct participant *mine)
{
    bool is_here = hub_is_here(step->tailer->hub, mine->user_id);
    add_user_event(step, LIVE_OWN, change, mine->user_id, is_here ? frame_membership(mine) : NULL);
}

static enum err tell_membership(struct step *step, const struct change *change)
{
    struct participant mine;
    bool found = false;
    enum err e =
        store_sync_participant(step->db, change->conversation_id, change->object_id, &mine, &found);
    if (e != ERR_OK || !found) {
        return e;
    }
    if (mine.left_at != 0) {
        bool is_here = hub_is_here(step->tailer->hub, mine.user_id);
        add_user_event(step, LIVE_LEFT, change, mine.user_id,
                       is_here ? frame_gone(mine.conversation_id, mine.rev) : NULL);
    } else if (mine.joined_stamp > step->tailer->at.at[change->shard]) {
        add_user_event(step, LIVE_JOINED, change, mine.user_id, NULL);
    } else {
        tell_own(step, change, &mine);
    }
    return ERR_OK;
}

static enum err tell_mine(struct step *step, const struct change *change)
{
    struct participant mine;
    bool found = false;
    enum err e =
        store_sync_participant(step->db, change->conversation_id, change->object_id, &mine, &found);
    if (e == ERR_OK && found && mine.left_at == 0) {
        tell_own(step, change, &mine);
    }
    return e;
}

static enum err tell_ended(struct step *step, const struct change *change)
{
    struct uuid *users = NULL;
    size_t count = 0;
    enum err e = store_sync_ended(step->db, step->arena, change->conversation_id, change->stamp,
                                  &users, &count);
    if (e != ERR_OK || count == 0) {
        return e;
    }
    struct live_frame *frame = frame_gone(change->conversation_id, change->rev);
    for (size_t i = 0; i < count; i++) {
        add_user_event(step, LIVE_LEFT, change, users[i], live_frame_ref(frame));
    }
    live_frame_unref(frame);
    return ERR_OK;
}

static enum err tell_sessions(struct step *step, const struct change *change)
{
    struct uuid *ids = NULL;
    size_t count = 0;
    if (!hub_is_here(step->tailer->hub, change->object_id)) {
        return ERR_OK;
    }
    enum err e = store_sync_sessions(step->db, step->arena, change->object_id, &ids, &count);
    if (e != ERR_OK) {
        return e;
    }
    struct live_event *event = add_event(step, LIVE_SESSIONS, change);
    event->user_id = change->object_id;
    event->session_count = count;
    event->sessions = mem_alloc(count * sizeof(struct uuid) + 1);
    if (count > 0) {
        memcpy(event->sessions, ids, count * sizeof(struct uuid));
    }
    return ERR_OK;
}

static enum err tell_user(struct step *step, const struct change *change)
{
    struct user user;
    bool found = false;
    enum err e = store_sync_user(step->db, step->arena, change->object_id, &user, &found);
    if (e != ERR_OK || !found) {
        return e;
    }
    add_user_event(step, LIVE_USER, change, user.id, frame_user(&user));
    if (!user.is_active || user.deleted_at != 0) {
        add_event(step, LIVE_SESSIONS, change)->user_id = user.id; /* none of them lives */
    }
    return ERR_OK;
}

/* --- read positions -------------------------------------------------------------------------- */

static void hold_read(struct tailer *tailer, const struct change *change, int64_t seq)
{
    if (tailer->read_count == tailer->read_cap) {
        tailer->read_cap = tailer->read_cap > 0 ? 2 * tailer->read_cap : 16;
        tailer->reads = mem_realloc(tailer->reads, tailer->read_cap * sizeof(tailer->reads[0]));
    }
    tailer->reads[tailer->read_count++] = (struct waiting_read){*change, seq};
}

static enum err tell_read(struct step *step, const struct change *change)
{
    struct participant mine;
    bool found = false;
    enum err e =
        store_sync_participant(step->db, change->conversation_id, change->object_id, &mine, &found);
    if (e != ERR_OK || !found || mine.left_at != 0) {
        return e;
    }
    tell_own(step, change, &mine);
    if (hub_listens(step->tailer->hub, change->conversation_id)) {
        hold_read(step->tailer, change, mine.read_seq);
    } else {
        add_conversation_event(step, change, NULL);
    }
    return ERR_OK;
}

static void put_off_reads(struct tailer *tailer)
{
    tailer->reads_due_us = clock_steady_us() + READS_MS * INT64_C(1000);
}

static bool reads_are_due(const struct tailer *tailer)
{
    return tailer->read_count > 0 && clock_steady_us() >= tailer->reads_due_us;
}

static int by_reader(const void *left, const void *right)
{
    const struct waiting_read *a = left;
    const struct waiting_read *b = right;
    int order = compare_objects(&a->change, &b->change);
    return order != 0 ? order : a->seq < b->seq ? -1 : a->seq > b->seq;
}

static bool same_reader(const struct waiting_read *a, const struct waiting_read *b)
{
    return compare_objects(&a->change, &b->change) == 0;
}

static struct live_event *add_read_event(struct step *step, const struct waiting_read *read)
{
    const struct change *change = &read->change;
    return add_conversation_event(
        step, change, frame_read(change->conversation_id, change->object_id, read->seq));
}

/* Of each reader the farthest. */
static void release_reads(struct step *step)
{
    struct tailer *tailer = step->tailer;
    size_t count = tailer->read_count;
    qsort(tailer->reads, count, sizeof(tailer->reads[0]), by_reader);
    for (size_t i = 0; i < count; i++) {
        const struct waiting_read *read = &tailer->reads[i];
        if (i + 1 == count || !same_reader(read, read + 1)) {
            add_read_event(step, read);
        }
    }
    tailer->read_count = 0;
    put_off_reads(tailer);
}

/* What has come in this step goes on waiting. */
static void keep_reads(struct step *step)
{
    const struct tailer *tailer = step->tailer;
    for (size_t i = step->waited; i < tailer->read_count; i++) {
        add_read_event(step, &tailer->reads[i])->waits = true;
    }
}

/* As far as everything has been told, also what waits. */
static struct position told(const struct tailer *tailer)
{
    struct position at = tailer->at;
    for (size_t i = 0; i < tailer->read_count; i++) {
        const struct change *read = &tailer->reads[i].change;
        if (read->stamp <= at.at[read->shard]) {
            at.at[read->shard] = read->stamp - 1;
        }
    }
    return at;
}

/* --- a step ---------------------------------------------------------------------------------- */

static enum err tell(struct step *step, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_MESSAGE: return tell_message(step, change);
    case CHANGE_CONVERSATION: return tell_conversation(step, change);
    case CHANGE_MEMBERSHIP: return tell_membership(step, change);
    case CHANGE_MINE: return tell_mine(step, change);
    case CHANGE_READ: return tell_read(step, change);
    case CHANGE_USER: return tell_user(step, change);
    case CHANGE_SESSIONS: return tell_sessions(step, change);
    case CHANGE_ENDED: return tell_ended(step, change);
    }
    return ERR_OK; /* of a newer version that shares the database */
}

static void publish(struct step *step, const struct position *from)
{
    struct live_batch *batch = live_batch_new(step->event_count);
    batch->incarnation = step->tailer->published = step->tailer->incarnation;
    batch->restarts = step->tailer->restarts;
    step->tailer->restarts = false;
    batch->from = *from;
    batch->to = step->tailer->at;
    batch->told = told(step->tailer);
    for (size_t i = 0; i < step->event_count; i++) {
        const struct live_event *event = &step->events[i];
        batch->events[i] = *event;
        batch->size += event->frame != NULL ? live_frame_wire(event->frame).n : 0;
        batch->size += event->session_count * sizeof(struct uuid);
    }
    batch->size += sizeof(*batch) + step->event_count * sizeof(struct live_event);
    mark_raise(step->tailer->mark, &batch->to);
    hub_publish(step->tailer->hub, batch);
    atomic_fetch_add(&step->tailer->batches, 1);
}

static void drop_events(struct step *step)
{
    for (size_t i = 0; i < step->event_count; i++) {
        live_frame_unref(step->events[i].frame);
        free(step->events[i].sessions);
    }
}

/* --- another life of the database ------------------------------------------------------------ */

static enum err question_run(struct work *work, struct db *db)
{
    (void)work;
    (void)db;
    return ERR_OK;
}

static void question_done(struct work *work, enum err e, bool batch_failed)
{
    struct tailer *tailer = work->context;
    (void)batch_failed;
    atomic_store(&tailer->asked, e == ERR_OK ? ASKED_AND_ANSWERED : ASKED_NOT);
    if (e == ERR_OK) {
        tailer_poke(tailer);
    }
}

/* Once a writer has begun a transaction, the life that its database is in is written down, also if
 * nobody has written since it is another one. */
static void ask(struct tailer *tailer)
{
    int not_yet = ASKED_NOT;
    if (!atomic_compare_exchange_strong(&tailer->asked, &not_yet, ASKED)) {
        return;
    }
    tailer->question = (struct work){.run = question_run, .done = question_done, .context = tailer};
    if (!exec_write(tailer->exec, &tailer->question)) {
        atomic_store(&tailer->asked, ASKED_NOT);
    }
}

/* The tailer stands where a client with a cursor does: the database still holds what it has told, or
 * it begins where the database is now and all clients are asked to look at their cursors. */
static enum err follow(struct step *step, struct uuid incarnation, const struct position *present)
{
    struct tailer *tailer = step->tailer;
    bool holds = false;
    if (uuid_eq(incarnation, tailer->incarnation) && position_covers(present, &tailer->at)) {
        return ERR_OK;
    }
    if (!step->is_answered) {
        ask(tailer);
        return ERR_UNAVAILABLE;
    }
    atomic_store(&tailer->asked, ASKED_NOT);
    enum err e = store_incarnation_holds(step->db, tailer->incarnation, &tailer->at, &holds);
    if (e != ERR_OK) {
        return e;
    }
    tailer->incarnation = incarnation;
    if (!holds) {
        tailer->at = *present;
        tailer->read_count = step->waited = 0;
        tailer->restarts = true;
    }
    return ERR_OK;
}

/* *count: how many changes there were. */
static enum err read_changes(struct step *step, struct position *to, size_t *count)
{
    struct change *rows = NULL;
    struct uuid incarnation;
    enum err e = store_position(step->db, to, &incarnation);
    if (e == ERR_OK) {
        e = follow(step, incarnation, to);
    }
    if (e == ERR_OK) {
        e = store_change_list(step->db, step->arena, &step->tailer->at, to, &rows, count);
    }
    if (e != ERR_OK) {
        return e;
    }
    step->is_bare = *count > FRAMED_MAX;
    plan(step, rows, *count);
    for (size_t i = 0; i < step->task_count && e == ERR_OK; i++) {
        e = tell(step, &step->tasks[i].change);
    }
    return e;
}

static int64_t stamps_between(const struct position *from, const struct position *to)
{
    int64_t n = 0;
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        n += to->at[i] - from->at[i];
    }
    return n;
}

/* A failure leaves everything as it was, for the next look. */
static void step(struct tailer *tailer)
{
    struct arena arena;
    struct step step = {.tailer = tailer, .arena = &arena};
    struct position before = tailer->at;
    struct position to = before;
    size_t count = 0;
    step.waited = tailer->read_count;
    step.is_answered = atomic_load(&tailer->asked) == ASKED_AND_ANSWERED;
    enum err e = exec_read_begin(tailer->exec, &step.db);
    if (e != ERR_OK) {
        put_off_reads(tailer);
        return;
    }
    db_set_deadline(step.db, 0); /* the next step would have the same to do, and more */
    arena_init(&arena);
    e = read_changes(&step, &to, &count);
    if (e == ERR_OK) {
        tailer->at = to;
        atomic_store(&tailer->lag, stamps_between(&before, &to));
    }
    exec_read_end(tailer->exec, step.db);
    if (e == ERR_OK && reads_are_due(tailer)) {
        release_reads(&step);
    } else if (e == ERR_OK) {
        keep_reads(&step);
    }
    if (e != ERR_OK) {
        log_warning("the tailer could not read the log, it will try again code=%s", err_code(e));
        tailer->read_count = step.waited;
        put_off_reads(tailer);
        drop_events(&step);
    } else if (step.event_count > 0 || tailer->restarts || !position_eq(&before, &tailer->at) ||
               !uuid_eq(tailer->published, tailer->incarnation)) {
        publish(&step, &before);
    }
    atomic_fetch_add(&tailer->changes, (int64_t)count);
    free(step.events);
    arena_fini(&arena);
}

/* --- the thread ------------------------------------------------------------------------------ */

static int64_t wait_ms(const struct tailer *tailer)
{
    int64_t left_ms = (tailer->reads_due_us - clock_steady_us()) / 1000 + 1;
    bool sooner = tailer->read_count > 0 && left_ms < LOOK_MS;
    return !sooner ? LOOK_MS : left_ms > 0 ? left_ms : 0;
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + ms % 1000 * 1000000;
    at.tv_sec += ms / 1000 + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    return at;
}

/* Until somebody pokes or it is time to look. False: stop, after a last step. */
static bool wait(struct tailer *tailer)
{
    struct timespec until = in_ms(wait_ms(tailer));
    int code = 0;
    pthread_mutex_lock(&tailer->lock);
    while (!tailer->stopping && !tailer->poked && code == 0) {
        code = pthread_cond_timedwait(&tailer->changed, &tailer->lock, &until);
    }
    tailer->poked = false;
    bool go_on = !tailer->stopping;
    pthread_mutex_unlock(&tailer->lock);
    return go_on;
}

static void *tailer_main(void *context)
{
    struct tailer *tailer = context;
    bool go_on = true;
    while (go_on) {
        go_on = wait(tailer);
        step(tailer);
    }
    return NULL;
}

struct tailer *tailer_start(struct exec *exec, struct hub *hub, struct mark *mark,
                            struct uuid incarnation, const struct position *at)
{
    struct tailer *tailer = mem_alloc_zero(sizeof(*tailer));
    pthread_condattr_t steady;
    tailer->exec = exec;
    tailer->hub = hub;
    tailer->mark = mark;
    tailer->incarnation = tailer->published = incarnation;
    tailer->at = *at;
    pthread_mutex_init(&tailer->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&tailer->changed, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&tailer->thread, NULL, tailer_main, tailer) != 0) {
        abort();
    }
    return tailer;
}

void tailer_poke(struct tailer *tailer)
{
    pthread_mutex_lock(&tailer->lock);
    tailer->poked = true;
    pthread_cond_signal(&tailer->changed);
    pthread_mutex_unlock(&tailer->lock);
}

void tailer_stop(struct tailer *tailer)
{
    pthread_mutex_lock(&tailer->lock);
    tailer->stopping = true;
    pthread_cond_signal(&tailer->changed);
    pthread_mutex_unlock(&tailer->lock);
    pthread_join(tailer->thread, NULL);
}

void tailer_free(struct tailer *tailer)
{
    if (tailer == NULL) {
        return;
    }
    pthread_cond_destroy(&tailer->changed);
    pthread_mutex_destroy(&tailer->lock);
    free(tailer->reads);
    free(tailer);
}

void tailer_stats_get(struct tailer *tailer, struct sync_stats *out)
{
    *out = (struct sync_stats){
        .batches = atomic_load(&tailer->batches),
        .changes = atomic_load(&tailer->changes),
        .lag = atomic_load(&tailer->lag),
    };
}
