/* Conversations: making, changing, closing and deleting them. */
#pragma once

#include "chat/participant.h"
#include "crypto/hash.h"

struct conversation_draft {
    struct str title;
    struct str metadata;     /* a JSON object */
    bool direct;             /* the one-to-one conversation of the caller and one other */
    struct people people;    /* from chat_conversation_people */
    struct str message_body; /* the first message; absent: none */
};

/* Who is to take part in a new conversation, without the caller; what is wrong with them is a
 * problem of `participants`. */
enum err chat_conversation_people(struct call *call, const struct str *refs, size_t count,
                                  bool direct, struct people *out) CHECKED;
/* *existed: the pair has its direct conversation already; who had left it is in it again. */
enum err chat_conversation_create(struct call *call, const struct conversation_draft *draft,
                                  struct conversation_view *out, bool *existed) CHECKED;

/* What a pair's one-to-one conversation is unique by, whoever comes first. */
void chat_conversation_direct_key(struct uuid a, struct uuid b, uint8_t out[SHA256_SIZE]);

struct conversation_change {
    struct str title;            /* absent: as it is */
    struct str metadata;         /* absent: as it is */
    const struct people *people; /* NULL: as they are */
};

enum err chat_conversation_change(struct call *call, struct conversation_view *view,
                                  const struct conversation_change *change) CHECKED;
enum err chat_conversation_set_closed(struct call *call, struct conversation_view *view,
                                      bool closed) CHECKED;
/* Hidden at once, for all; wiped in the background. */
enum err chat_conversation_delete(struct call *call, struct conversation_view *view) CHECKED;

/* What a reader asks for; absent texts ask for nothing. */
struct conversation_search {
    bool all;                   /* admins only; others get theirs */
    struct str participants[2]; /* id, username or e-mail, exactly */
    struct str username;        /* part of one */
    struct str words;           /* each must be found in the title or in names */
};

/* Sets reader, scope, people and words of the filter. E-mails name somebody only to those who may
 * see them; a user who is not known matches nothing. */
enum err chat_conversation_filter(struct call *call, const struct conversation_search *search,
                                  struct conversation_filter *filter) CHECKED;
/* For the audit log: an admin looks at the conversations of all. */
void chat_conversation_note_all(struct call *call);
