/* Conversations and their participants as JSON. */
#pragma once

#include "serve/route.h"
#include "store/conversation.h"
#include "store/participant.h"

enum {
    CONVERSATION_PARTICIPANTS_SHOWN = 100,
    CONVERSATION_MESSAGES_SHOWN = 20, /* in the detail */
    CONVERSATION_MESSAGES_LISTED = 1, /* in a list */
    CONVERSATION_MESSAGES_MAX = 100,
};

/* With its participants and the newest `message_limit` messages. */
enum err api_write_conversation(struct req *r, const struct conversation_view *view,
                                int64_t message_limit) CHECKED;
void api_write_member(struct req *r, const struct member *member);
/* "participants": the first hundred, into an open object. */
enum err api_write_members(struct req *r, const struct conversation *conversation) CHECKED;
/* The caller's own membership. */
void api_write_membership(struct req *r, const struct conversation_view *view);

extern const struct shape shape_conversation;
extern const struct shape shape_conversation_page;
extern const struct shape shape_participant;
extern const struct shape shape_participant_page;
extern const struct shape shape_membership;
