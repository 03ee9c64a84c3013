#include "chat/history.h"

#include "base/utf8.h"
#include "chat/account.h"
#include "chat/words.h"

/* Sets *out to the user's id; an unknown one leaves nothing to find. */
static enum err name_user(struct call *call, struct str ref, struct db_val *out, bool *nothing)
{
    struct user user;
    bool found = true;
    if (ref.p == NULL) {
        return ERR_OK;
    }
    enum err e = chat_account_find(call, ref, &user, &found);
    if (e == ERR_OK && found) {
        *out = V_UUID(user.id);
    } else {
        *nothing = true;
    }
    return e;
}

/* Only by membership: an admin opens what he is not in by its own path. */
static enum err name_conversation(struct call *call, struct uuid id, struct message_filter *out)
{
    struct conversation_view *view = ARENA_NEW(call->arena, struct conversation_view);
    bool found = false;
    if (uuid_is_zero(id)) {
        return ERR_OK;
    }
    enum err e = store_conversation_view(call->db, call->arena, id, call->me->id, view, &found);
    if (found && view->is_member) {
        out->conversation = &view->conversation;
    } else {
        out->nothing = true;
    }
    return e;
}

static enum err set_needles(struct call *call, const struct message_search *search,
                            struct db_val needles[MESSAGE_NEEDLES_MAX])
{
    size_t count = 0;
    enum err e = chat_search_words(call, search->words, needles, MESSAGE_WORDS_MAX, &count);
    if (e == ERR_OK && search->text.p != NULL) {
        needles[count] = V_TEXT(utf8_fold(call->arena, search->text));
    }
    return e;
}

enum err chat_history_filter(struct call *call, const struct message_search *search,
                             struct message_filter *out)
{
    out->reader_id = call->me->id;
    if (search->sender_name.p != NULL) {
        out->sender_name = V_TEXT(utf8_fold(call->arena, search->sender_name));
    }
    enum err e = set_needles(call, search, out->needles);
    if (e == ERR_OK) {
        e = name_conversation(call, search->conversation_id, out);
    }
    if (e == ERR_OK) {
        e = name_user(call, search->sender, &out->sender, &out->nothing);
    }
    if (e == ERR_OK) {
        e = name_user(call, search->participant, &out->participant, &out->nothing);
    }
    return e;
}
