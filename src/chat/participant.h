/* Memberships: who comes, goes, rises, and how far he has read.
 *
 * The caller has opened the view with the need that is named; what depends on the other's role is
 * checked here. view->conversation is kept as it is stored. */
#pragma once

#include "chat/access.h"
#include "store/participant.h"

/* Users by id: sorted, each once. */
struct people {
    struct uuid *ids;
    size_t count;
};

bool people_has(const struct people *people, struct uuid id);

/* Users by id, username or e-mail. The first that is unknown is a problem of `field`, as DRF's
 * related fields tell it; so are more than a conversation may have. */
enum err chat_people_find(struct call *call, const char *field, const struct str *refs,
                          size_t count, struct people *out) CHECKED;
/* One of them. ERR_INVALID: unknown, with its problem. */
enum err chat_person_find(struct call *call, const char *field, struct str ref, struct uuid *out)
    CHECKED;

/* NEED_MANAGE. *joined is false if the user was in it already. */
enum err chat_participant_add(struct call *call, struct conversation_view *view,
                              struct uuid user_id, bool *joined) CHECKED;
/* NEED_READ. Removes a user, or lets the caller leave. ERR_NOT_FOUND: he is not in it. */
enum err chat_participant_remove(struct call *call, struct conversation_view *view,
                                 struct uuid user_id) CHECKED;
/* NEED_OWN. Names a moderator, or makes him a member again. */
enum err chat_participant_set_role(struct call *call, struct conversation_view *view,
                                   struct uuid user_id, enum part role) CHECKED;
/* NEED_MANAGE. Makes the set of participants this one; the owner and the caller stay in it, unless
 * an admin leaves the owner out. Does not store view->conversation: *changed tells whether to. */
enum err chat_participant_replace(struct call *call, struct conversation_view *view,
                                  const struct people *people, bool *changed) CHECKED;
/* Ends memberships of a user who is being deleted, `most` of them; *over: there are no more. */
enum err chat_participant_leave_some(struct call *call, struct uuid user_id, int64_t most,
                                     bool *over) CHECKED;
/* Makes a user who is no host any more a member where he is a moderator, in `most` conversations;
 * *over: he is one nowhere. */
enum err chat_participant_demote_some(struct call *call, struct uuid user_id, int64_t most,
                                      bool *over) CHECKED;

/* How one member sees the conversation. */
struct own_settings {
    int64_t muted_until; /* microseconds since 1970; 0: not muted */
    bool archived;
    bool pinned;
};

/* NEED_BELONG. */
enum err chat_participant_set_mine(struct call *call, struct conversation_view *view,
                                   const struct own_settings *settings) CHECKED;
/* NEED_BELONG. Moves the read position forward to `seq`, at most to the last message. */
enum err chat_participant_read(struct call *call, struct conversation_view *view, int64_t seq)
    CHECKED;

/* Begins a membership in the conversation, which the caller stores afterwards; the first one owns
 * it. No rights are checked: for making conversations. */
enum err chat_membership_begin(struct call *call, struct conversation *conversation,
                               struct uuid user_id) CHECKED;
