#include "chat/conversation.h"

#include "base/utf8.h"
#include "chat/account.h"
#include "chat/audit.h"
#include "chat/message.h"
#include "chat/words.h"
#include "crypto/hash.h"
#include "store/change.h"
#include "store/system.h"

/* ------- making ------- */

static void leave_out(struct people *people, struct uuid id)
{
    size_t kept = 0;
    for (size_t i = 0; i < people->count; i++) {
        if (!uuid_eq(people->ids[i], id)) {
            people->ids[kept++] = people->ids[i];
        }
    }
    people->count = kept;
}

static enum err refuse_people(struct call *call, struct str why)
{
    problems_add(call->problems, "participants", why);
    return ERR_INVALID;
}

enum err chat_conversation_people(struct call *call, const struct str *refs, size_t count,
                                  bool direct, struct people *out)
{
    enum err e = chat_people_find(call, "participants", refs, count, out);
    if (e != ERR_OK) {
        return e;
    }
    leave_out(out, call->me->id);
    if (direct && out->count != 1) {
        return refuse_people(call, STR("A direct conversation is with exactly one other user."));
    }
    if ((int64_t)out->count >= call->limits->participants_max) {
        return refuse_people(call, STR("A conversation cannot have that many participants."));
    }
    return ERR_OK;
}

void chat_conversation_direct_key(struct uuid a, struct uuid b, uint8_t out[SHA256_SIZE])
{
    struct uuid pair[2] = {a, b};
    if (uuid_compare(a, b) > 0) {
        pair[0] = b;
        pair[1] = a;
    }
    sha256(str_of_bytes(pair, sizeof(pair)), out);
}

/* Adds those who are not in it; the caller comes first, so that he owns an empty one. */
static enum err begin_all(struct call *call, struct conversation *conversation,
                          const struct people *others)
{
    enum err e = chat_membership_begin(call, conversation, call->me->id);
    for (size_t i = 0; i < others->count && e == ERR_OK; i++) {
        e = chat_membership_begin(call, conversation, others->ids[i]);
    }
    return e;
}

static enum err join_again(struct call *call, struct conversation *conversation,
                           struct uuid user_id)
{
    struct participant present;
    bool found = false;
    enum err e = store_participant_get(call->db, conversation->id, user_id, &present, &found);
    return e == ERR_OK && !found ? chat_membership_begin(call, conversation, user_id) : e;
}

/* If the pair has one already, both are in it again. */
static enum err reopen_direct(struct call *call, const uint8_t direct_key[SHA256_SIZE],
                              const struct conversation_draft *draft,
                              struct conversation *conversation, bool *existed)
{
    struct conversation_view view;
    struct uuid id;
    enum err e = store_conversation_direct(call->db, direct_key, &id, existed);
    if (e == ERR_OK && *existed) {
        /* It may be in another shard: from before there was this rule, or imported. */
        e = store_hold(call->db, id, NULL);
    }
    if (e == ERR_OK && *existed) {
        e = store_conversation_view(call->db, call->arena, id, call->me->id, &view, existed);
    }
    if (e != ERR_OK || !*existed) {
        return e;
    }
    if (draft->message_body.p != NULL && view.conversation.closed_at != 0) {
        return ERR_CONVERSATION_CLOSED; /* before anybody is made to join */
    }
    *conversation = view.conversation;
    e = join_again(call, conversation, call->me->id);
    if (e == ERR_OK) {
        e = join_again(call, conversation, draft->people.ids[0]);
    }
    if (e != ERR_OK || conversation->rev == view.conversation.rev) {
        return e;
    }
    return store_conversation_save(call->db, conversation, 0);
}

/* What is between two belongs to the shard of the lesser: who holds it sees whether there is one, and
 * nobody else adds one meanwhile. */
static enum err look_for_direct(struct call *call, const struct conversation_draft *draft,
                                struct conversation *conversation, uint8_t direct_key[SHA256_SIZE],
                                bool *existed)
{
    struct uuid me = call->me->id;
    struct uuid other = draft->people.ids[0];
    struct uuid lesser = uuid_compare(me, other) < 0 ? me : other;
    enum err e = store_hold(call->db, lesser, NULL);
    if (e != ERR_OK) {
        return e;
    }
    chat_conversation_direct_key(me, other, direct_key);
    conversation->id = store_new_id_beside(call->db, lesser);
    return reopen_direct(call, direct_key, draft, conversation, existed);
}

static enum err add(struct call *call, const struct conversation_draft *draft,
                    struct conversation *conversation, bool *existed)
{
    uint8_t key[SHA256_SIZE] = {0};
    bool added = false;
    enum err e = ERR_OK;
    *existed = false;
    if (draft->direct) {
        e = look_for_direct(call, draft, conversation, key, existed);
    }
    if (e != ERR_OK || *existed) {
        return e;
    }
    e = store_conversation_add(call->db, conversation, draft->direct ? key : NULL, &added);
    if (e != ERR_OK || !added) {
        return e == ERR_OK ? ERR_CONFLICT : e;
    }
    e = begin_all(call, conversation, &draft->people);
    if (e == ERR_OK) {
        e = store_conversation_save(call->db, conversation, 0);
    }
    return e == ERR_OK ? store_tally_add(call->db, TALLY_CONVERSATIONS, 1) : e;
}

