#include "chat/notification.h"

#include "chat/participant.h"
#include "store/change.h"

enum err chat_notification_sources(struct call *call, struct unread **rows, size_t *count)
{
    return store_unread_list(call->db, call->arena, call->me->id, call->now_us, rows, count);
}

enum err chat_notification_open(struct call *call, struct uuid message_id, struct message_view *out)
{
    enum err e = chat_message_open(call, message_id, out);
    if (e != ERR_OK) {
        return e;
    }
    bool is_mine = uuid_eq(out->message.sender_id, call->me->id);
    return out->in.is_member && !is_mine ? ERR_OK : ERR_NOT_FOUND;
}

static enum err read_to_end(struct call *call, struct uuid conversation_id, int64_t read_seq,
                            int64_t last_seq, struct notifications_read *out)
{
    if (last_seq <= read_seq) {
        return ERR_OK;
    }
    out->conversations++;
    out->messages += last_seq - read_seq;
    return store_participant_read(call->db, conversation_id, call->me->id, last_seq);
}

static enum err unknown_conversation(struct call *call, struct uuid id)
{
    char text[UUID_TEXT];
    uuid_format(id, text);
    problems_add(
        call->problems, "conversation",
        arena_printf(call->arena, "Invalid pk \"%.*s\" - object does not exist.", UUID_TEXT, text));
    return ERR_INVALID;
}

static enum err read_one(struct call *call, struct uuid id, struct notifications_read *out)
{
    struct conversation_view view;
    bool found = false;
    enum err e = store_conversation_view(call->db, call->arena, id, call->me->id, &view, &found);
    if (e != ERR_OK) {
        return e;
    }
    if (!found || !view.is_member) {
        return unknown_conversation(call, id);
    }
    return read_to_end(call, id, view.mine.read_seq, view.conversation.last_seq, out);
}

static enum err read_all(struct call *call, struct notifications_read *out)
{
    struct unread *rows = NULL;
    size_t count = 0;
    enum err e = store_hold_all(call->db); /* they may be anywhere */
    if (e == ERR_OK) {
        e = chat_notification_sources(call, &rows, &count);
    }
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = read_to_end(call, rows[i].conversation_id, rows[i].read_seq, rows[i].last_seq, out);
    }
    return e;
}

enum err chat_notification_read_all(struct call *call, struct uuid conversation_id,
                                    struct notifications_read *out)
{
    *out = (struct notifications_read){0};
    return uuid_is_zero(conversation_id) ? read_all(call, out)
                                         : read_one(call, conversation_id, out);
}
