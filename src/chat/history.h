/* What a reader may see of messages in lists: from what he asks for to a filter of the store. */
#pragma once

#include "chat/access.h"
#include "store/message_list.h"

/* Absent texts and zero ids ask for nothing. */
struct message_search {
    struct uuid conversation_id; /* one of the reader's; others have nothing to show */
    struct str sender;           /* id, username or e-mail, exactly */
    struct str sender_name;      /* part of the sender's username */
    struct str participant;      /* id, username or e-mail, exactly */
    struct str text;             /* part of the body */
    struct str words;            /* each, by blanks and commas, is part of the body */
};

/* The reader's own: sets reader, conversation, sender, participant and needles of the filter.
 * E-mails name somebody only to those who may see them; an unknown user matches nothing.
 * ERR_INVALID: more than MESSAGE_WORDS_MAX words. */
enum err chat_history_filter(struct call *call, const struct message_search *search,
                             struct message_filter *out) CHECKED;
