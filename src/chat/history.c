#include "chat/history.h"

#include "base/utf8.h"
#include "chat/account.h"

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

/* Blanks and commas, as DRF's search has them. */
static const char word_ends[] = " ,\t\n\v\f\r";

static bool next_word(struct str *rest, struct str *word)
{
    while (rest->n > 0) {
        size_t n = 0;
        while (n < rest->n && strchr(word_ends, rest->p[n]) == NULL) {
            n++;
        }
        *word = utf8_trim((struct str){rest->p, n});
        size_t passed = n < rest->n ? n + 1 : n;
        *rest = (struct str){rest->p + passed, rest->n - passed};
        if (word->n > 0) {
            return true;
        }
    }
    return false;
}

static void set_needles(struct arena *a, const struct message_search *search,
                        struct db_val needles[MESSAGE_NEEDLES_MAX])
{
    size_t count = 0;
    struct str rest = search->words;
    struct str word;
    while (count < MESSAGE_WORDS_MAX && next_word(&rest, &word)) {
        needles[count++] = V_TEXT(utf8_fold(a, word));
    }
    if (search->text.p != NULL) {
        needles[count] = V_TEXT(utf8_fold(a, search->text));
    }
}

enum err chat_history_filter(struct call *call, const struct message_search *search,
                             struct message_filter *out)
{
    out->reader_id = call->me->id;
    set_needles(call->arena, search, out->needles);
    if (search->sender_name.p != NULL) {
        out->sender_name = V_TEXT(utf8_fold(call->arena, search->sender_name));
    }
    enum err e = name_conversation(call, search->conversation_id, out);
    if (e == ERR_OK) {
        e = name_user(call, search->sender, &out->sender, &out->nothing);
    }
    if (e == ERR_OK) {
        e = name_user(call, search->participant, &out->participant, &out->nothing);
    }
    return e;
}
