/* Sending, and what is about one message: flat (messages/{id}/) and nested, where a stranger is
 * told 403 instead of 404. Lists are in message_lists.c. */
#include "api/messages.h"

#include "api/json_message.h"
#include "base/utf8.h"

enum { BODY_LENGTH_MAX = 10000, METADATA_BYTES_MAX = 4096 };

#define BODY_FIELD                                                                                 \
    {                                                                                              \
        .name = "message_body", .aliases = "content,text", .type = FIELD_TEXT, .required = true,   \
        .max = BODY_LENGTH_MAX, .help = "What the message says; blanks around are cut off."        \
    }
#define SEND_FIELDS                                                                                \
    BODY_FIELD,                                                                                    \
        {.name = "client_id",                                                                      \
         .type = FIELD_UUID,                                                                       \
         .nullable = true,                                                                         \
         .help = "Made by the client: what is sent again with it is stored once."},                \
        {.name = "reply_to",                                                                       \
         .type = FIELD_PK,                                                                         \
         .nullable = true,                                                                         \
         .help = "A message of the same conversation that this one answers."},                     \
    {                                                                                              \
        .name = "metadata", .type = FIELD_OBJECT, .max = METADATA_BYTES_MAX,                       \
        .help = "A JSON object of the host application's."                                         \
    }

const struct field api_message_nested_input[MESSAGE_NESTED_FIELDS] = {SEND_FIELDS};

const struct field api_message_flat_input[MESSAGE_FLAT_FIELDS] = {
    {.name = "conversation",
     .aliases = "conversation_id",
     .type = FIELD_PK,
     .required = true,
     .help = "Where to send it."},
    SEND_FIELDS,
};

static const struct field edit_input[] = {
    BODY_FIELD,
    {.name = "rev",
     .type = FIELD_INT,
     .nullable = true,
     .help = "The rev that was read: if it is not the present one any more, 409."},
};

static const struct field edit_headers[] = {
    {.name = "If-Match",
     .type = FIELD_TEXT,
     .help = "The rev that was read, instead of in the body."},
};

const struct field api_send_headers[SEND_HEADERS] = {
    {.name = "Idempotency-Key",
     .type = FIELD_TEXT,
     .help = "Another way to give the client_id; any text."},
};

/* ------- sending ------- */

static bool is_nested(const struct req *r)
{
    return str_starts(str_of(r->resource->paths[0]), STR("conversations/"));
}

static struct uuid id_or_zero(const struct value *v)
{
    return value_is_set(v) ? v->id : (struct uuid){{0}};
}

/* Idempotency-Key is another way to give the client_id: a UUID is itself, other text stands for a
 * digest of it. */
static struct uuid key_as_client_id(struct str key)
{
    struct uuid id;
    uint8_t digest[SHA256_SIZE];
    if (uuid_parse(key, &id) && !uuid_is_zero(id)) {
        return id;
    }
    sha256(key, digest);
    return uuid_from_digest(digest);
}

static enum err read_client_id(struct req *r, struct uuid *out)
{
    const struct value *sent = req_input(r, "client_id");
    *out = id_or_zero(sent);
    if (value_is_set(sent) && uuid_is_zero(*out)) {
        return req_problem(r, "client_id", STR("Must be a valid UUID."));
    }
    if (r->idempotency_key.n == 0) {
        return ERR_OK;
    }
    struct uuid key = key_as_client_id(r->idempotency_key);
    if (value_is_set(sent) && !uuid_eq(key, *out)) {
        return req_problem(r, "client_id", STR("This is not what Idempotency-Key says."));
    }
    *out = key;
    return ERR_OK;
}

static enum err read_draft(struct req *r, struct message_draft *draft)
{
    const struct value *reply_to = req_input(r, "reply_to");
    *draft = (struct message_draft){
        .conversation_id = is_nested(r) ? r->path_ids[0].id : req_input(r, "conversation")->id,
        .body = req_input(r, "message_body")->text,
        .metadata = req_input(r, "metadata")->text,
        .reply_to = id_or_zero(reply_to),
    };
    if (value_is_set(reply_to) && uuid_is_zero(reply_to->id)) {
        return req_problem(r, "reply_to", STR("Must be a valid UUID."));
    }
    return read_client_id(r, &draft->client_id);
}

