/* sync/page.c: what a page says after which cursor, and that a round cut anywhere says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "chat/participant.h"
#include "store/change.h"
#include "sync/page.h"
#include "unit/support/chat_rows.h"
#include "unit/support/world.h"

enum { LARGE = 16 * 1024 * 1024, TEXT_MAX = 16 * 1024 * 1024 };

struct fixture {
    struct world w;
    struct uuid life;
    struct uuid ann, bob;
    struct uuid talk; /* of both, ann's */
};

static const struct cursor nothing;

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    world_init(&f->w);
    f->life = (struct uuid){{1}};
    assert_int_equal(store_incarnation_add(f->w.db, f->life, STR("test"), false, 1), ERR_OK);
    f->ann = world_user(&f->w, "ann");
    f->bob = world_user(&f->w, "bob");
    f->talk = world_conversation(&f->w, f->ann, f->bob);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_fini(&f->w);
    free(f);
    return 0;
}

/* --- reading ------------------------------------------------------------------------------- */

static struct live_pull pull_with(struct fixture *f, struct uuid user_id, const struct cursor *from,
                                  size_t size_max, bool from_ring)
{
    struct live_pull pull = {
        .user_id = user_id, .from = *from, .size_max = size_max, .from_ring = from_ring};
    assert_int_equal(db_begin_read(f->w.db), ERR_OK);
    struct position seen;
    page_read(&pull, f->w.db, &seen);
    db_rollback(f->w.db);
    assert_int_equal(pull.page.failure, ERR_OK);
    return pull;
}

static struct live_pull pull(struct fixture *f, struct uuid user_id, const struct cursor *from)
{
    return pull_with(f, user_id, from, LARGE, false);
}

/* The present position, as a client that has everything holds it. */
static struct cursor now(struct fixture *f)
{
    struct cursor cursor = {.incarnation = f->life};
    assert_int_equal(store_position(f->w.db, &cursor.at, NULL), ERR_OK);
    return cursor;
}

/* --- saying what is in a page -------------------------------------------------------------- */

static int64_t number(const json_t *frame, const char *name)
{
    return json_integer_value(json_object_get(frame, name));
}

static bool is_id(const json_t *frame, const char *name, struct uuid id)
{
    char text[UUID_TEXT];
    uuid_format(id, text);
    struct str got = str_of(json_string_value(json_object_get(frame, name)));
    return str_eq(got, (struct str){text, sizeof(text)});
}

static void describe_message(struct buf *out, const json_t *frame)
{
    const json_t *message = json_object_get(frame, "message");
    const char *body = json_string_value(json_object_get(message, "message_body"));
    buf_printf(out, "message %" PRId64, number(message, "seq"));
    if (json_is_true(json_object_get(message, "deleted"))) {
        buf_lit(out, " deleted");
    } else if (strcmp(body, "text") != 0) {
        buf_printf(out, " \"%s\"", body);
    }
}

static void describe_conversation(struct buf *out, const json_t *frame)
{
    buf_lit(out, "conversation");
    if (json_is_true(json_object_get(frame, "limited"))) {
        buf_printf(out, " from %" PRId64, number(frame, "from_seq"));
    }
}

static void describe_one(struct fixture *f, struct buf *out, const json_t *frame)
{
    const char *type = json_string_value(json_object_get(frame, "type"));
    if (strcmp(type, "message") == 0) {
        describe_message(out, frame);
    } else if (strcmp(type, "conversation") == 0) {
        describe_conversation(out, frame);
    } else if (strcmp(type, "membership") == 0) {
        buf_printf(out, "membership read %" PRId64, number(frame, "read_seq"));
    } else if (strcmp(type, "read") == 0) {
        const char *who = is_id(frame, "user_id", f->ann) ? "ann" : "other";
        buf_printf(out, "read %s %" PRId64, is_id(frame, "user_id", f->bob) ? "bob" : who,
                   number(frame, "seq"));
    } else {
        buf_str(out, str_of(type));
    }
}

static void describe(struct fixture *f, const struct live_page *page, struct buf *out)
{
    for (size_t i = 0; i < page->count; i++) {
        struct str json = live_frame_json(page->frames[i]);
        json_t *frame = json_loadb(json.p, json.n, 0, NULL);
        assert_non_null(frame);
        buf_str(out, i > 0 ? STR(", ") : STR(""));
        describe_one(f, out, frame);
        json_decref(frame);
    }
}

