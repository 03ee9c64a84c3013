/* What the two halves of the messages area share: messages.c (one message) and message_lists.c. */
#pragma once

#include "chat/message.h"
#include "serve/route.h"

enum { MESSAGE_FLAT_FIELDS = 5, MESSAGE_NESTED_FIELDS = 4, SEND_HEADERS = 1 };

/* Input of POST messages/ and of POST conversations/{id}/messages/. */
extern const struct field api_message_flat_input[MESSAGE_FLAT_FIELDS];
extern const struct field api_message_nested_input[MESSAGE_NESTED_FIELDS];
extern const struct field api_send_headers[SEND_HEADERS];
/* What else their routes have in common. */
#define SEND_EXTRAS                                                                                \
    .headers = api_send_headers, .header_count = SEND_HEADERS, .also = 200,                        \
    .about = "Sends a message. The same client_id again gives what is stored already, with 200.",  \
    .fails = FAILS(ERR_NOT_PARTICIPANT, ERR_CONVERSATION_CLOSED, ERR_IDEMPOTENCY, ERR_CONFLICT)
/* The object of the nested ones: judges first only where the body is bad anyway. */
enum err api_message_target(struct req *r);
enum err api_send_message(struct req *r);
void api_foresee_send(struct req *r, struct uuid sender_id);

/* Which way a list of messages goes: as the query's `ordering` says, else as usual. */
bool api_messages_descend(const struct req *r, bool usual);

/* The object of routes below messages/{id}/ and conversations/{id}/messages/{id}/; r->object is
 * the struct message_view. */
enum err api_message_to_read(struct req *r);
