#include "chat/message.h"

#include "chat/participant.h"
#include "crypto/random.h"
#include "store/change.h"
#include "store/system.h"

/* --- sending once ------------------------------------------------------------------------- */

/* What makes two requests with one client_id the same. Attachments will be a part of it. */
static void fingerprint_of(const struct message_draft *draft, uint8_t out[SHA256_SIZE])
{
    bool is_reply = !uuid_is_zero(draft->reply_to);
    struct digest d;
    digest_init(&d);
    digest_add(&d, str_of_bytes(draft->conversation_id.b, sizeof(draft->conversation_id.b)));
    digest_add(&d, draft->body);
    digest_add(&d,
               is_reply ? str_of_bytes(draft->reply_to.b, sizeof(draft->reply_to.b)) : STR_NULL);
    digest_end(&d, out);
}

/* ERR_IDEMPOTENCY: the caller has used the client_id for something else. */
static enum err find_sent(struct call *call, const struct message_draft *draft,
                          const uint8_t fingerprint[SHA256_SIZE], struct message *out, bool *found)
{
    uint8_t stored[SHA256_SIZE];
    struct uuid id;
    enum err e =
        store_message_sent_as(call->db, call->me->id, draft->client_id, &id, stored, found);
    if (e != ERR_OK || !*found) {
        return e;
    }
    if (memcmp(stored, fingerprint, sizeof(stored)) != 0) {
        return ERR_IDEMPOTENCY;
    }
    return store_message_get(call->db, call->arena, id, call->me->id, out, found);
}

static enum err may_send(struct call *call, struct uuid conversation_id)
{
    struct conversation_view view;
    return chat_conversation_open(call, conversation_id, NEED_SEND, ERR_NOT_PARTICIPANT, &view);
}

/* Before anything is written: a request that fails after it wrote costs its whole batch a second
 * run. Strangers learn nothing of what is in the conversation. */
static enum err check_reply(struct call *call, const struct message_draft *draft)
{
    char id[UUID_TEXT];
    bool found = false;
    if (uuid_is_zero(draft->reply_to)) {
        return ERR_OK;
    }
    enum err e = may_send(call, draft->conversation_id);
    if (e == ERR_OK) {
        e = store_message_is_in(call->db, draft->reply_to, draft->conversation_id, &found);
    }
    if (e != ERR_OK || found) {
        return e;
    }
    uuid_format(draft->reply_to, id);
    problems_add(
        call->problems, "reply_to",
        arena_printf(call->arena, "Invalid pk \"%.*s\" - object does not exist.", UUID_TEXT, id));
    return ERR_INVALID;
}

/* The insert did not find the conversation open to the caller: why? */
static enum err why_not(struct call *call, struct uuid conversation_id)
{
    enum err e = may_send(call, conversation_id);
    return e == ERR_OK ? ERR_INTERNAL : e;
}

static enum err add_message(struct call *call, const struct message_draft *draft,
                            const uint8_t *fingerprint, struct message *out)
{
    bool added = false;
    *out = (struct message){
        .conversation_id = draft->conversation_id,
        .id = random_uuid_v7(),
        .sender_id = call->me->id,
        .body = draft->body,
        .metadata = draft->metadata.p != NULL ? draft->metadata : STR("{}"),
        .reply_to = draft->reply_to,
        .client_id = draft->client_id,
        .sender = *call->me,
    };
    enum err e = check_reply(call, draft);
    if (e == ERR_OK) {
        e = store_message_add(call->db, call->now_us, fingerprint, out, &added);
    }
    return e == ERR_OK && !added ? why_not(call, draft->conversation_id) : e;
}

enum err chat_message_send(struct call *call, const struct message_draft *draft,
                           struct message *out, bool *replayed)
{
    uint8_t fingerprint[SHA256_SIZE];
    *replayed = false;
    if (uuid_is_zero(draft->client_id)) {
        return add_message(call, draft, NULL, out);
    }
    fingerprint_of(draft, fingerprint);
    enum err e = find_sent(call, draft, fingerprint, out, replayed);
    if (e != ERR_OK || *replayed) {
        return e;
    }
    e = add_message(call, draft, fingerprint, out);
    if (e == ERR_DB_UNIQUE) { /* somebody else wrote it between the two; nothing was written here */
        e = find_sent(call, draft, fingerprint, out, replayed);
        return e == ERR_OK && !*replayed ? ERR_CONFLICT : e;
    }
    return e;
}

/* --- finding ------------------------------------------------------------------------------ */