/* Ends the page. */
static void assert_page(struct fixture *f, struct live_pull *p, const char *wanted)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    describe(f, &p->page, &text);
    if (!str_eq(buf_view(&text), str_of(wanted))) {
        fail_msg("page:   %.*s\nwanted: %s", STR_ARG(buf_view(&text)), wanted);
    }
    buf_fini(&text);
    live_page_fini(&p->page);
}

/* What the user is told after `from`, in one page from which he can join. */
static void assert_told(struct fixture *f, struct uuid user_id, const struct cursor *from,
                        const char *wanted)
{
    struct live_pull p = pull(f, user_id, from);
    struct cursor present = now(f);
    assert_true(p.page.joinable);
    assert_false(p.page.more);
    assert_false(p.page.next.paging);
    assert_true(uuid_eq(p.page.next.incarnation, f->life));
    assert_true(position_eq(&p.page.next.at, &present.at));
    assert_page(f, &p, wanted);
}

/* --- from nothing -------------------------------------------------------------------------- */

static void test_from_nothing(void **state)
{
    struct fixture *f = *state;
    assert_told(f, f->bob, &nothing, "user, conversation from 1, membership read 0");
    world_send(&f->w, f->ann, f->talk, 3);
    assert_told(f, f->bob, &nothing,
                "user, conversation from 1, membership read 0, message 1, message 2, message 3");
    assert_told(f, f->ann, &nothing,
                "user, conversation from 1, membership read 3, message 1, message 2, message 3");
}

static void test_only_the_newest(void **state)
{
    struct fixture *f = *state;
    world_send(&f->w, f->ann, f->talk, PAGE_LIMITED + 5);
    struct live_pull p = pull(f, f->bob, &nothing);
    assert_int_equal(p.page.count, 3 + PAGE_LIMITED);
    p.page.count = 4; /* the rest goes on so */
    for (size_t i = 4; i < 3 + PAGE_LIMITED; i++) {
        live_frame_unref(p.page.frames[i]);
    }
    assert_page(f, &p, "user, conversation from 6, membership read 0, message 6");
}

static void test_nobody_knows_him(void **state)
{
    struct fixture *f = *state;
    struct uuid cid = world_user(&f->w, "cid");
    assert_told(f, cid, &nothing, "user");
    world_add(&f->w, f->ann, f->talk, cid);
    world_remove(&f->w, f->ann, f->talk, cid);
    assert_told(f, cid, &nothing, "user"); /* what ended was never known to who has nothing */
}

static void test_whose_conversations(void **state)
{
    struct fixture *f = *state;
    struct uuid other = world_conversation(&f->w, f->ann, f->bob);
    world_conversation(&f->w, f->bob, (struct uuid){{0}});
    struct uuid left = world_conversation(&f->w, f->ann, f->bob);
    world_remove(&f->w, f->ann, left, f->ann);
    struct live_pull p = pull(f, f->ann, &nothing);
    assert_int_equal(p.page.conversation_count, 2);
    bool first = uuid_eq(p.page.conversations[0], f->talk);
    assert_true(uuid_eq(p.page.conversations[first ? 0 : 1], f->talk));
    assert_true(uuid_eq(p.page.conversations[first ? 1 : 0], other));
    live_page_fini(&p.page);
}

/* --- after a cursor ------------------------------------------------------------------------ */

static void test_nothing_new(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    assert_told(f, f->bob, &from, "");
    world_conversation(&f->w, f->ann, (struct uuid){{0}}); /* not his */
    world_rename(&f->w, f->ann, "Ann");
    assert_told(f, f->bob, &from, "");
}

static void test_state_and_no_replay(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct uuid id = world_send(w, f->ann, f->talk, 1);
    struct cursor from = now(f);
    for (int i = 0; i < 50; i++) {
        world_edit(w, f->ann, id, i % 2 == 0 ? "a" : "b");
    }
    assert_told(f, f->bob, &from, "conversation, message 1 \"b\"");
    world_bury(w, f->ann, id);
    assert_told(f, f->bob, &from, "conversation, message 1 deleted");
}

