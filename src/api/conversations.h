/* What the routes below conversations/{id}/ share. */
#pragma once

#include "chat/conversation.h"
#include "serve/page.h"
#include "serve/route.h"

/* For route->object: opens the conversation of the path; strangers get 404. */
enum err api_open_conversation(struct req *r, enum chat_need need) CHECKED;
enum err api_conversation_to_read(struct req *r) CHECKED;
enum err api_conversation_to_belong(struct req *r) CHECKED;
enum err api_conversation_to_manage(struct req *r) CHECKED;
enum err api_conversation_to_own(struct req *r) CHECKED;

/* What one of them found. */
struct conversation_view *api_conversation(struct req *r);

/* By enum conversation_order. */
enum { CONVERSATION_ORDERINGS = 2 };
extern const struct ordering api_conversation_orderings[CONVERSATION_ORDERINGS];

/* A handler's end: the conversation as in its detail. */
enum err api_answer_conversation(struct req *r) CHECKED;
