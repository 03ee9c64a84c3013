/* conversations/{id}/participants/: who is in a conversation, in which role. */
#include "api/conversations.h"
#include "api/json_conversation.h"
#include "serve/page.h"

static const struct field person_input[] = {
    {.name = "user_id",
     .aliases = "user,participant_id,participant,username,email",
     .type = FIELD_TEXT,
     .required = true,
     .help = "A user by id, username or e-mail."},
};

static const struct field role_input[] = {
    {.name = "role",
     .type = FIELD_CHOICE,
     .required = true,
     .choices = "member,moderator",
     .help = "The role in the conversation."},
};

static const struct field list_query[] = {PAGE_FIELDS};

/* ------- list ------- */

static struct list_key key_of(const struct member *member)
{
    return (struct list_key){.n = member->participant.joined_at, .id = member->participant.user_id};
}

static enum err list_participants(struct req *r)
{
    static const struct list_key none;
    const struct conversation *conversation = &api_conversation(r)->conversation;
    struct pager p;
    struct member *rows = NULL;
    size_t n = 0;
    enum err e = pager_init(&p, r, 'j', false);
    if (e == ERR_OK && pager_needs_count(&p)) {
        e = pager_set_count(&p, conversation->participant_count, false);
    }
    if (e == ERR_OK) {
        e = store_member_list(r->call.db, r->arena, conversation->id, &p.window, &rows, &n);
    }
    if (e != ERR_OK) {
        return e;
    }
    n = pager_rows(&p, n);
    pager_open(&p, n > 0 ? key_of(&rows[pager_index(&p, n, 0)]) : none,
               n > 0 ? key_of(&rows[pager_index(&p, n, n - 1)]) : none);
    for (size_t i = 0; i < n; i++) {
        api_write_member(r, &rows[pager_index(&p, n, i)]);
    }
    pager_close(&p);
    return ERR_OK;
}

/* ------- one of them ------- */

static enum err answer_member(struct req *r, struct uuid user_id)
{
    struct member member;
    bool found = false;
    enum err e = store_member_get(r->call.db, r->arena, api_conversation(r)->conversation.id,
                                  user_id, &member, &found);
    if (e != ERR_OK) {
        return e;
    }
    if (!found) {
        return ERR_NOT_FOUND;
    }
    api_write_member(r, &member);
    return ERR_OK;
}

/* The user that the body names. */
static enum err find_named(struct req *r, struct uuid *out)
{
    return chat_person_find(&r->call, "user_id", req_input(r, "user_id")->text, out);
}

static enum err add_named(struct req *r, struct uuid *user_id, bool *joined)
{
    enum err e = find_named(r, user_id);
    if (e != ERR_OK) {
        return e;
    }
    return chat_participant_add(&r->call, api_conversation(r), *user_id, joined);
}

static enum err sees_added(struct req *r)
{
    struct participant participant;
    bool found = false;
    enum err e = store_participant_get(r->call.db, api_conversation(r)->conversation.id, r->created,
                                       &participant, &found);
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

static enum err add_participant(struct req *r)
{
    struct uuid user_id;
    bool joined = false;
    enum err e = add_named(r, &user_id, &joined);
    if (e != ERR_OK) {
        return e;
    }
    r->status = joined ? 201 : 200;
    r->created = user_id;
    return answer_member(r, user_id);
}

static enum err change_role(struct req *r)
{
    struct uuid user_id = r->path_ids[1].id;
    const struct value *role = req_input(r, "role");
    enum part part = PART_MEMBER;
    if (value_is_set(role) && part_from(role->text, &part)) {
        enum err e = chat_participant_set_role(&r->call, api_conversation(r), user_id, part);
        if (e != ERR_OK) {
            return e;
        }
    }
    return answer_member(r, user_id);
}

static enum err remove_user(struct req *r, struct uuid user_id)
{
    struct conversation_view *view = api_conversation(r);
    enum err e = chat_participant_remove(&r->call, view, user_id);
    if (e == ERR_FORBIDDEN && view->conversation.direct) {
        r->detail = STR("Nobody is removed from a direct conversation; you can leave it.");
    }
    return e;
}

static enum err remove_participant(struct req *r)
{
    return remove_user(r, r->path_ids[1].id);
}

/* ------- the same as actions, which answer the conversation ------- */

static enum err add_by_action(struct req *r)
{
    struct uuid user_id;
    bool joined = false;
    enum err e = add_named(r, &user_id, &joined);
    return e == ERR_OK ? api_answer_conversation(r) : e;
}

/* One who is not in it is removed already. */
static enum err remove_by_action(struct req *r)
{
    struct uuid user_id;
    enum err e = find_named(r, &user_id);
    if (e != ERR_OK) {
        return e;
    }
    e = remove_user(r, user_id);
    return e == ERR_OK || e == ERR_NOT_FOUND ? api_answer_conversation(r) : e;
}

/* ------- routes ------- */

const struct resource api_participant_list_resource = {
    .name = "Participant List",
    .description = "Who is in the conversation, in the order of joining.",
    .paths = {"conversations/{id}/participants/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(list_query),
             .object = api_conversation_to_read, .handle = list_participants,
             .out = &shape_participant_page, .status = 200},
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(person_input),
             .object = api_conversation_to_manage, .handle = add_participant,
             .out = &shape_participant, .status = 201, .also = 200,
             .about = "Adds a user, by those who manage the conversation; 200 if he is in it.",
             .may_replay = sees_added},
        },
};

const struct resource api_participant_resource = {
    .name = "Participant Instance",
    .description = "One participant.",
    .paths = {"conversations/{id}/participants/{user_id}/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"PATCH", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(role_input),
             .object = api_conversation_to_own,
             .about = "Makes a member a moderator, or the other way round, by the owner.",
             .handle = change_role, .out = &shape_participant, .status = 200},
            {"DELETE", ACCESS_USER, ROUTE_WRITE, .object = api_conversation_to_read,
             .about = "Removes a participant; who removes himself leaves.",
             .handle = remove_participant, .status = 204},
        },
};

const struct resource api_participant_add_resource = {
    .name = "Conversation Add Participant",
    .description = "Adds a user; answers the conversation.",
    .paths = {"conversations/{id}/add_participant/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(person_input),
             .object = api_conversation_to_manage, .handle = add_by_action,
             .out = &shape_conversation, .status = 200},
        },
};

const struct resource api_participant_remove_resource = {
    .name = "Conversation Remove Participant",
    .description = "Removes a user; answers the conversation.",
    .paths = {"conversations/{id}/remove_participant/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(person_input),
             .object = api_conversation_to_read, .handle = remove_by_action,
             .out = &shape_conversation, .status = 200},
        },
};