/* New ones and changed ones, in the order of their revs. */
static void test_messages_in_order(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct uuid first = world_send(w, f->ann, f->talk, 1);
    struct uuid second = world_send(w, f->ann, f->talk, 1);
    world_send(w, f->ann, f->talk, 1);
    struct cursor from = now(f);
    world_edit(w, f->ann, second, "new");
    struct uuid fourth = world_send(w, f->ann, f->talk, 1);
    world_send(w, f->ann, f->talk, 1);
    world_edit(w, f->ann, first, "newer");
    world_edit(w, f->ann, fourth, "newest");
    assert_told(f, f->bob, &from,
                "conversation, message 2 \"new\", message 5, message 1 \"newer\","
                " message 4 \"newest\", read ann 5");
}

/* Sent and edited in one commit: once, and as a new one. */
static void test_one_commit(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_begin(w);
    world_edit(w, f->ann, world_send(w, f->ann, f->talk, 1), "new");
    world_commit(w);
    assert_told(f, f->bob, &from, "conversation, message 1 \"new\", read ann 1");
}

static void test_own_settings(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    world_pin(&f->w, f->bob, f->talk);
    assert_told(f, f->bob, &from, "conversation, membership read 0");
    assert_told(f, f->ann, &from, "conversation"); /* a position of 0 is no news */
}

static void test_read_positions(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_send(w, f->ann, f->talk, 3);
    struct cursor from = now(f);
    world_read(w, f->bob, f->talk, 2);
    assert_told(f, f->ann, &from, "conversation, read bob 2");
    assert_told(f, f->bob, &from, "conversation, membership read 2"); /* his other device */
    world_read(w, f->bob, f->talk, 3);
    assert_told(f, f->ann, &from, "conversation, read bob 3");
}

/* Who has nothing was told of himself by `hello`, as of its position; of what came then by his page. */
static void test_since_hello(void **state)
{
    struct fixture *f = *state;
    struct uuid cid = world_user(&f->w, "cid");
    const struct cursor hello = {.at = now(f).at};
    assert_told(f, cid, &hello, "");
    world_rename(&f->w, cid, "Renamed");
    assert_told(f, cid, &hello, "user");
    assert_told(f, cid, &nothing, "user"); /* a poll: there was no hello */
}

static void test_own_user(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    world_rename(&f->w, f->bob, "Bob");
    assert_told(f, f->bob, &from, "user");
    from = now(f);
    assert_told(f, f->bob, &from, "");
}

/* --- memberships --------------------------------------------------------------------------- */

static void test_ended(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_send(w, f->ann, f->talk, 2);
    world_remove(w, f->ann, f->talk, f->bob);
    world_send(w, f->ann, f->talk, 2);
    assert_told(f, f->bob, &from, "conversation.gone");
    from = now(f);
    world_retitle(w, f->ann, f->talk, "other");
    assert_told(f, f->bob, &from, "");
}

static void test_deleted(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    world_send(&f->w, f->bob, f->talk, 2);
    world_end(&f->w, f->ann, f->talk);
    assert_told(f, f->bob, &from, "conversation.gone");
    assert_told(f, f->ann, &from, "conversation.gone");
    assert_told(f, f->ann, &nothing, "user");
}

static void test_begun(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct uuid cid = world_user(w, "cid");
    world_send(w, f->ann, f->talk, 2);
    struct cursor from = now(f);
    world_add(w, f->ann, f->talk, cid);
    world_send(w, f->ann, f->talk, 1);
    assert_told(f, cid, &from,
                "conversation from 1, membership read 2, message 1, message 2, message 3");
    from = now(f);
    world_send(w, f->ann, f->talk, 1);
    assert_told(f, cid, &from, "conversation, message 4, read ann 4");
}

/* Whoever was out for a while may have missed what happened meanwhile: all of it again. */
static void test_begun_again(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_send(w, f->ann, f->talk, 1);
    struct cursor before = now(f);
    world_remove(w, f->ann, f->talk, f->bob);
    struct cursor between = now(f);
    world_send(w, f->ann, f->talk, 1);
    world_add(w, f->ann, f->talk, f->bob);
    static const char all[] = "conversation from 1, membership read 2, message 1, message 2";
    assert_told(f, f->bob, &before, all);
    assert_told(f, f->bob, &between, all);
    struct cursor from = now(f);
    assert_told(f, f->bob, &from, "");
}

