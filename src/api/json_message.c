#include "api/json_message.h"

#include "api/json_user.h"

static const struct shape shape_attachment = {.name = "Attachment", .open = true};

static const struct shape_field message_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "message_id", .type = SHAPE_UUID, .help = "The same as id."},
    {.name = "conversation", .type = SHAPE_UUID},
    {.name = "sender", .type = SHAPE_OBJECT, .of = &shape_user},
    {.name = "sender_id", .type = SHAPE_UUID},
    {.name = "message_body", .type = SHAPE_STRING},
    {.name = "metadata", .type = SHAPE_JSON_OBJECT},
    {.name = "sent_at", .type = SHAPE_TIME},
    {.name = "edited_at", .type = SHAPE_TIME, .nullable = true},
    {.name = "edited", .type = SHAPE_BOOL},
    {.name = "deleted", .type = SHAPE_BOOL, .help = "True: a tombstone, without text."},
    {.name = "pinned", .type = SHAPE_BOOL},
    {.name = "reply_to", .type = SHAPE_UUID, .nullable = true},
    {.name = "client_id",
     .type = SHAPE_UUID,
     .nullable = true,
     .help = "Told to the sender alone."},
    {.name = "seq",
     .type = SHAPE_INT,
     .help = "Counts the conversation's messages without a hole."},
    {.name = "rev",
     .type = SHAPE_INT,
     .help = "Of the last change, counted within the conversation."},
    {.name = "is_read", .type = SHAPE_BOOL, .help = "By the reader; his own: by all others."},
    {.name = "attachments", .type = SHAPE_ARRAY, .of = &shape_attachment},
};

const struct shape shape_message = {.name = "Message", FIELDS(message_fields)};
const struct shape shape_message_page = {.name = "Message", FIELDS(message_fields), .paged = true};
const struct shape shape_message_array = {.name = "[Message]", FIELDS(message_fields)};

static void write_sender(struct message_writer *w, const struct user *sender)
{
    struct buf *out = w->r->out.b;
    for (size_t i = 0; i < w->sender_count; i++) {
        if (uuid_eq(w->senders[i].id, sender->id)) {
            json_raw(&w->r->out, w->senders[i].json);
            return;
        }
    }
    size_t start = out->n;
    api_write_user(w->r, sender);
    if (w->sender_count < SENDERS_KEPT && !out->failed) {
        struct str json = {out->p + start, out->n - start};
        w->senders[w->sender_count].id = sender->id;
        w->senders[w->sender_count++].json = arena_copy(w->r->arena, json);
    }
}

void api_write_message(struct req *r, const struct message *message)
{
    struct message_writer w = {.r = r};
    api_write_listed_message(&w, message);
}

void api_write_listed_message(struct message_writer *w, const struct message *message)
{
    const struct message *m = message;
    const struct user *me = w->r->call.me;
    struct json_out *o = &w->r->out;
    bool is_mine = me != NULL && uuid_eq(m->sender_id, me->id);
    json_open_object(o);
    json_field_uuid(o, "id", m->id);
    json_field_uuid(o, "message_id", m->id);
    json_field_uuid(o, "conversation", m->conversation_id);
    json_key(o, "sender");
    write_sender(w, &m->sender);
    json_field_uuid(o, "sender_id", m->sender_id);
    json_field_str(o, "message_body", m->body);
    json_field_raw(o, "metadata", m->metadata);
    json_field_time(o, "sent_at", m->sent_at);
    json_field_time_or_null(o, "edited_at", m->edited_at);
    json_field_bool(o, "edited", m->edited_at != 0);
    json_field_bool(o, "deleted", m->deleted_at != 0);
    json_field_bool(o, "pinned", m->pinned_at != 0);
    json_field_uuid_or_null(o, "reply_to", m->reply_to);
    json_field_uuid_or_null(o, "client_id", is_mine ? m->client_id : (struct uuid){{0}});
    json_field_i64(o, "seq", m->seq);
    json_field_i64(o, "rev", m->rev);
    json_field_bool(o, "is_read", m->is_read);
    json_field_open_array(o, "attachments");
    json_close_array(o);
    json_close_object(o);
}

static const struct shape_field version_fields[] = {
    {.name = "n", .type = SHAPE_INT, .help = "Which version, from 1."},
    {.name = "message_body", .type = SHAPE_STRING},
    {.name = "written_at", .type = SHAPE_TIME},
    {.name = "editor", .type = SHAPE_OBJECT, .of = &shape_user},
    {.name = "editor_id", .type = SHAPE_UUID},
};

const struct shape shape_message_version_page = {
    .name = "History", FIELDS(version_fields), .paged = true};

void api_write_version(struct req *r, const struct message_version *version)
{
    struct json_out *o = &r->out;
    json_open_object(o);
    json_field_i64(o, "n", version->n);
    json_field_str(o, "message_body", version->body);
    json_field_time(o, "written_at", version->written_at);
    json_key(o, "editor");
    api_write_user(r, &version->editor);
    json_field_uuid(o, "editor_id", version->editor.id);
    json_close_object(o);
}
