#include "sync/page.h"

#include <stdlib.h>

#include "store/change.h"
#include "store/sync.h"
#include "sync/frames.h"

/* The order of frames within a conversation, and the `kind` of a cursor's place. */
enum kind {
    KIND_GONE = 1,
    KIND_CONVERSATION,
    KIND_MEMBERSHIP,
    KIND_MESSAGE,
    KIND_READ,
    KIND_USER, /* the end of the round; belongs to no conversation */
};

enum { READS_AT_ONCE = 100 };

/* A page while it is made. */
struct round {
    struct live_page *page;
    struct db *db;
    struct uuid user_id;
    struct arena arena; /* for what one frame is made of */
    struct position from;
    struct position present;  /* of the page's snapshot, */
    struct uuid incarnation;  /* and the life of the database that it belongs to */
    bool has_nothing;         /* the client: what ended before now was never his */
    struct cursor_place last; /* the last frame that was sent in this round; kind 0: none */
    size_t room;              /* bytes of JSON left */
    bool full;
    size_t frames_max; /* allocated */
    size_t conversations_max;
};

/* --- sending ------------------------------------------------------------------------------- */

/* Takes the reference. From the first frame that has no room on nothing is sent any more. */
static void send(struct round *r, struct live_frame *frame, struct uuid conversation_id,
                 enum kind kind, struct uuid after)
{
    struct live_page *page = r->page;
    size_t size = live_frame_wire(frame).n; /* with a few bytes for what stands between frames */
    if (r->full || (size > r->room && page->count > 0)) {
        r->full = true;
        live_frame_unref(frame);
        return;
    }
    if (page->count == r->frames_max) {
        r->frames_max = r->frames_max == 0 ? 32 : 2 * r->frames_max;
        page->frames = mem_realloc(page->frames, r->frames_max * sizeof(struct live_frame *));
    }
    page->frames[page->count++] = frame;
    r->room -= size < r->room ? size : r->room;
    r->last.conversation_id = conversation_id;
    r->last.kind = (uint8_t)kind;
    r->last.after = after;
}

/* Who joins from this page is in these conversations. */
static void note_conversation(struct round *r, struct uuid id)
{
    struct live_page *page = r->page;
    if (page->conversation_count == r->conversations_max) {
        r->conversations_max = r->conversations_max == 0 ? 32 : 2 * r->conversations_max;
        page->conversations =
            mem_realloc(page->conversations, r->conversations_max * sizeof(struct uuid));
    }
    page->conversations[page->conversation_count++] = id;
}

/* --- one conversation ---------------------------------------------------------------------- */

/* A conversation while it is gone through. */
struct visit {
    struct uuid id;
    int64_t after;      /* what changed later is sent; 0: everything */
    bool from_scratch;  /* the client knows nothing of it */
    int done;           /* kinds up to this one were sent by an earlier page: */
    int64_t rev;        /* messages up to this rev */
    struct uuid reader; /* read positions up to this user */
    int64_t from_seq;   /* > 0: "limited", the client forgets what it has below */
    struct conversation conversation;
    struct sync_message messages[PAGE_MESSAGES_MAX + 1]; /* to be sent, by rev */
    size_t count;
};

static void put_i64(uint8_t *to, int64_t n)
{
    for (int i = 7; i >= 0; i--) {
        to[i] = (uint8_t)((uint64_t)n & 0xFF);
        n = (int64_t)((uint64_t)n >> 8);
    }
}

static int64_t get_i64(const uint8_t *from)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | from[i];
    }
    return (int64_t)n;
}

/* `after` of a place among messages, or before them. */
static struct uuid messages_up_to(const struct visit *v, int64_t rev)
{
    struct uuid after;
    put_i64(after.b, rev);
    put_i64(after.b + 8, v->from_seq);
    return after;
}