static void test_leaving_and_coming_in_one_commit(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_begin(w);
    world_remove(w, f->ann, f->talk, f->bob);
    world_add(w, f->ann, f->talk, f->bob);
    world_commit(w);
    assert_told(f, f->bob, &from, "conversation from 1, membership read 0");
}

/* --- limits -------------------------------------------------------------------------------- */

static size_t frames_of(struct fixture *f, struct uuid user_id, const struct cursor *from,
                        int64_t *from_seq)
{
    struct live_pull p = pull(f, user_id, from);
    struct str json = live_frame_json(p.page.frames[0]);
    json_t *frame = json_loadb(json.p, json.n, 0, NULL);
    size_t count = p.page.count;
    assert_string_equal(json_string_value(json_object_get(frame, "type")), "conversation");
    *from_seq = number(frame, "from_seq");
    json_decref(frame);
    live_page_fini(&p.page);
    return count;
}

static void test_too_many_new(void **state)
{
    struct fixture *f = *state;
    int64_t from_seq;
    struct cursor from = now(f);
    world_send(&f->w, f->ann, f->talk, PAGE_MESSAGES_MAX);
    assert_int_equal(frames_of(f, f->bob, &from, &from_seq), 1 + PAGE_MESSAGES_MAX + 1);
    assert_int_equal(from_seq, 0);
    world_send(&f->w, f->ann, f->talk, 1);
    /* The conversation, so many messages, and how far ann has read. */
    assert_int_equal(frames_of(f, f->bob, &from, &from_seq), 1 + PAGE_LIMITED + 1);
    assert_int_equal(from_seq, PAGE_MESSAGES_MAX + 1 - PAGE_LIMITED + 1);
}

static void test_too_many_changed(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct uuid ids[PAGE_MESSAGES_MAX];
    int64_t from_seq;
    for (int i = 0; i < PAGE_MESSAGES_MAX; i++) {
        ids[i] = world_send(w, f->ann, f->talk, 1);
    }
    struct cursor from = now(f);
    for (int i = 0; i < PAGE_MESSAGES_MAX; i++) {
        world_edit(w, f->ann, ids[i], "new");
    }
    assert_int_equal(frames_of(f, f->bob, &from, &from_seq), 1 + PAGE_MESSAGES_MAX);
    assert_int_equal(from_seq, 0);
    world_send(w, f->ann, f->talk, 1);
    assert_int_equal(frames_of(f, f->bob, &from, &from_seq), 1 + PAGE_LIMITED + 1);
    assert_int_equal(from_seq, PAGE_MESSAGES_MAX + 1 - PAGE_LIMITED + 1);
}

/* With more members than the frame of a conversation shows, each read position is told, but of those
 * who have read nothing. Who joins has read what was there. */
static void test_many_members(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_send(w, f->ann, f->talk, 1);
    world_begin(w);
    for (int i = 0; i < 250; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "user%d", i);
        world_add(w, f->ann, f->talk, world_user(w, name));
    }
    world_commit(w);
    struct live_pull p = pull(f, f->bob, &nothing);
    assert_int_equal(p.page.count, 4 + 251);
    live_page_fini(&p.page);
}

/* --- cursors ------------------------------------------------------------------------------- */

static void assert_reset(struct fixture *f, const struct cursor *from, bool from_ring)
{
    struct live_pull p = pull_with(f, f->bob, from, LARGE, from_ring);
    assert_true(p.page.reset);
    assert_false(p.page.joinable);
    assert_false(p.page.more);
    assert_page(f, &p, "reset");
}

static void test_worthless_cursors(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    from.incarnation.b[0]++;
    assert_reset(f, &from, false);
    from = now(f);
    from.at.at[0]++;
    assert_reset(f, &from, false);
    assert_reset(f, &from, true);
    from = now(f);
    from.paging = true;
    from.place.goal = from.at;
    from.place.goal.at[0]++;
    assert_reset(f, &from, false);
}

