#include "chat/access.h"

#include "chat/audit.h"
#include "store/change.h"

/* API.md, "Roles". */
struct rule {
    int part_least;  /* the least role that may; NOBODY: not by a role in the conversation */
    bool admin_may;  /* an admin may without it, which is audited where it changes something */
    bool while_open; /* not in a closed conversation */
};

enum { NOBODY = PART_OWNER + 1 };

static const struct rule rules[] = {
    [NEED_READ] = {PART_MEMBER, .admin_may = true},
    [NEED_BELONG] = {PART_MEMBER, .admin_may = false},
    [NEED_SEND] = {PART_MEMBER, .admin_may = false, .while_open = true},
    [NEED_MANAGE] = {PART_MODERATOR, .admin_may = true},
    [NEED_OWN] = {PART_OWNER, .admin_may = true},
    [NEED_ADMIN] = {NOBODY, .admin_may = true},
};

/* What is done to somebody else, by his role. */
static const struct {
    enum chat_need remove;
    enum chat_need delete_message;
} over[] = {
    [PART_MEMBER] = {NEED_MANAGE, NEED_MANAGE},
    [PART_MODERATOR] = {NEED_OWN, NEED_MANAGE},
    [PART_OWNER] = {NEED_ADMIN, NEED_ADMIN},
};

enum chat_need chat_need_to_remove(enum part target)
{
    return over[target].remove;
}

enum chat_need chat_need_to_delete_message(enum part sender)
{
    return over[sender].delete_message;
}

static bool may_by_part(const struct conversation_view *view, enum chat_need need)
{
    return view->is_member && (int)view->mine.role >= rules[need].part_least;
}

static bool may_as_admin(const struct call *call, enum chat_need need)
{
    return rules[need].admin_may && call_is_admin(call);
}

bool chat_may(const struct call *call, const struct conversation_view *view, enum chat_need need)
{
    return may_by_part(view, need) || may_as_admin(call, need);
}

enum err chat_check(const struct call *call, const struct conversation_view *view,
                    enum chat_need need, enum err to_stranger)
{
    if (!chat_may(call, view, need)) {
        if (view->is_member) {
            return ERR_FORBIDDEN;
        }
        /* An admin sees it, so it exists to him; he is just not in it. */
        return may_as_admin(call, NEED_READ) ? ERR_NOT_PARTICIPANT : to_stranger;
    }
    if (rules[need].while_open && view->conversation.closed_at != 0) {
        return ERR_CONVERSATION_CLOSED;
    }
    return ERR_OK;
}

enum err chat_conversation_open(struct call *call, struct uuid id, enum chat_need need,
                                enum err to_stranger, struct conversation_view *out)
{
    bool found = false;
    enum err e = store_hold(call->db, id, NULL); /* who writes judges by what cannot change */
    if (e == ERR_OK) {
        e = store_conversation_view(call->db, call->arena, id, call->me->id, out, &found);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = found ? chat_check(call, out, need, to_stranger) : ERR_NOT_FOUND;
    if (e == ERR_OK && need == NEED_READ && !may_by_part(out, need)) {
        chat_audit_note(call, "conversation.read", id);
    }
    return e;
}

static struct str audit_detail(struct arena *a, struct uuid user_id)
{
    char text[UUID_TEXT];
    if (uuid_is_zero(user_id)) {
        return STR("{}");
    }
    uuid_format(user_id, text);
    return arena_printf(a, "{\"user_id\":\"%.*s\"}", UUID_TEXT, text);
}

enum err chat_audit(struct call *call, const struct conversation_view *view, enum chat_need need,
                    const char *action, struct uuid user_id)
{
    if (may_by_part(view, need)) {
        return ERR_OK;
    }
    return chat_audit_add(call, action, view->conversation.id, audit_detail(call->arena, user_id));
}