/* A good body goes straight to chat_message_send(), which judges in the statement that stores, and
 * must first look whether it has been sent before. */
enum err api_message_target(struct req *r)
{
    struct conversation_view view;
    if (r->body_error == ERR_OK && r->problems.first == NULL) {
        return ERR_OK;
    }
    return chat_conversation_open(&r->call, r->path_ids[0].id, NEED_SEND, ERR_NOT_PARTICIPANT,
                                  &view);
}

void api_foresee_send(struct req *r, struct uuid sender_id)
{
    const struct value *sent = req_input(r, "client_id");
    struct uuid conversation_id =
        is_nested(r) ? r->path_ids[0].id : req_input(r, "conversation")->id;
    struct uuid client_id =
        r->idempotency_key.n > 0 ? key_as_client_id(r->idempotency_key) : id_or_zero(sent);
    store_message_foresee_add(r->call.db, conversation_id, sender_id, client_id);
}

enum err api_send_message(struct req *r)
{
    struct message_draft draft;
    struct message message;
    enum err e = read_draft(r, &draft);
    if (e == ERR_OK) {
        e = chat_message_send(&r->call, &draft, &message, &r->replay);
    }
    if (e == ERR_NOT_FOUND && !is_nested(r)) {
        return ERR_NOT_PARTICIPANT; /* whether it exists is not for strangers to know */
    }
    if (e != ERR_OK) {
        return e;
    }
    if (r->replay) {
        r->status = 200;
    }
    api_write_message(r, &message);
    return ERR_OK;
}

/* ------- the message of the path ------- */

static struct message_view *target(struct req *r)
{
    return r->object;
}

enum err api_message_to_read(struct req *r)
{
    r->object = ARENA_NEW(r->arena, struct message_view);
    if (r->path_ids[1].text.p != NULL) {
        return chat_message_open_in(&r->call, r->path_ids[0].id, r->path_ids[1].id, target(r));
    }
    return chat_message_open(&r->call, r->path_ids[0].id, target(r));
}

static enum err message_to_edit(struct req *r)
{
    enum err e = api_message_to_read(r);
    return e == ERR_OK ? chat_message_may_edit(&r->call, target(r)) : e;
}

static enum err message_to_delete(struct req *r)
{
    enum err e = api_message_to_read(r);
    return e == ERR_OK ? chat_message_may_delete(&r->call, target(r)) : e;
}

static enum err answer_message(struct req *r, enum err e)
{
    if (e == ERR_OK) {
        api_write_message(r, &target(r)->message);
    }
    return e;
}

static enum err show_message(struct req *r)
{
    return answer_message(r, ERR_OK);
}

/* If-Match: "5", W/"5", 5, a list of them, or * for any. */
static bool if_match_allows(struct str header, int64_t rev)
{
    while (header.p != NULL) {
        struct str tag = str_trim(str_cut(&header, ','));
        int64_t n;
        if (str_eq(tag, STR("*"))) {
            return true;
        }
        if (str_starts(tag, STR("W/"))) {
            tag = (struct str){tag.p + 2, tag.n - 2};
        }
        if (tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"') {
            tag = (struct str){tag.p + 1, tag.n - 2};
        }
        if (str_to_i64(tag, &n) && n == rev) {
            return true;
        }
    }
    return false;
}

/* Has the client seen what it is about to change? */
static enum err check_rev(struct req *r)
{
    const struct value *sent = req_input(r, "rev");
    int64_t present = target(r)->message.rev;
    bool is_present = !value_is_set(sent) || sent->n == present;
    if (r->if_match.p != NULL) {
        is_present = is_present && if_match_allows(r->if_match, present);
    }
    return is_present ? ERR_OK : ERR_REV_MISMATCH;
}