static enum err send_first(struct call *call, struct uuid conversation_id, struct str body)
{
    struct message_draft draft = {.conversation_id = conversation_id, .body = body};
    struct message message;
    bool replayed = false;
    return chat_message_send(call, &draft, &message, &replayed);
}

enum err chat_conversation_create(struct call *call, const struct conversation_draft *draft,
                                  struct conversation_view *out, bool *existed)
{
    struct conversation conversation = {
        .id = store_new_id(call->db),
        .title = draft->title,
        .metadata = draft->metadata,
        .direct = draft->direct,
        .created_by = call->me->id,
        .created_at = call->now_us,
        .updated_at = call->now_us,
        .rev = 1,
    };
    enum err e = add(call, draft, &conversation, existed);
    if (e == ERR_OK && draft->message_body.p != NULL) {
        e = send_first(call, conversation.id, draft->message_body);
    }
    if (e != ERR_OK) {
        return e;
    }
    return chat_conversation_open(call, conversation.id, NEED_BELONG, ERR_NOT_FOUND, out);
}

/* ------- changing ------- */

static bool replace_text(struct str *present, struct str wanted)
{
    if (wanted.p == NULL || str_eq(*present, wanted)) {
        return false;
    }
    *present = wanted;
    return true;
}

/* `own_rev`: as store_conversation_save wants it. */
static enum err save_changed(struct call *call, struct conversation_view *view, int64_t own_rev,
                             enum chat_need need, const char *action)
{
    view->conversation.updated_at = call->now_us;
    enum err e = store_conversation_save(call->db, &view->conversation, own_rev);
    return e == ERR_OK ? chat_audit(call, view, need, action, (struct uuid){{0}}) : e;
}

enum err chat_conversation_change(struct call *call, struct conversation_view *view,
                                  const struct conversation_change *change)
{
    struct conversation *conversation = &view->conversation;
    bool title = replace_text(&conversation->title, change->title);
    bool metadata = replace_text(&conversation->metadata, change->metadata);
    bool people = false;
    int64_t own_rev = 0;
    if (title || metadata) {
        own_rev = ++conversation->rev;
    }
    if (change->people != NULL) {
        enum err e = chat_participant_replace(call, view, change->people, &people);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (!title && !metadata && !people) {
        return ERR_OK;
    }
    return save_changed(call, view, own_rev, NEED_MANAGE, "conversation.change");
}

enum err chat_conversation_set_closed(struct call *call, struct conversation_view *view,
                                      bool closed)
{
    if ((view->conversation.closed_at != 0) == closed) {
        return ERR_OK;
    }
    view->conversation.closed_at = closed ? call->now_us : 0;
    int64_t own_rev = ++view->conversation.rev;
    return save_changed(call, view, own_rev, NEED_MANAGE,
                        closed ? "conversation.close" : "conversation.reopen");
}

/* ------- deleting ------- */

static enum err hide(struct call *call, struct conversation *conversation)
{
    conversation->deleted_at = call->now_us;
    conversation->rev++;
    enum err e =
        store_participant_end_all(call->db, conversation->id, call->now_us, conversation->rev);
    if (e != ERR_OK) {
        return e;
    }
    return store_conversation_delete(call->db, conversation);
}

enum err chat_conversation_delete(struct call *call, struct conversation_view *view)
{
    struct conversation *conversation = &view->conversation;
    enum err e = hide(call, conversation);
    if (e == ERR_OK) {
        e = store_tally_add(call->db, TALLY_CONVERSATIONS, -1);
    }
    if (e == ERR_OK) {
        e = store_tally_add(call->db, TALLY_MESSAGES, -conversation->message_count);
    }
    if (e == ERR_OK) {
        e = store_erasure_add(call->db, "conversation", conversation->id, call->now_us);
    }
    if (e != ERR_OK) {
        return e;
    }
    return chat_audit(call, view, NEED_OWN, "conversation.delete", (struct uuid){{0}});
}

/* ------- finding ------- */

/* The user, or an id that is nobody's. */
static enum err find_participant(struct call *call, struct str ref, struct db_val *out)
{
    struct user user;
    bool found = false;
    if (ref.p == NULL) {
        return ERR_OK;
    }
    enum err e = chat_account_find(call, ref, &user, &found);
    *out = V_UUID(found ? user.id : (struct uuid){{0}});
    return e;
}

enum err chat_conversation_filter(struct call *call, const struct conversation_search *search,
                                  struct conversation_filter *filter)
{
    filter->reader_id = call->me->id;
    filter->all = search->all && call_is_admin(call);
    if (search->username.p != NULL) {
        filter->username = V_TEXT(utf8_fold(call->arena, search->username));
    }
    size_t count = 0;
    enum err e =
        chat_search_words(call, search->words, filter->words, CONVERSATION_WORDS_MAX, &count);
    for (size_t i = 0; i < COUNT_OF(search->participants) && e == ERR_OK; i++) {
        e = find_participant(call, search->participants[i], &filter->participants[i]);
    }
    return e;
}

void chat_conversation_note_all(struct call *call)
{
    chat_audit_note(call, "conversation.list_all", (struct uuid){{0}});
}