/* Pages are of the present life, whatever life the cursor was of. */
static void test_the_next_life(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    f->life = (struct uuid){{2}};
    assert_int_equal(store_incarnation_add(f->w.db, f->life, STR("test"), false, 2), ERR_OK);
    world_send(&f->w, f->ann, f->talk, 1);
    assert_told(f, f->bob, &from, "conversation, message 1, read ann 1");
    from.at.at[0]++;
    assert_reset(f, &from, false);
}

/* Nothing is read for a device that has been signed out, or for a user who is gone. */
static void test_not_signed_in(void **state)
{
    struct fixture *f = *state;
    struct live_pull p = {.user_id = f->bob, .session_id = {{9}}, .size_max = LARGE};
    struct position seen;
    page_read(&p, f->w.db, &seen);
    assert_int_equal(p.page.failure, ERR_OK);
    assert_true(p.page.ended);
    assert_false(p.page.joinable);
    assert_page(f, &p, "");
    p = pull(f, f->bob, &nothing);
    assert_false(p.page.ended);
    live_page_fini(&p.page);
    world_delete_user(&f->w, f->bob);
    p = pull(f, f->bob, &nothing);
    assert_true(p.page.ended);
    assert_page(f, &p, "");
}

static void test_from_the_ring(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_send(w, f->ann, f->talk, 3);
    struct live_pull p = pull_with(f, f->bob, &from, LARGE, true);
    assert_true(p.page.joinable);
    assert_int_equal(p.page.conversation_count, 1);
    assert_memory_equal(&p.page.next, &from, sizeof(from));
    assert_page(f, &p, "");

    struct uuid other = world_conversation(w, f->ann, f->bob);
    p = pull_with(f, f->bob, &from, LARGE, true);
    assert_true(p.page.joinable);
    assert_int_equal(p.page.conversation_count, 2);
    assert_true(p.page.count > 0);
    live_page_fini(&p.page);

    from = now(f);
    world_remove(w, f->ann, other, f->bob);
    p = pull_with(f, f->bob, &from, LARGE, true);
    assert_true(p.page.joinable);
    assert_int_equal(p.page.conversation_count, 1);
    assert_page(f, &p, "conversation.gone");
}

/* --- interrupted rounds -------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The frames of a whole round, sorted. */
struct round {
    char **frames;
    size_t count;
    size_t pages;
    struct cursor next;
};

static void add_page(struct round *r, const struct live_page *page)
{
    r->frames = mem_realloc(r->frames, (r->count + page->count + 1) * sizeof(char *));
    for (size_t i = 0; i < page->count; i++) {
        struct str json = live_frame_json(page->frames[i]);
        char *text = mem_alloc(json.n + 1);
        memcpy(text, json.p, json.n);
        text[json.n] = '\0';
        r->frames[r->count++] = text;
    }
    r->pages++;
    r->next = page->next;
}

static size_t bytes_of(const struct live_page *page)
{
    size_t n = 0;
    for (size_t i = 0; i < page->count; i++) {
        n += page->frames[i]->json_size;
    }
    return n;
}

static struct round read_round(struct fixture *f, struct uuid user_id, struct cursor from,
                               size_t size_max)
{
    struct round r = {0};
    bool more = true;
    while (more) {
        struct live_pull p = pull_with(f, user_id, &from, size_max, false);
        assert_false(p.page.reset);
        assert_true(p.page.count <= 1 || bytes_of(&p.page) <= size_max);
        more = p.page.more;
        assert_true(!more || p.page.count > 0);
        assert_int_equal(p.page.joinable, !more && r.pages == 0);
        from = p.page.next;
        assert_int_equal(from.paging, more);
        add_page(&r, &p.page);
        live_page_fini(&p.page);
    }
    qsort(r.frames, r.count, sizeof(char *), by_text);
    return r;
}

static void round_fini(struct round *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->frames[i]);
    }
    free(r->frames);
}

