#include "sync/frames.h"

#include "base/utf8.h"
#include "json/write.h"

/* What goes into a frame is bounded by the limits on what people may store. */
enum { FRAME_SIZE_MAX = INT32_MAX };

/* A frame while it is written. */
struct writer {
    struct buf text;
    struct json_out out;
};

static struct json_out *begin(struct writer *w, const char *type)
{
    buf_init(&w->text, FRAME_SIZE_MAX);
    json_out_init(&w->out, &w->text);
    json_open_object(&w->out);
    json_field_str(&w->out, "type", str_of(type));
    return &w->out;
}

static struct live_frame *end(struct writer *w)
{
    json_close_object(&w->out);
    struct live_frame *frame = live_frame_new(buf_view(&w->text));
    buf_fini(&w->text);
    return frame;
}

/* --- people -------------------------------------------------------------------------------- */

/* "First Last", either alone, or the username: as in REST. */
static void put_full_name(struct json_out *o, const struct user *user)
{
    struct buf both;
    buf_init(&both, FRAME_SIZE_MAX);
    buf_str(&both, user->first_name);
    buf_char(&both, ' ');
    buf_str(&both, user->last_name);
    struct str name = utf8_trim(buf_view(&both));
    json_field_str(o, "full_name", name.n > 0 ? name : user->username);
    buf_fini(&both);
}

static void put_person(struct json_out *o, const struct user *user)
{
    json_field_uuid(o, "id", user->id);
    json_field_str(o, "username", user->username);
    put_full_name(o, user);
    json_field_null(o, "avatar");
}

static void put_member(struct json_out *o, const struct member *member)
{
    const struct participant *p = &member->participant;
    json_open_object(o);
    put_person(o, &member->user);
    json_field_str(o, "role", str_of(part_names[p->role]));
    json_field_time(o, "joined_at", p->joined_at);
    json_field_i64(o, "read_seq", p->read_seq);
    json_close_object(o);
}

struct live_frame *frame_user(const struct user *user)
{
    struct writer w;
    struct json_out *o = begin(&w, "user");
    json_field_open_object(o, "user");
    json_field_uuid(o, "id", user->id);
    json_field_str(o, "username", user->username);
    json_field_str(o, "first_name", user->first_name);
    json_field_str(o, "last_name", user->last_name);
    put_full_name(o, user);
    json_field_null(o, "avatar");
    json_field_str(o, "role", str_of(role_names[user->role]));
    json_field_bool(o, "deleted", user->deleted_at != 0);
    json_close_object(o);
    return end(&w);
}

struct live_frame *frame_presence(struct uuid user_id, bool online, int64_t last_seen_us)
{
    struct writer w;
    struct json_out *o = begin(&w, "presence");
    json_field_uuid(o, "user_id", user_id);
    json_field_str(o, "state", online ? STR("online") : STR("offline"));
    json_field_time_or_null(o, "last_seen", last_seen_us);
    return end(&w);
}

/* --- conversations ------------------------------------------------------------------------- */

static void put_message(struct json_out *o, const struct message *m)
{
    json_open_object(o);
    json_field_uuid(o, "id", m->id);
    json_field_uuid(o, "message_id", m->id);
    json_field_uuid(o, "conversation", m->conversation_id);
    json_field_open_object(o, "sender");
    put_person(o, &m->sender);
    json_close_object(o);
    json_field_uuid(o, "sender_id", m->sender_id);
    json_field_str(o, "message_body", m->body);
    json_field_raw(o, "metadata", m->metadata);
    json_field_time(o, "sent_at", m->sent_at);
    json_field_time_or_null(o, "edited_at", m->edited_at);
    json_field_bool(o, "edited", m->edited_at != 0);
    json_field_bool(o, "deleted", m->deleted_at != 0);
    json_field_bool(o, "pinned", m->pinned_at != 0);
    json_field_uuid_or_null(o, "reply_to", m->reply_to);
    json_field_i64(o, "seq", m->seq);
    json_field_i64(o, "rev", m->rev);
    json_field_open_array(o, "attachments");
    json_close_array(o);
    json_close_object(o);
}

struct live_frame *frame_message(const struct message *message)
{
    struct writer w;
    struct json_out *o = begin(&w, "message");
    json_field_uuid(o, "conversation_id", message->conversation_id);
    json_key(o, "message");
    put_message(o, message);
    return end(&w);
}