/* Goes on where the page before this one ended, if that was in here. */
static void resume(const struct round *r, struct visit *v)
{
    const struct cursor_place *last = &r->last;
    if (last->kind == 0 || !uuid_eq(last->conversation_id, v->id)) {
        return;
    }
    v->done = last->kind;
    if (last->kind == KIND_READ) {
        v->reader = last->after;
    } else if (last->kind >= KIND_CONVERSATION) {
        v->rev = get_i64(last->after.b);
        v->from_seq = get_i64(last->after.b + 8);
    }
}

static int by_rev(const void *a, const void *b)
{
    int64_t x = ((const struct sync_message *)a)->rev;
    int64_t y = ((const struct sync_message *)b)->rev;
    return (x > y) - (x < y);
}

static enum err list_messages(struct round *r, struct visit *v)
{
    size_t most = COUNT_OF(v->messages);
    return v->from_seq > 0 ? store_sync_messages_from(r->db, v->id, v->from_seq, v->rev,
                                                      v->messages, most, &v->count)
                           : store_sync_messages_after(r->db, v->id, v->after, v->rev, v->messages,
                                                       most, &v->count);
}

/* Forgets what earlier pages have sent of it. */
static void begin_limited(struct visit *v)
{
    int64_t last_seq = v->conversation.last_seq;
    v->done = 0;
    v->rev = 0;
    v->from_seq = last_seq > PAGE_LIMITED ? last_seq - PAGE_LIMITED + 1 : 1;
}

/* Which messages are to be sent, and whether the client has to forget those before them. Also in the
 * middle of it too many may be left: since the page before, as many have come. */
static enum err choose_messages(struct round *r, struct visit *v)
{
    if (v->done >= KIND_READ) {
        return ERR_OK;
    }
    if (v->from_scratch && v->from_seq <= 0) {
        begin_limited(v);
    }
    enum err e = list_messages(r, v);
    if (e == ERR_OK && v->count > PAGE_MESSAGES_MAX) {
        begin_limited(v);
        e = list_messages(r, v);
    }
    qsort(v->messages, v->count, sizeof(v->messages[0]), by_rev);
    return e;
}

static enum err send_conversation(struct round *r, const struct visit *v)
{
    struct member *members = NULL;
    size_t count = 0;
    enum err e =
        store_sync_members(r->db, &r->arena, v->id, FRAME_PARTICIPANTS_MAX, &members, &count);
    if (e == ERR_OK) {
        send(r, frame_conversation(&v->conversation, members, count, v->from_seq), v->id,
             KIND_CONVERSATION, messages_up_to(v, 0));
    }
    return e;
}

static enum err send_membership(struct round *r, const struct visit *v)
{
    struct participant mine;
    bool found = false;
    enum err e = store_sync_participant(r->db, v->id, r->user_id, &mine, &found);
    if (e == ERR_OK && found) {
        send(r, frame_membership(&mine), v->id, KIND_MEMBERSHIP, messages_up_to(v, 0));
    }
    return e;
}

static enum err send_messages(struct round *r, const struct visit *v)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < v->count && e == ERR_OK && !r->full; i++) {
        struct message message;
        bool found = false;
        arena_reset(&r->arena);
        e = store_sync_message_at(r->db, &r->arena, v->id, v->messages[i].seq, &message, &found);
        if (e == ERR_OK && found) {
            send(r, frame_message(&message), v->id, KIND_MESSAGE, messages_up_to(v, message.rev));
        }
    }
    return e;
}

static enum err send_reads(struct round *r, struct visit *v)
{
    struct sync_read list[READS_AT_ONCE];
    size_t count = READS_AT_ONCE;
    enum err e = ERR_OK;
    while (e == ERR_OK && !r->full && count == READS_AT_ONCE) {
        e = store_sync_reads(r->db, v->id, v->after, r->user_id, v->reader, list, READS_AT_ONCE,
                             &count);
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            v->reader = list[i].user_id;
            send(r, frame_read(v->id, v->reader, list[i].seq), v->id, KIND_READ, v->reader);
        }
    }
    return e;
}

/* A conversation from scratch has them in its first frame, if all members are there. */
static bool needs_reads(const struct visit *v)
{
    return v->done == KIND_READ || !v->from_scratch ||
           v->conversation.participant_count > FRAME_PARTICIPANTS_MAX;
}