/* At every size the pages of a round hold the same frames, each once. */
static void assert_same_at_every_size(struct fixture *f, struct uuid user_id, struct cursor from)
{
    static const size_t sizes[] = {1, 200, 500, 501, 700, 1000, 1500, 2000, 4000, 10000, 100000};
    struct round whole = read_round(f, user_id, from, LARGE);
    assert_int_equal(whole.pages, 1);
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        struct round cut = read_round(f, user_id, from, sizes[s]);
        assert_int_equal(cut.count, whole.count);
        if (sizes[s] == 1) {
            assert_int_equal(cut.pages, whole.count);
        }
        for (size_t i = 0; i < whole.count; i++) {
            assert_string_equal(cut.frames[i], whole.frames[i]);
        }
        assert_true(position_eq(&cut.next.at, &whole.next.at));
        round_fini(&cut);
    }
    round_fini(&whole);
}

/* A bit of everything: gone, limited, from scratch, changed, read, many members, own user. */
static struct cursor make_history(struct fixture *f)
{
    struct world *w = &f->w;
    struct uuid talks[4];
    struct uuid old[COUNT_OF(talks)];
    for (size_t i = 0; i < COUNT_OF(talks); i++) {
        talks[i] = world_conversation(w, f->ann, f->bob);
        old[i] = world_send(w, f->ann, talks[i], 5);
    }
    struct uuid older = world_send(w, f->bob, talks[2], 1);
    struct cursor from = now(f);
    world_edit(w, f->bob, older, "new");
    for (size_t i = 0; i < COUNT_OF(talks); i++) {
        world_edit(w, f->ann, old[i], "new");
    }
    world_remove(w, f->ann, talks[0], f->bob);
    world_send(w, f->ann, talks[1], PAGE_MESSAGES_MAX + 1);
    world_pin(w, f->bob, talks[1]);
    world_send(w, f->ann, talks[2], 7);
    world_begin(w);
    for (int i = 0; i < 120; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "user%d", i);
        world_add(w, f->ann, talks[2], world_user(w, name));
    }
    world_commit(w);
    world_send(w, f->bob, world_conversation(w, f->bob, f->ann), 30);
    world_end(w, f->ann, talks[3]);
    world_rename(w, f->bob, "Bob");
    return from;
}

static void test_cut_anywhere(void **state)
{
    struct fixture *f = *state;
    struct cursor from = make_history(f);
    assert_same_at_every_size(f, f->bob, from);
    assert_same_at_every_size(f, f->bob, nothing);
    assert_same_at_every_size(f, f->ann, from);
}

/* Thousands of rows with one stamp: a stamp alone could not say where a page ended. */
static void test_inside_one_commit(void **state)
{
    enum { CONVERSATIONS = 60, EACH = 50 };
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct uuid talks[CONVERSATIONS];
    world_begin(w);
    for (int i = 0; i < CONVERSATIONS; i++) {
        talks[i] = world_conversation(w, f->ann, f->bob);
    }
    world_commit(w);
    struct cursor from = now(f);
    world_begin(w);
    for (int i = 0; i < CONVERSATIONS; i++) {
        world_send(w, f->ann, talks[i], EACH);
    }
    world_commit(w);
    struct round cut = read_round(f, f->bob, from, 20000);
    assert_true(cut.pages > 50);
    assert_int_equal(cut.count, CONVERSATIONS * (1 + EACH + 1));
    for (size_t i = 1; i < cut.count; i++) {
        assert_string_not_equal(cut.frames[i - 1], cut.frames[i]);
    }
    round_fini(&cut);
}

/* --- what happens between two pages -------------------------------------------------------- */

/* Reads pages of one frame until the last was of this kind of frame. */
static struct cursor read_until(struct fixture *f, struct cursor from, const char *what)
{
    for (;;) {
        struct live_pull p = pull_with(f, f->bob, &from, 1, false);
        struct buf text;
        buf_init(&text, TEXT_MAX);
        describe(f, &p.page, &text);
        bool it = str_eq(buf_view(&text), str_of(what));
        bool more = p.page.more;
        from = p.page.next;
        buf_fini(&text);
        live_page_fini(&p.page);
        assert_true(more);
        if (it) {
            return from;
        }
    }
}

/* What comes while a round is on the way is in it or in the next one, which begins at its goal. */
static void test_new_ones_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    struct uuid id = world_send(w, f->ann, f->talk, 1);
    world_send(w, f->ann, f->talk, 2);
    struct cursor goal = now(f);
    from = read_until(f, from, "message 2");
    world_send(w, f->ann, f->talk, 1);
    world_edit(w, f->ann, id, "new");
    struct live_pull p = pull(f, f->bob, &from);
    assert_false(p.page.joinable);
    from = p.page.next;
    assert_true(position_eq(&from.at, &goal.at));
    assert_page(f, &p, "message 3, message 4, message 1 \"new\", read ann 4");
    assert_told(f, f->bob, &from, "conversation, message 4, message 1 \"new\", read ann 4");
}

