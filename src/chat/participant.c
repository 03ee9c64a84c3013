#include "chat/participant.h"

#include <stdlib.h>

#include "store/change.h"
#include "store/user.h"

/* ------- users by reference ------- */

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(*(const struct uuid *)a, *(const struct uuid *)b);
}

bool people_has(const struct people *people, struct uuid id)
{
    return people->count > 0 &&
           bsearch(&id, people->ids, people->count, sizeof(id), compare_ids) != NULL;
}

static void sort_once_each(struct people *people)
{
    size_t kept = 0;
    if (people->count > 1) {
        qsort(people->ids, people->count, sizeof(people->ids[0]), compare_ids);
    }
    for (size_t i = 0; i < people->count; i++) {
        if (i == 0 || !uuid_eq(people->ids[i], people->ids[kept - 1])) {
            people->ids[kept++] = people->ids[i];
        }
    }
    people->count = kept;
}

static enum err too_many(struct call *call, const char *field)
{
    problems_add(call->problems, field,
                 arena_printf(call->arena, "A conversation has at most %lld participants.",
                              (long long)call->limits->participants_max));
    return ERR_INVALID;
}

enum err chat_person_find(struct call *call, const char *field, struct str ref, struct uuid *out)
{
    struct user user;
    bool found = false;
    enum err e = store_user_find(call->db, call->arena, ref, &user, &found);
    if (e == ERR_OK && !found) {
        problems_add(call->problems, field,
                     arena_printf(call->arena, "Invalid pk \"%.*s\" - object does not exist.",
                                  STR_ARG(ref)));
        return ERR_INVALID;
    }
    *out = user.id;
    return e;
}

enum err chat_people_find(struct call *call, const char *field, const struct str *refs,
                          size_t count, struct people *out)
{
    *out = (struct people){NULL, 0};
    if (count > (size_t)call->limits->participants_max) {
        return too_many(call, field);
    }
    out->ids = ARENA_ARRAY(call->arena, struct uuid, count);
    for (; out->count < count; out->count++) {
        enum err e = chat_person_find(call, field, refs[out->count], &out->ids[out->count]);
        if (e != ERR_OK) {
            return e;
        }
    }
    sort_once_each(out);
    return ERR_OK;
}

/* ------- the beginning and the end of memberships -------
 * These change the conversation in memory; who calls them stores it, once, when all is done. */

enum err chat_membership_begin(struct call *call, struct conversation *conversation,
                               struct uuid user_id)
{
    struct participant participant = {
        .conversation_id = conversation->id,
        .user_id = user_id,
        .role = conversation->participant_count == 0 ? PART_OWNER : PART_MEMBER,
        .joined_at = call->now_us,
        .read_seq = conversation->last_seq,
        .rev = ++conversation->rev,
    };
    conversation->participant_count++;
    return store_participant_begin(call->db, &participant);
}

static enum err change_role(struct call *call, struct conversation *conversation,
                            struct participant *participant, enum part role)
{
    participant->role = role;
    participant->rev = ++conversation->rev;
    return store_participant_save(call->db, participant);
}

static enum err pass_on(struct call *call, struct conversation *conversation)
{
    struct participant heir;
    bool found = false;
    enum err e = store_participant_heir(call->db, conversation->id, &heir, &found);
    if (e != ERR_OK || !found) {
        return e;
    }
    return change_role(call, conversation, &heir, PART_OWNER);
}

static enum err membership_end(struct call *call, struct conversation *conversation,
                               struct participant *participant)
{
    participant->left_at = call->now_us;
    participant->rev = ++conversation->rev;
    conversation->participant_count--;
    enum err e = store_participant_save(call->db, participant);
    if (e != ERR_OK || participant->role != PART_OWNER) {
        return e;
    }
    return pass_on(call, conversation);
}

/* Stores the conversation if what was done before went well. */
static enum err save(struct call *call, const struct conversation *conversation, enum err e)
{
    return e == ERR_OK ? store_conversation_save(call->db, conversation, 0) : e;
}