static enum err find_message(struct call *call, struct uuid id, struct message *out)
{
    bool found = false;
    bool late = false;
    enum err e = store_message_get(call->db, call->arena, id, call->me->id, out, &found);
    if (e == ERR_OK && found) {
        e = store_hold(call->db, out->conversation_id, &late);
    }
    if (e == ERR_OK && late) { /* it may have been changed in between */
        e = store_message_get(call->db, call->arena, id, call->me->id, out, &found);
    }
    return e == ERR_OK && (!found || out->deleted_at != 0) ? ERR_NOT_FOUND : e;
}

enum err chat_message_open(struct call *call, struct uuid id, struct message_view *out)
{
    enum err e = find_message(call, id, &out->message);
    if (e != ERR_OK) {
        return e;
    }
    return chat_conversation_open(call, out->message.conversation_id, NEED_READ, ERR_NOT_FOUND,
                                  &out->in);
}

enum err chat_message_open_in(struct call *call, struct uuid conversation_id, struct uuid id,
                              struct message_view *out)
{
    enum err e =
        chat_conversation_open(call, conversation_id, NEED_READ, ERR_NOT_PARTICIPANT, &out->in);
    if (e == ERR_OK) {
        e = find_message(call, id, &out->message);
    }
    if (e != ERR_OK) {
        return e;
    }
    return uuid_eq(out->message.conversation_id, conversation_id) ? ERR_OK : ERR_NOT_FOUND;
}

/* --- changing ----------------------------------------------------------------------------- */

static bool is_senders(const struct call *call, const struct message_view *view)
{
    return uuid_eq(view->message.sender_id, call->me->id);
}

enum err chat_message_may_edit(const struct call *call, const struct message_view *view)
{
    return is_senders(call, view) ? ERR_OK : ERR_NOT_SENDER;
}

/* What the caller needs to delete it, by the sender's role. */
static enum err need_to_delete(struct call *call, const struct message_view *view,
                               enum chat_need *need)
{
    struct participant sender;
    bool found = false;
    *need = NEED_READ;
    if (is_senders(call, view)) {
        return ERR_OK;
    }
    enum err e = store_participant_get(call->db, view->message.conversation_id,
                                       view->message.sender_id, &sender, &found);
    *need = chat_need_to_delete_message(found ? sender.role : PART_MEMBER);
    return e;
}

enum err chat_message_may_delete(struct call *call, const struct message_view *view)
{
    enum chat_need need;
    enum err e = need_to_delete(call, view, &need);
    if (e != ERR_OK) {
        return e;
    }
    return chat_may(call, &view->in, need) ? ERR_OK : ERR_NOT_SENDER;
}

/* The number of the change, for the message and its conversation. */
static void raise_rev(struct message_view *view)
{
    view->in.conversation.rev++;
    view->message.rev = view->in.conversation.rev;
}

enum err chat_message_edit(struct call *call, struct message_view *view, struct str body)
{
    struct message *m = &view->message;
    if (str_eq(m->body, body)) {
        return ERR_OK;
    }
    enum err e = store_history_add(call->db, m);
    if (e != ERR_OK) {
        return e;
    }
    raise_rev(view);
    m->body = body;
    m->edited_at = call->now_us > m->sent_at ? call->now_us : m->sent_at;
    return store_message_save(call->db, m);
}

enum err chat_message_delete(struct call *call, struct message_view *view)
{
    struct message *m = &view->message;
    enum chat_need need;
    enum err e = need_to_delete(call, view, &need);
    if (e == ERR_OK && !is_senders(call, view)) {
        e = chat_audit(call, &view->in, need, "message.delete", m->sender_id);
    }
    if (e != ERR_OK) {
        return e;
    }
    raise_rev(view);
    m->body = STR("");
    m->metadata = STR("{}");
    m->deleted_at = call->now_us;
    m->pinned_at = 0;
    return store_message_bury(call->db, m);
}

enum err chat_message_set_pinned(struct call *call, struct message_view *view, bool pinned)
{
    struct message *m = &view->message;
    enum err e = chat_check(call, &view->in, NEED_MANAGE, ERR_NOT_FOUND);
    if (e != ERR_OK || (m->pinned_at != 0) == pinned) {
        return e;
    }
    e = chat_audit(call, &view->in, NEED_MANAGE, pinned ? "message.pin" : "message.unpin",
                   m->sender_id);
    if (e != ERR_OK) {
        return e;
    }
    raise_rev(view);
    m->pinned_at = pinned ? call->now_us : 0;
    return store_message_save(call->db, m);
}

enum err chat_message_read(struct call *call, struct message_view *view)
{
    struct message *m = &view->message;
    enum err e = chat_check(call, &view->in, NEED_BELONG, ERR_NOT_PARTICIPANT);
    if (e == ERR_OK) {
        e = chat_participant_read(call, &view->in, m->seq);
    }
    if (e == ERR_OK && !is_senders(call, view)) {
        m->is_read = true;
    }
    return e;
}