static void test_too_many_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_send(w, f->ann, f->talk, 3);
    from = read_until(f, from, "message 2");
    world_send(w, f->ann, f->talk, PAGE_MESSAGES_MAX);
    struct live_pull p = pull(f, f->bob, &from);
    assert_int_equal(p.page.count, 1 + PAGE_LIMITED + 1);
    live_page_fini(&p.page);
    read_until(f, from, "conversation from 84");
}

/* A limited conversation goes on with the beginning that the client was told. */
static void test_limited_goes_on(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    world_send(w, f->ann, f->talk, 30);
    struct cursor from = read_until(f, nothing, "message 29");
    world_send(w, f->ann, f->talk, 2);
    struct live_pull p = pull(f, f->bob, &from);
    assert_page(f, &p, "message 30, message 31, message 32");
    world_send(w, f->ann, f->talk, PAGE_MESSAGES_MAX);
    p = pull(f, f->bob, &from);
    assert_int_equal(p.page.count, 2 + PAGE_LIMITED);
    live_page_fini(&p.page);
    read_until(f, from, "conversation from 113");
}

/* Whoever is put out in the middle of a round is told nothing of it any more; that it is gone he
 * hears in the next one. */
static void test_removed_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_send(w, f->ann, f->talk, 3);
    from = read_until(f, from, "message 1");
    world_remove(w, f->ann, f->talk, f->bob);
    struct live_pull p = pull(f, f->bob, &from);
    from = p.page.next;
    assert_page(f, &p, "");
    assert_told(f, f->bob, &from, "conversation.gone");
}

static void test_put_back_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->w;
    struct cursor from = now(f);
    world_send(w, f->ann, f->talk, 3);
    from = read_until(f, from, "message 1");
    world_remove(w, f->ann, f->talk, f->bob);
    world_add(w, f->ann, f->talk, f->bob);
    struct live_pull p = pull(f, f->bob, &from);
    from = p.page.next;
    static const char all[] =
        "conversation from 1, membership read 3, message 1, message 2, message 3";
    assert_page(f, &p, all);
    assert_told(f, f->bob, &from, all);
}

/* A restart in the middle, with nothing lost. */
static void test_restart_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct cursor from = now(f);
    world_send(&f->w, f->ann, f->talk, 3);
    from = read_until(f, from, "message 1");
    f->life = (struct uuid){{2}};
    assert_int_equal(store_incarnation_add(f->w.db, f->life, STR("test"), false, 2), ERR_OK);
    struct live_pull p = pull(f, f->bob, &from);
    assert_true(uuid_eq(p.page.next.incarnation, f->life));
    assert_page(f, &p, "message 2, message 3, read ann 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_from_nothing),
        TEST(test_only_the_newest),
        TEST(test_nobody_knows_him),
        TEST(test_whose_conversations),
        TEST(test_nothing_new),
        TEST(test_state_and_no_replay),
        TEST(test_messages_in_order),
        TEST(test_one_commit),
        TEST(test_own_settings),
        TEST(test_read_positions),
        TEST(test_own_user),
        TEST(test_since_hello),
        TEST(test_ended),
        TEST(test_deleted),
        TEST(test_begun),
        TEST(test_begun_again),
        TEST(test_leaving_and_coming_in_one_commit),
        TEST(test_too_many_new),
        TEST(test_too_many_changed),
        TEST(test_many_members),
        TEST(test_worthless_cursors),
        TEST(test_the_next_life),
        TEST(test_not_signed_in),
        TEST(test_from_the_ring),
        TEST(test_cut_anywhere),
        TEST(test_inside_one_commit),
        TEST(test_new_ones_meanwhile),
        TEST(test_too_many_meanwhile),
        TEST(test_limited_goes_on),
        TEST(test_removed_meanwhile),
        TEST(test_put_back_meanwhile),
        TEST(test_restart_meanwhile),
#undef TEST
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
