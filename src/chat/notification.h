/* Notifications: the unread messages of the conversations that the caller is in and has not muted.
 * Reading one, here or elsewhere, is all there is to do with it. */
#pragma once

#include "chat/message.h"
#include "store/notification.h"

/* Where the caller has something unread, newest activity first. */
enum err chat_notification_sources(struct call *call, struct unread **rows, size_t *count) CHECKED;

/* The message of a notification, read or not, muted or not. ERR_NOT_FOUND: there is none of it for
 * the caller, as it is his own, or in no conversation that he is in. */
enum err chat_notification_open(struct call *call, struct uuid message_id, struct message_view *out)
    CHECKED;

struct notifications_read {
    int64_t conversations;
    int64_t messages;
};

/* Moves the read position to the end of one conversation, muted or not, or (zero) of all that are
 * not muted. ERR_INVALID: a problem of `conversation`, which the caller is not in. */
enum err chat_notification_read_all(struct call *call, struct uuid conversation_id,
                                    struct notifications_read *out) CHECKED;
