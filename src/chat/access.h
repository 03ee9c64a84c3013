/* Who may do what in a conversation: the table of API.md, "Roles". Every question about rights in a
 * conversation is asked here; no other file compares roles. */
#pragma once

#include "chat/call.h"
#include "store/conversation.h"

enum chat_need {
    NEED_READ,   /* read it: members; admins everywhere */
    NEED_BELONG, /* be a member: own view, read position */
    NEED_SEND,   /* write into it: members, while it is not closed */
    NEED_MANAGE, /* rename, add, remove members, delete their messages, pin, close: moderators */
    NEED_OWN,    /* name and remove moderators, delete it: the owner */
    NEED_ADMIN,  /* what only an admin may */
};

/* What it takes to end the membership of somebody else. */
enum chat_need chat_need_to_remove(enum part target);
/* What it takes to delete a message of somebody else; of one who has left: PART_MEMBER. */
enum chat_need chat_need_to_delete_message(enum part sender);

bool chat_may(const struct call *call, const struct conversation_view *view, enum chat_need need);
/* ERR_OK, ERR_FORBIDDEN, ERR_CONVERSATION_CLOSED, or `to_stranger` for one to whom the conversation
 * does not exist (ERR_NOT_FOUND or ERR_NOT_PARTICIPANT). */
enum err chat_check(const struct call *call, const struct conversation_view *view,
                    enum chat_need need, enum err to_stranger) CHECKED;
/* Finds the conversation and checks. Unknown and deleted ones are ERR_NOT_FOUND. What an admin is shown
 * by NEED_READ alone is noted for the audit log. */
enum err chat_conversation_open(struct call *call, struct uuid id, enum chat_need need,
                                enum err to_stranger, struct conversation_view *out) CHECKED;

/* Writes an audit row if the caller may do what he does only as an admin. `user_id`: whom it
 * concerns; zero: nobody in particular. */
enum err chat_audit(struct call *call, const struct conversation_view *view, enum chat_need need,
                    const char *action, struct uuid user_id) CHECKED;