static enum err send_current(struct round *r, struct visit *v, const struct sync_membership *m)
{
    bool found = false;
    arena_reset(&r->arena);
    enum err e = store_sync_conversation(r->db, &r->arena, v->id, &v->conversation, &found);
    if (e == ERR_OK) {
        e = choose_messages(r, v);
    }
    if (e == ERR_OK && v->done < KIND_CONVERSATION) {
        e = send_conversation(r, v);
    }
    if (e == ERR_OK && v->done < KIND_MEMBERSHIP && m->stamp > v->after) {
        e = send_membership(r, v);
    }
    if (e == ERR_OK) {
        e = send_messages(r, v);
    }
    return e == ERR_OK && needs_reads(v) ? send_reads(r, v) : e;
}

/* Of what ended after its page was sent the next round tells. */
static void send_gone(struct round *r, const struct visit *v, const struct sync_membership *m)
{
    if (v->done == 0) {
        send(r, frame_gone(v->id, m->rev), v->id, KIND_GONE, (struct uuid){{0}});
    }
}

static enum err send_changed(struct round *r, const struct sync_membership *m)
{
    int64_t after = store_stamp_of(r->db, &r->from, m->conversation_id);
    bool from_scratch = r->has_nothing || m->joined_stamp > after;
    struct visit v = {
        .id = m->conversation_id, .after = from_scratch ? 0 : after, .from_scratch = from_scratch};
    if (m->stamp <= after && m->conversation_stamp <= after) {
        return ERR_OK;
    }
    resume(r, &v);
    if (m->ended) {
        send_gone(r, &v, m);
        return ERR_OK;
    }
    return send_current(r, &v, m);
}

/* --- the round ----------------------------------------------------------------------------- */

/* The least stamp behind which anything can be news. */
static int64_t ended_after(const struct round *r)
{
    int64_t least = r->from.at[0];
    for (int shard = 1; shard < *db_shards(r->db); shard++) {
        least = r->from.at[shard] < least ? r->from.at[shard] : least;
    }
    return r->has_nothing ? INT64_MAX : least;
}

static enum err send_conversations(struct round *r)
{
    struct db_rows rows;
    struct sync_membership m;
    bool whole = r->last.kind == 0;
    enum err e =
        store_sync_memberships(r->db, r->user_id, r->last.conversation_id, ended_after(r), &rows);
    while (e == ERR_OK && !r->full && store_sync_next_membership(&rows, &m)) {
        if (whole && !m.ended) {
            note_conversation(r, m.conversation_id);
        }
        e = send_changed(r, &m);
    }
    return db_end(&rows, e);
}

static enum err send_user_after(struct round *r, const struct position *at)
{
    struct user user;
    bool found = false;
    arena_reset(&r->arena);
    enum err e = store_sync_user_after(r->db, &r->arena, r->user_id,
                                       store_stamp_of(r->db, at, r->user_id), &user, &found);
    if (e == ERR_OK && found) {
        send(r, frame_user(&user), (struct uuid){{0}}, KIND_USER, (struct uuid){{0}});
    }
    return e;
}

static enum err send_user(struct round *r)
{
    return r->full || r->has_nothing ? ERR_OK : send_user_after(r, &r->from);
}

/* Who has nothing is told himself too: by `hello`, as of the position in his empty cursor, and here
 * what has changed since; in a long poll, where nothing says hello, wholly. He may have heard of himself
 * before he lost the connection. It belongs to no place of the round. */
static enum err send_user_since_hello(struct round *r, const struct position *hello)
{
    const struct cursor_place first = r->last;
    enum err e = r->has_nothing ? send_user_after(r, hello) : ERR_OK;
    r->last = first;
    return e;
}

static void forget_conversations(struct round *r)
{
    free(r->page->conversations);
    r->page->conversations = NULL;
    r->page->conversation_count = 0;
    r->conversations_max = 0;
}