static enum err find(struct call *call, const struct conversation_view *view, struct uuid user_id,
                     struct participant *out)
{
    bool found = false;
    enum err e = store_participant_get(call->db, view->conversation.id, user_id, out, &found);
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

/* ------- one by one ------- */

enum err chat_participant_add(struct call *call, struct conversation_view *view,
                              struct uuid user_id, bool *joined)
{
    struct conversation *conversation = &view->conversation;
    struct participant present;
    enum err e = find(call, view, user_id, &present);
    *joined = e == ERR_NOT_FOUND;
    if (!*joined) {
        return e;
    }
    if (conversation->direct) {
        problems_add(call->problems, "user_id",
                     STR("A direct conversation never takes a third participant."));
        return ERR_INVALID;
    }
    if (conversation->participant_count >= call->limits->participants_max) {
        return too_many(call, "user_id");
    }
    e = save(call, conversation, chat_membership_begin(call, conversation, user_id));
    if (e != ERR_OK) {
        return e;
    }
    return chat_audit(call, view, NEED_MANAGE, "participant.add", user_id);
}

/* Nobody is sent out of a conversation of two by the other one. */
static enum chat_need need_to_remove(const struct conversation_view *view,
                                     const struct participant *target)
{
    return view->conversation.direct ? NEED_ADMIN : chat_need_to_remove(target->role);
}

static enum err leave(struct call *call, struct conversation_view *view)
{
    struct participant mine = view->mine;
    view->is_member = false;
    view->mine = (struct participant){0};
    return save(call, &view->conversation, membership_end(call, &view->conversation, &mine));
}

enum err chat_participant_remove(struct call *call, struct conversation_view *view,
                                 struct uuid user_id)
{
    struct participant target;
    if (view->is_member && uuid_eq(user_id, view->mine.user_id)) {
        return leave(call, view);
    }
    enum err e = find(call, view, user_id, &target);
    if (e != ERR_OK) {
        return e;
    }
    enum chat_need need = need_to_remove(view, &target);
    e = chat_check(call, view, need, ERR_NOT_FOUND);
    if (e == ERR_OK) {
        e = save(call, &view->conversation, membership_end(call, &view->conversation, &target));
    }
    if (e != ERR_OK) {
        return e;
    }
    return chat_audit(call, view, need, "participant.remove", user_id);
}

static enum err refuse_role(struct call *call, struct str why)
{
    problems_add(call->problems, "role", why);
    return ERR_INVALID;
}

enum err chat_participant_set_role(struct call *call, struct conversation_view *view,
                                   struct uuid user_id, enum part role)
{
    struct member member;
    bool found = false;
    enum err e =
        store_member_get(call->db, call->arena, view->conversation.id, user_id, &member, &found);
    if (e != ERR_OK) {
        return e;
    }
    if (!found) {
        return ERR_NOT_FOUND;
    }
    if (member.participant.role == role) {
        return ERR_OK;
    }
    if (member.participant.role == PART_OWNER || role == PART_OWNER) {
        return refuse_role(call, STR("A conversation has one owner, until he leaves it."));
    }
    if (role == PART_MODERATOR && member.user.role != ROLE_HOST) {
        return refuse_role(call, STR("Only a host account can be a moderator."));
    }
    e = save(call, &view->conversation,
             change_role(call, &view->conversation, &member.participant, role));
    if (e != ERR_OK) {
        return e;
    }
    return chat_audit(call, view, NEED_OWN, "participant.role", user_id);
}

/* ------- many at once ------- */

/* The owner, unless an admin wants him out, and the caller need not be named to stay. */
static bool stays(const struct call *call, const struct participant *participant)
{
    return uuid_eq(participant->user_id, call->me->id) ||
           (participant->role == PART_OWNER && !call_is_admin(call));
}

/* The set as it is and as it shall be. */
struct exchange {
    const struct people *wanted;
    struct people present;
    struct participant *members; /* beside `present` */
    int64_t joining;
    int64_t leaving;
};

static bool leaves(const struct call *call, const struct exchange *x, size_t i)
{
    return !people_has(x->wanted, x->present.ids[i]) && !stays(call, &x->members[i]);
}

static enum err read_present(struct call *call, const struct conversation *conversation,
                             struct exchange *x)
{
    enum err e =
        store_participant_list(call->db, call->arena, conversation->id,
                               conversation->participant_count, &x->members, &x->present.count);
    if (e != ERR_OK) {
        return e;
    }
    x->present.ids = ARENA_ARRAY(call->arena, struct uuid, x->present.count);
    for (size_t i = 0; i < x->present.count; i++) {
        x->present.ids[i] = x->members[i].user_id;
    }
    return ERR_OK;
}

/* Everything that can be wrong with it, before anything is written. */
static enum err judge_exchange(struct call *call, const struct conversation_view *view,
                               struct exchange *x)
{
    const struct conversation *conversation = &view->conversation;
    for (size_t i = 0; i < x->wanted->count; i++) {
        x->joining += people_has(&x->present, x->wanted->ids[i]) ? 0 : 1;
    }
    for (size_t i = 0; i < x->present.count; i++) {
        if (!leaves(call, x, i)) {
            continue;
        }
        enum err e = chat_check(call, view, chat_need_to_remove(x->members[i].role), ERR_NOT_FOUND);
        if (e != ERR_OK) {
            return e;
        }
        x->leaving++;
    }
    if (conversation->direct && (x->joining > 0 || x->leaving > 0)) {
        problems_add(call->problems, "participants",
                     STR("The participants of a direct conversation cannot be changed."));
        return ERR_INVALID;
    }
    int64_t count = conversation->participant_count + x->joining - x->leaving;
    return count > call->limits->participants_max ? too_many(call, "participants") : ERR_OK;
}

static enum err begin_new(struct call *call, struct conversation *conversation,
                          const struct exchange *x)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < x->wanted->count && e == ERR_OK; i++) {
        if (!people_has(&x->present, x->wanted->ids[i])) {
            e = chat_membership_begin(call, conversation, x->wanted->ids[i]);
        }
    }
    return e;
}