static enum err edit_message(struct req *r)
{
    const struct value *body = req_input(r, "message_body");
    enum err e = check_rev(r);
    if (e == ERR_OK && value_is_set(body)) {
        e = chat_message_edit(&r->call, target(r), body->text);
    }
    return answer_message(r, e);
}

static enum err delete_message(struct req *r)
{
    return chat_message_delete(&r->call, target(r));
}

static enum err pin_message(struct req *r)
{
    return answer_message(r, chat_message_set_pinned(&r->call, target(r), true));
}

static enum err unpin_message(struct req *r)
{
    return answer_message(r, chat_message_set_pinned(&r->call, target(r), false));
}

static enum err read_message(struct req *r)
{
    return answer_message(r, chat_message_read(&r->call, target(r)));
}

/* ------- routes ------- */

const struct resource api_message_send_resource = {
    .name = "Message Send",
    .description = "Other names of POST to the conversation's messages.",
    .paths = {"conversations/{conversation_id}/add_message/",
              "conversations/{conversation_id}/send_message/",
              "conversations/{conversation_id}/send-message/",
              "conversations/{conversation_id}/send/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(api_message_nested_input),
             SEND_EXTRAS, .object = api_message_target, .handle = api_send_message,
             .foresee = api_foresee_send, .out = &shape_message, .status = 201},
        },
};

const struct resource api_message_resource = {
    .name = "Message Instance",
    .description = "One message.",
    .paths = {"messages/{message_id}/", "conversations/{conversation_id}/messages/{message_id}/"},
    .within = WITHIN_MESSAGE,
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .object = api_message_to_read,
             .fails = FAILS(ERR_NOT_PARTICIPANT), .handle = show_message, .out = &shape_message,
             .status = 200},
            {"PUT", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(edit_input),
             .headers = FIELDS(edit_headers), .object = message_to_edit,
             .fails = FAILS(ERR_NOT_PARTICIPANT, ERR_NOT_SENDER, ERR_REV_MISMATCH),
             .about = "Changes the text, by its sender.", .handle = edit_message,
             .out = &shape_message, .status = 200},
            {"PATCH", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(edit_input),
             .headers = FIELDS(edit_headers), .object = message_to_edit,
             .fails = FAILS(ERR_NOT_PARTICIPANT, ERR_NOT_SENDER, ERR_REV_MISMATCH),
             .about = "Changes the text, by its sender.", .handle = edit_message,
             .out = &shape_message, .status = 200},
            {"DELETE", ACCESS_USER, ROUTE_WRITE, .object = message_to_delete,
             .fails = FAILS(ERR_NOT_PARTICIPANT, ERR_NOT_SENDER),
             .about = "Leaves a tombstone: text, history and metadata are wiped.",
             .handle = delete_message, .status = 204},
        },
};

const struct resource api_message_pin_resource = {
    .name = "Message Pin",
    .description = "Marks the message for all, by those who manage the conversation.",
    .paths = {"messages/{message_id}/pin/",
              "conversations/{conversation_id}/messages/{message_id}/pin/"},
    .within = WITHIN_MESSAGE,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .object = api_message_to_read,
             .fails = FAILS(ERR_NOT_PARTICIPANT), .handle = pin_message, .out = &shape_message,
             .status = 200},
        },
};

const struct resource api_message_unpin_resource = {
    .name = "Message Unpin",
    .description = "Undoes pinning.",
    .paths = {"messages/{message_id}/unpin/",
              "conversations/{conversation_id}/messages/{message_id}/unpin/"},
    .within = WITHIN_MESSAGE,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .object = api_message_to_read,
             .fails = FAILS(ERR_NOT_PARTICIPANT), .handle = unpin_message, .out = &shape_message,
             .status = 200},
        },
};

const struct resource api_message_mark_as_read_resource = {
    .name = "Message Mark As Read",
    .description = "Moves the caller's read position to this message.",
    .paths = {"messages/{message_id}/mark_as_read/"},
    .within = WITHIN_MESSAGE,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .object = api_message_to_read,
             .fails = FAILS(ERR_NOT_PARTICIPANT), .handle = read_message, .out = &shape_message,
             .status = 200},
        },
};
