#include "api/json_conversation.h"

#include "api/json_message.h"
#include "api/json_user.h"
#include "store/message_list.h"

#define PART_CHOICES "owner,moderator,member"

/* ------- participants ------- */

static const struct shape_field participant_fields[] = {
    SHAPE_USER_FIELDS,
    {.name = "role", .type = SHAPE_STRING, .choices = PART_CHOICES, .help = "In the conversation."},
    {.name = "user_role", .type = SHAPE_STRING, .choices = ROLE_CHOICES, .help = "Of the account."},
    {.name = "joined_at", .type = SHAPE_TIME},
    {.name = "read_seq", .type = SHAPE_INT, .help = "The seq up to which it is read."},
};

const struct shape shape_participant = {.name = "Participant", FIELDS(participant_fields)};
const struct shape shape_participant_page = {
    .name = "Participant", FIELDS(participant_fields), .paged = true};

void api_write_member(struct req *r, const struct member *member)
{
    struct json_out *o = &r->out;
    const struct participant *p = &member->participant;
    json_open_object(o);
    api_user_fields(r, &member->user, part_names[p->role]);
    json_field_str(o, "user_role", str_of(role_names[member->user.role]));
    json_field_time(o, "joined_at", p->joined_at);
    json_field_i64(o, "read_seq", p->read_seq);
    json_close_object(o);
}

enum err api_write_members(struct req *r, const struct conversation *conversation)
{
    int64_t count = conversation->participant_count;
    struct window window = {
        .after = window_start(false),
        .limit = count < CONVERSATION_PARTICIPANTS_SHOWN ? count : CONVERSATION_PARTICIPANTS_SHOWN,
    };
    struct member *rows;
    size_t n = 0;
    enum err e = store_member_list(r->call.db, r->arena, conversation->id, &window, &rows, &n);
    json_field_open_array(&r->out, "participants");
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        api_write_member(r, &rows[i]);
    }
    json_close_array(&r->out);
    return e;
}

/* ------- one's own membership ------- */

static const struct shape_field membership_fields[] = {
    {.name = "conversation_id", .type = SHAPE_UUID},
    {.name = "user_id", .type = SHAPE_UUID},
    {.name = "role", .type = SHAPE_STRING, .choices = PART_CHOICES, .help = "In the conversation."},
    {.name = "joined_at", .type = SHAPE_TIME},
    {.name = "read_seq", .type = SHAPE_INT, .help = "The seq up to which it is read."},
    {.name = "unread_count", .type = SHAPE_INT, .help = "last_seq less the reader's read_seq."},
    {.name = "muted_until", .type = SHAPE_TIME, .nullable = true, .help = "Null: not muted."},
    {.name = "archived", .type = SHAPE_BOOL},
    {.name = "pinned", .type = SHAPE_BOOL},
    {.name = "rev",
     .type = SHAPE_INT,
     .help = "Of the last change, counted within the conversation."},
};

const struct shape shape_membership = {.name = "Membership", FIELDS(membership_fields)};

static int64_t unread_count(const struct conversation_view *view)
{
    return view->is_member ? view->conversation.last_seq - view->mine.read_seq : 0;
}

void api_write_membership(struct req *r, const struct conversation_view *view)
{
    struct json_out *o = &r->out;
    const struct participant *mine = &view->mine;
    json_open_object(o);
    json_field_uuid(o, "conversation_id", mine->conversation_id);
    json_field_uuid(o, "user_id", mine->user_id);
    json_field_str(o, "role", str_of(part_names[mine->role]));
    json_field_time(o, "joined_at", mine->joined_at);
    json_field_i64(o, "read_seq", mine->read_seq);
    json_field_i64(o, "unread_count", unread_count(view));
    json_field_time_or_null(o, "muted_until", mine->muted_until);
    json_field_bool(o, "archived", mine->archived);
    json_field_bool(o, "pinned", mine->pinned);
    json_field_i64(o, "rev", mine->rev);
    json_close_object(o);
}

/* ------- conversations ------- */

static const struct shape_field conversation_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "conversation_id", .type = SHAPE_UUID, .help = "The same as id."},
    {.name = "title", .type = SHAPE_STRING},
    {.name = "metadata", .type = SHAPE_JSON_OBJECT},
    {.name = "closed", .type = SHAPE_BOOL, .help = "Nobody writes into it."},
    {.name = "participants",
     .type = SHAPE_ARRAY,
     .of = &shape_participant,
     .help = "The first 100."},
    {.name = "participant_count", .type = SHAPE_INT},
    {.name = "messages",
     .type = SHAPE_ARRAY,
     .of = &shape_message,
     .help = "The newest, in chronological order."},
    {.name = "created_by", .type = SHAPE_UUID},
    {.name = "created_at", .type = SHAPE_TIME},
    {.name = "updated_at", .type = SHAPE_TIME},
    {.name = "last_seq", .type = SHAPE_INT, .help = "The seq of the newest message."},
    {.name = "message_count", .type = SHAPE_INT},
    {.name = "unread_count", .type = SHAPE_INT, .help = "last_seq less the reader's read_seq."},
    {.name = "rev",
     .type = SHAPE_INT,
     .help = "Of the last change, counted within the conversation."},
};

const struct shape shape_conversation = {.name = "Conversation", FIELDS(conversation_fields)};
const struct shape shape_conversation_page = {
    .name = "Conversation", FIELDS(conversation_fields), .paged = true};

static enum err write_messages(struct req *r, const struct conversation *conversation,
                               int64_t limit)
{
    struct message *rows = NULL;
    size_t n = 0;
    enum err e = ERR_OK;
    if (limit > 0 && conversation->message_count > 0) {
        e = store_message_newest(r->call.db, r->arena, conversation->id, r->user.id, limit, &rows,
                                 &n);
    }
    json_field_open_array(&r->out, "messages");
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        api_write_message(r, &rows[i]);
    }
    json_close_array(&r->out);
    return e;
}

enum err api_write_conversation(struct req *r, const struct conversation_view *view,
                                int64_t message_limit)
{
    struct json_out *o = &r->out;
    const struct conversation *c = &view->conversation;
    json_open_object(o);
    json_field_uuid(o, "id", c->id);
    json_field_uuid(o, "conversation_id", c->id);
    json_field_str(o, "title", c->title);
    json_field_raw(o, "metadata", c->metadata);
    json_field_bool(o, "closed", c->closed_at != 0);
    enum err e = api_write_members(r, c);
    if (e != ERR_OK) {
        return e;
    }
    json_field_i64(o, "participant_count", c->participant_count);
    e = write_messages(r, c, message_limit);
    if (e != ERR_OK) {
        return e;
    }
    json_field_uuid(o, "created_by", c->created_by);
    json_field_time(o, "created_at", c->created_at);
    json_field_time(o, "updated_at", c->updated_at);
    json_field_i64(o, "last_seq", c->last_seq);
    json_field_i64(o, "message_count", c->message_count);
    json_field_i64(o, "unread_count", unread_count(view));
    json_field_i64(o, "rev", c->rev);
    json_close_object(o);
    return ERR_OK;
}