static enum err end_old(struct call *call, struct conversation *conversation,
                        const struct exchange *x)
{
    struct participant *owner = NULL; /* goes last, so that one of the new set inherits */
    enum err e = ERR_OK;
    for (size_t i = 0; i < x->present.count && e == ERR_OK; i++) {
        if (!leaves(call, x, i)) {
            continue;
        }
        if (x->members[i].role == PART_OWNER) {
            owner = &x->members[i];
        } else {
            e = membership_end(call, conversation, &x->members[i]);
        }
    }
    return e == ERR_OK && owner != NULL ? membership_end(call, conversation, owner) : e;
}

enum err chat_participant_replace(struct call *call, struct conversation_view *view,
                                  const struct people *people, bool *changed)
{
    struct exchange x = {.wanted = people};
    enum err e = read_present(call, &view->conversation, &x);
    if (e == ERR_OK) {
        e = judge_exchange(call, view, &x);
    }
    *changed = x.joining > 0 || x.leaving > 0;
    if (e == ERR_OK) {
        e = begin_new(call, &view->conversation, &x);
    }
    return e == ERR_OK ? end_old(call, &view->conversation, &x) : e;
}

static enum err leave_one(struct call *call, struct uuid conversation_id, struct uuid user_id)
{
    struct conversation_view view;
    bool found = false;
    enum err e =
        store_conversation_view(call->db, call->arena, conversation_id, user_id, &view, &found);
    if (e != ERR_OK || !found || !view.is_member) {
        return e;
    }
    return leave(call, &view);
}

enum err chat_participant_leave_some(struct call *call, struct uuid user_id, int64_t most,
                                     bool *over)
{
    struct uuid *ids = NULL;
    size_t count = 0;
    enum err e = store_hold_all(call->db);
    if (e == ERR_OK) {
        e = store_participant_conversations(call->db, call->arena, user_id, most, &ids, &count);
    }
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = leave_one(call, ids[i], user_id);
    }
    *over = (int64_t)count < most;
    return e;
}

static enum err demote_one(struct call *call, struct uuid conversation_id, struct uuid user_id)
{
    struct conversation_view view;
    bool found = false;
    enum err e =
        store_conversation_view(call->db, call->arena, conversation_id, user_id, &view, &found);
    if (e != ERR_OK || !found || !view.is_member) {
        return e;
    }
    return save(call, &view.conversation,
                change_role(call, &view.conversation, &view.mine, PART_MEMBER));
}

enum err chat_participant_demote_some(struct call *call, struct uuid user_id, int64_t most,
                                      bool *over)
{
    struct uuid *ids = NULL;
    size_t count = 0;
    enum err e = store_hold_all(call->db);
    if (e == ERR_OK) {
        e = store_participant_moderated(call->db, call->arena, user_id, most, &ids, &count);
    }
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = demote_one(call, ids[i], user_id);
    }
    *over = (int64_t)count < most;
    return e;
}

/* ------- one's own view ------- */

enum err chat_participant_set_mine(struct call *call, struct conversation_view *view,
                                   const struct own_settings *settings)
{
    struct participant *mine = &view->mine;
    if (mine->muted_until == settings->muted_until && mine->archived == settings->archived &&
        mine->pinned == settings->pinned) {
        return ERR_OK;
    }
    mine->muted_until = settings->muted_until;
    mine->archived = settings->archived;
    mine->pinned = settings->pinned;
    mine->rev = ++view->conversation.rev;
    return save(call, &view->conversation, store_participant_save_mine(call->db, mine));
}

enum err chat_participant_read(struct call *call, struct conversation_view *view, int64_t seq)
{
    int64_t last_seq = view->conversation.last_seq;
    int64_t reached = seq < last_seq ? seq : last_seq;
    if (reached <= view->mine.read_seq) {
        return ERR_OK;
    }
    view->mine.read_seq = reached;
    return store_participant_read(call->db, view->conversation.id, view->mine.user_id, reached);
}