struct live_frame *frame_conversation(const struct conversation *conversation,
                                      const struct member *members, size_t count, int64_t from_seq)
{
    const struct conversation *c = conversation;
    struct writer w;
    struct json_out *o = begin(&w, "conversation");
    json_field_uuid(o, "conversation_id", c->id);
    json_field_str(o, "title", c->title);
    json_field_raw(o, "metadata", c->metadata);
    json_field_bool(o, "closed", c->closed_at != 0);
    json_field_bool(o, "direct", c->direct);
    json_field_uuid(o, "created_by", c->created_by);
    json_field_time(o, "created_at", c->created_at);
    json_field_time(o, "updated_at", c->updated_at);
    json_field_open_array(o, "participants");
    for (size_t i = 0; i < count; i++) {
        put_member(o, &members[i]);
    }
    json_close_array(o);
    json_field_i64(o, "participant_count", c->participant_count);
    json_field_i64(o, "last_seq", c->last_seq);
    json_field_i64(o, "message_count", c->message_count);
    json_field_i64(o, "rev", c->rev);
    if (from_seq > 0) {
        json_field_bool(o, "limited", true);
        json_field_i64(o, "from_seq", from_seq);
    }
    return end(&w);
}

struct live_frame *frame_membership(const struct participant *mine)
{
    struct writer w;
    struct json_out *o = begin(&w, "membership");
    json_field_uuid(o, "conversation_id", mine->conversation_id);
    json_field_str(o, "role", str_of(part_names[mine->role]));
    json_field_i64(o, "read_seq", mine->read_seq);
    json_field_time_or_null(o, "muted_until", mine->muted_until);
    json_field_bool(o, "pinned", mine->pinned);
    json_field_bool(o, "archived", mine->archived);
    json_field_i64(o, "rev", mine->rev);
    return end(&w);
}

struct live_frame *frame_gone(struct uuid conversation_id, int64_t rev)
{
    struct writer w;
    struct json_out *o = begin(&w, "conversation.gone");
    json_field_uuid(o, "conversation_id", conversation_id);
    json_field_i64(o, "rev", rev);
    return end(&w);
}

struct live_frame *frame_read(struct uuid conversation_id, struct uuid user_id, int64_t seq)
{
    struct writer w;
    struct json_out *o = begin(&w, "read");
    json_field_uuid(o, "conversation_id", conversation_id);
    json_field_uuid(o, "user_id", user_id);
    json_field_i64(o, "seq", seq);
    return end(&w);
}

struct live_frame *frame_typing(struct uuid conversation_id, struct uuid user_id)
{
    struct writer w;
    struct json_out *o = begin(&w, "typing");
    json_field_uuid(o, "conversation_id", conversation_id);
    json_field_uuid(o, "user_id", user_id);
    json_field_str(o, "state", STR("typing"));
    return end(&w);
}

/* --- the connection ------------------------------------------------------------------------ */

struct live_frame *frame_hello(const struct user *me, int64_t heartbeat_s)
{
    struct writer w;
    struct json_out *o = begin(&w, "hello");
    json_field_str(o, "server", STR("confab"));
    json_field_str(o, "version", STR(CONFAB_VERSION));
    json_field_open_object(o, "user");
    put_person(o, me);
    json_field_str(o, "role", str_of(role_names[me->role]));
    json_close_object(o);
    json_field_i64(o, "heartbeat", heartbeat_s);
    return end(&w);
}

struct live_frame *frame_reset(const char *reason)
{
    struct writer w;
    struct json_out *o = begin(&w, "reset");
    json_field_str(o, "reason", str_of(reason));
    return end(&w);
}

static void put_request(struct json_out *o, struct str request, struct str client_id)
{
    json_field_str(o, "request", request);
    if (client_id.p != NULL) {
        json_field_str(o, "client_id", client_id);
    }
}

struct live_frame *frame_ack(struct str request, struct str client_id, struct str message)
{
    struct writer w;
    struct json_out *o = begin(&w, "ack");
    put_request(o, request, client_id);
    if (message.p != NULL) {
        json_field_raw(o, "message", message);
    }
    return end(&w);
}

struct live_frame *frame_nack(struct str request, struct str client_id, int status,
                              const char *code, struct str error, int64_t retry_after_s)
{
    struct writer w;
    struct json_out *o = begin(&w, "nack");
    put_request(o, request, client_id);
    json_field_i64(o, "status", status);
    if (code != NULL) {
        json_field_str(o, "code", str_of(code));
    }
    if (error.p != NULL) {
        json_field_raw(o, "error", error);
    }
    if (retry_after_s > 0) {
        json_field_i64(o, "retry_after", retry_after_s);
    }
    return end(&w);
}

struct live_frame *frame_error(const char *code, const char *text)
{
    struct writer w;
    struct json_out *o = begin(&w, "error");
    json_field_str(o, "code", str_of(code));
    json_field_str(o, "detail", str_of(text));
    return end(&w);
}