/* The ring has all that came after `from`: what is missing is only which conversations the user is
 * in. Not joinable if one of his memberships began or ended since. */
static enum err join_from_ring(struct round *r, const struct cursor *from)
{
    struct db_rows rows;
    struct sync_membership m;
    bool same = true;
    enum err e =
        store_sync_memberships(r->db, r->user_id, (struct uuid){{0}}, ended_after(r), &rows);
    while (e == ERR_OK && same && store_sync_next_membership(&rows, &m)) {
        int64_t after = store_stamp_of(r->db, &r->from, m.conversation_id);
        same = m.ended ? m.stamp <= after : m.joined_stamp <= after;
        if (!m.ended) {
            note_conversation(r, m.conversation_id);
        }
    }
    e = db_end(&rows, e);
    if (e != ERR_OK || !same) {
        forget_conversations(r);
        return e;
    }
    r->page->joinable = true;
    r->page->present = r->present;
    r->page->next = *from;
    return e;
}

/* Does the database still hold what the cursor speaks of? An empty one speaks of nothing. */
static enum err check_cursor(struct db *db, const struct cursor *from, bool *holds)
{
    *holds = true;
    if (uuid_is_zero(from->incarnation)) {
        return ERR_OK;
    }
    enum err e = store_incarnation_holds(db, from->incarnation, &from->at, holds);
    if (e == ERR_OK && *holds && from->paging) {
        e = store_incarnation_holds(db, from->incarnation, &from->place.goal, holds);
    }
    return e;
}

static void reset(struct live_page *page)
{
    page->frames = mem_alloc(sizeof(struct live_frame *));
    page->frames[0] = frame_reset("unknown_position");
    page->count = 1;
    page->reset = true;
}

static void end_page(struct round *r, bool is_first)
{
    struct live_page *page = r->page;
    page->more = r->full;
    page->joinable = is_first && !r->full;
    page->next = (struct cursor){
        .incarnation = r->incarnation, .at = r->full ? r->from : r->last.goal, .paging = r->full};
    if (r->full) {
        page->next.place = r->last;
    }
    if (!page->joinable) {
        forget_conversations(r);
    }
}

static enum err read_page(struct round *r, const struct cursor *from, bool from_ring)
{
    bool holds = false;
    enum err e = check_cursor(r->db, from, &holds);
    if (e == ERR_OK && !holds) {
        reset(r->page);
        return e;
    }
    if (e == ERR_OK && from_ring && !from->paging && !r->has_nothing) {
        e = join_from_ring(r, from);
    }
    if (e != ERR_OK || r->page->joinable) {
        return e;
    }
    if (from->paging) {
        r->last = from->place;
    } else {
        r->last.goal = r->present;
        e = send_user_since_hello(r, &from->at);
    }
    if (e == ERR_OK) {
        e = send_conversations(r);
    }
    if (e == ERR_OK) {
        e = send_user(r);
    }
    end_page(r, !from->paging);
    return e;
}

void page_read(struct live_pull *pull, struct db *db, struct position *seen)
{
    static const struct position nothing;
    const struct cursor *from = &pull->from;
    bool has_nothing = uuid_is_zero(from->incarnation) || position_eq(&from->at, &nothing);
    struct round r = {.page = &pull->page,
                      .db = db,
                      .user_id = pull->user_id,
                      .from = has_nothing ? nothing : from->at,
                      .has_nothing = has_nothing,
                      .room = pull->size_max};
    pull->page = (struct live_page){0};
    bool signed_in = false;
    enum err e = store_position(db, &r.present, &r.incarnation);
    if (e == ERR_OK) {
        e = store_sync_is_signed_in(db, pull->user_id, pull->session_id, &signed_in);
    }
    *seen = r.present;
    pull->page.ended = e == ERR_OK && !signed_in;
    arena_init(&r.arena);
    if (signed_in) {
        e = read_page(&r, from, pull->from_ring);
    }
    arena_fini(&r.arena);
    if (e != ERR_OK) {
        live_page_fini(&pull->page);
        pull->page = (struct live_page){.failure = e};
    }
}
