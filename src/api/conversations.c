/* conversations/ and what is about one conversation as a whole; its participants are in
 * participants.c, its messages in messages.c. */
#include "api/conversations.h"

#include "api/filters.h"
#include "api/json_conversation.h"

enum { TITLE_LENGTH_MAX = 255, METADATA_BYTES_MAX = 4096, BODY_LENGTH_MAX = 10000 };

/* Of a page of conversations, each with up to a hundred messages and participants. At their longest
 * those would fill the memory; a page as people write it stays far below. */
enum { PAGE_BYTES_MAX = 16 * 1024 * 1024 };

/* ------- input ------- */

/* A new conversation refuses keys that look like a misspelt list of people, so that none is opened
 * without them; a change may send back what it was given, `participant_count` too. */
#define PARTICIPANTS_FIELD(refused)                                                                \
    {                                                                                              \
        .name = "participants",                                                                    \
        .aliases = "participant_ids,participants_id,participants_ids,participant_id,participant,"  \
                   "participants_emails",                                                          \
        .type = FIELD_LIST, .refuse_prefix = (refused),                                            \
        .help = "Users by id, username or e-mail; one alone counts as a list."                     \
    }
#define TITLE_FIELD                                                                                \
    {                                                                                              \
        .name = "title", .type = FIELD_TEXT, .nullable = true, .blank = true,                      \
        .max = TITLE_LENGTH_MAX, .help = "What the conversation is called."                        \
    }
#define METADATA_FIELD                                                                             \
    {                                                                                              \
        .name = "metadata", .type = FIELD_OBJECT, .nullable = true, .max = METADATA_BYTES_MAX,     \
        .help = "A JSON object of the host application's."                                         \
    }

static const struct field create_input[] = {
    PARTICIPANTS_FIELD("participant"),
    TITLE_FIELD,
    METADATA_FIELD,
    {.name = "direct",
     .type = FIELD_BOOL,
     .help = "The one conversation of the caller with one other user."},
    {.name = "message_body",
     .type = FIELD_TEXT,
     .min = 1,
     .max = BODY_LENGTH_MAX,
     .help = "A first message."},
};

static const struct field change_input[] = {PARTICIPANTS_FIELD(NULL), TITLE_FIELD, METADATA_FIELD};

static const struct field own_input[] = {
    {.name = "muted_until",
     .type = FIELD_TIME,
     .nullable = true,
     .help = "No notifications until then; null: not muted."},
    {.name = "archived", .type = FIELD_BOOL, .help = "Out of the way."},
    {.name = "pinned", .type = FIELD_BOOL, .help = "On top."},
};

static const struct field read_input[] = {
    {.name = "seq", .type = FIELD_INT, .nullable = true, .help = "Read up to here."},
    {.name = "message_id",
     .aliases = "message",
     .type = FIELD_PK,
     .nullable = true,
     .help = "Read up to this message."},
};

#define MESSAGES_FIELD                                                                             \
    {                                                                                              \
        .name = "messages", .type = FIELD_INT,                                                     \
        .help = "How many of the newest messages, 0 to 100."                                       \
    }

static const struct field list_query[] = {
    PAGE_FIELDS,
    MESSAGES_FIELD,
    {.name = "participant",
     .aliases = "participants,participant_id",
     .type = FIELD_USER,
     .help = "Who takes part: id, username or, where it may be seen, e-mail."},
    {.name = "participant_username",
     .type = FIELD_TEXT,
     .help = "Part of a participant's username."},
    {.name = "participant_email", .type = FIELD_USER, .help = "As participant."},
    {.name = "unread", .type = FIELD_BOOL, .help = "With or without unread messages."},
    {.name = "search",
     .aliases = "q",
     .type = FIELD_TEXT,
     .help = "Words in the title or in participants' names."},
    {.name = "created_after", .type = FIELD_TIME, .help = "Made then or later."},
    {.name = "created_before", .type = FIELD_TIME, .help = "Made then or earlier."},
    {.name = "ordering",
     .type = FIELD_TEXT,
     .help = "created_at, -created_at, updated_at or -updated_at."},
    {.name = "all", .type = FIELD_BOOL, .help = "Everybody's; for admins, and audited."},
};

static const struct field detail_query[] = {MESSAGES_FIELD};

static struct str text_or(const struct value *v, struct str otherwise)
{
    return value_is_set(v) ? v->text : otherwise;
}

/* For a change: null empties the field, absent leaves it. */
static struct str changed_text(const struct value *v, struct str empty)
{
    return value_is_sent(v) ? text_or(v, empty) : STR_NULL;
}

static enum err read_messages_shown(struct req *r, int64_t usual, int64_t *out)
{
    const struct value *v = req_filter(r, "messages");
    *out = value_is_set(v) ? v->n : usual;
    if (*out < 0 || *out > CONVERSATION_MESSAGES_MAX) {
        return req_problem(r, "messages", STR("Ensure this value is between 0 and 100."));
    }
    return ERR_OK;
}

/* ------- the conversation of the path ------- */

/* What route->object hands to route->handle. */
struct target {
    struct conversation_view view;
    struct people people; /* those who are named in the body, if `names_people` */
    bool names_people;
};

struct conversation_view *api_conversation(struct req *r)
{
    return &((struct target *)r->object)->view;
}

enum err api_open_conversation(struct req *r, enum chat_need need)
{
    struct target *target = ARENA_NEW(r->arena, struct target);
    r->object = target;
    return chat_conversation_open(&r->call, r->path_ids[0].id, need, ERR_NOT_FOUND, &target->view);
}

enum err api_conversation_to_read(struct req *r)
{
    return api_open_conversation(r, NEED_READ);
}

enum err api_conversation_to_belong(struct req *r)
{
    return api_open_conversation(r, NEED_BELONG);
}

enum err api_conversation_to_manage(struct req *r)
{
    return api_open_conversation(r, NEED_MANAGE);
}

enum err api_conversation_to_own(struct req *r)
{
    return api_open_conversation(r, NEED_OWN);
}

enum err api_answer_conversation(struct req *r)
{
    return api_write_conversation(r, api_conversation(r), CONVERSATION_MESSAGES_SHOWN);
}

/* ------- list ------- */

const struct ordering api_conversation_orderings[CONVERSATION_ORDERINGS] = {
    [CONVERSATION_BY_UPDATED] = {"updated_at", 'u'},
    [CONVERSATION_BY_CREATED] = {"created_at", 'c'},
};

static enum err read_filter(struct req *r, struct conversation_filter *filter)
{
    struct conversation_search search = {
        .all = api_flag_filter(r, "all") && call_is_admin(&r->call),
        .participants = {api_text_filter(r, "participant"),
                         api_text_filter(r, "participant_email")},
        .username = api_text_filter(r, "participant_username"),
        .words = api_text_filter(r, "search"),
    };
    *filter = (struct conversation_filter){
        .unread = api_bool_filter(r, "unread"),
        .created_from = api_time_filter(r, "created_after"),
        .created_to = api_time_filter(r, "created_before"),
    };
    return chat_conversation_filter(&r->call, &search, filter);
}

static enum err count_rows(struct req *r, const struct conversation_filter *filter, struct pager *p)
{
    int64_t count = 0;
    if (!pager_needs_count(p)) {
        return ERR_OK;
    }
    enum err e = store_conversation_count(r->call.db, filter, PAGER_COUNT_MAX + 1, &count);
    bool capped = count > PAGER_COUNT_MAX && store_conversation_is_filtered(filter);
    return e == ERR_OK ? pager_set_count(p, count, capped) : e;
}

static enum err write_page(struct pager *p, const struct conversation_view *rows, size_t n,
                           enum conversation_order order, int64_t messages)
{
    static const struct list_key none;
    enum err e = ERR_OK;
    pager_open(p, n > 0 ? store_conversation_key(&rows[pager_index(p, n, 0)], order) : none,
               n > 0 ? store_conversation_key(&rows[pager_index(p, n, n - 1)], order) : none);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = api_write_conversation(p->r, &rows[pager_index(p, n, i)], messages);
        if (e == ERR_OK && p->r->x->out.n > PAGE_BYTES_MAX) {
            e = ERR_PAGE_TOO_LARGE;
        }
    }
    pager_close(p);
    return e;
}

static enum err list_conversations(struct req *r)
{
    struct conversation_filter filter;
    struct pager p;
    struct conversation_view *rows = NULL;
    size_t n = 0;
    int64_t messages = 0;
    bool descending = true;
    enum conversation_order order = (enum conversation_order)pager_ordering(
        r, api_conversation_orderings, CONVERSATION_ORDERINGS, &descending);

    enum err e = read_messages_shown(r, CONVERSATION_MESSAGES_LISTED, &messages);
    if (e == ERR_OK) {
        e = read_filter(r, &filter);
    }
    if (e == ERR_OK) {
        e = pager_init(&p, r, api_conversation_orderings[order].letter, descending);
    }
    if (e == ERR_OK) {
        e = count_rows(r, &filter, &p);
    }
    if (e == ERR_OK) {
        e = store_conversation_list(r->call.db, r->arena, &filter, order, &p.window, &rows, &n);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (filter.all) {
        chat_conversation_note_all(&r->call);
    }
    n = pager_rows(&p, n);
    return write_page(&p, rows, n, order, messages);
}

/* ------- create ------- */

/* Who is named must exist; told together with what else is wrong with the body. */
static enum err find_people(struct req *r)
{
    const struct value *named = req_input(r, "participants");
    const struct value *direct = req_input(r, "direct");
    struct target *target = ARENA_NEW(r->arena, struct target);
    r->object = target;
    return chat_conversation_people(&r->call, named->list, named->count,
                                    value_is_set(direct) && direct->n == 1, &target->people);
}

static enum err create_conversation(struct req *r)
{
    struct target *target = r->object;
    bool existed = false;
    struct conversation_draft draft = {
        .title = text_or(req_input(r, "title"), STR("")),
        .metadata = text_or(req_input(r, "metadata"), STR("{}")),
        .direct = req_input(r, "direct")->n != 0,
        .people = target->people,
        .message_body = text_or(req_input(r, "message_body"), STR_NULL),
    };
    enum err e = chat_conversation_create(&r->call, &draft, &target->view, &existed);
    if (e != ERR_OK) {
        return e;
    }
    r->status = existed ? 200 : 201;
    r->created = target->view.conversation.id;
    return api_answer_conversation(r);
}

static enum err sees_created(struct req *r)
{
    struct conversation_view view;
    return chat_conversation_open(&r->call, r->created, NEED_READ, ERR_NOT_FOUND, &view);
}

/* ------- detail ------- */

static enum err show_conversation(struct req *r)
{
    int64_t messages = 0;
    enum err e = read_messages_shown(r, CONVERSATION_MESSAGES_SHOWN, &messages);
    return e == ERR_OK ? api_write_conversation(r, api_conversation(r), messages) : e;
}

static enum err open_to_change(struct req *r)
{
    const struct value *named = req_input(r, "participants");
    enum err e = api_conversation_to_manage(r);
    if (e != ERR_OK || !value_is_set(named)) {
        return e;
    }
    struct target *target = r->object;
    target->names_people = true;
    return chat_people_find(&r->call, "participants", named->list, named->count, &target->people);
}

static enum err change_conversation(struct req *r)
{
    struct target *target = r->object;
    struct conversation_change change = {
        .title = changed_text(req_input(r, "title"), STR("")),
        .metadata = changed_text(req_input(r, "metadata"), STR("{}")),
        .people = target->names_people ? &target->people : NULL,
    };
    enum err e = chat_conversation_change(&r->call, &target->view, &change);
    return e == ERR_OK ? api_answer_conversation(r) : e;
}

static enum err delete_conversation(struct req *r)
{
    return chat_conversation_delete(&r->call, api_conversation(r));
}

/* ------- close, reopen ------- */

static enum err close_conversation(struct req *r)
{
    enum err e = chat_conversation_set_closed(&r->call, api_conversation(r), true);
    return e == ERR_OK ? api_answer_conversation(r) : e;
}

static enum err reopen_conversation(struct req *r)
{
    enum err e = chat_conversation_set_closed(&r->call, api_conversation(r), false);
    return e == ERR_OK ? api_answer_conversation(r) : e;
}

/* ------- my view of it ------- */

static bool bool_or(const struct value *v, bool present)
{
    return value_is_set(v) ? v->n != 0 : present;
}

static enum err change_own_view(struct req *r)
{
    struct conversation_view *view = api_conversation(r);
    const struct value *muted = req_input(r, "muted_until");
    struct own_settings settings = {
        .muted_until = view->mine.muted_until,
        .archived = bool_or(req_input(r, "archived"), view->mine.archived),
        .pinned = bool_or(req_input(r, "pinned"), view->mine.pinned),
    };
    if (value_is_sent(muted)) {
        settings.muted_until = value_is_set(muted) ? muted->n : 0;
    }
    enum err e = chat_participant_set_mine(&r->call, view, &settings);
    if (e == ERR_OK) {
        api_write_membership(r, view);
    }
    return e;
}

/* Up to which message the body says: `seq`, or a message's, or the last. */
static enum err read_position(struct req *r, int64_t *seq)
{
    const struct value *number = req_input(r, "seq");
    const struct value *message = req_input(r, "message_id");
    const struct conversation *conversation = &api_conversation(r)->conversation;
    bool found = true;
    enum err e = ERR_OK;
    *seq = conversation->last_seq;
    if (value_is_set(number)) {
        *seq = number->n;
    } else if (value_is_set(message)) {
        e = store_conversation_seq_of(r->call.db, conversation->id, message->id, seq, &found);
    }
    if (e == ERR_OK && !found) {
        char text[UUID_TEXT];
        uuid_format(message->id, text);
        return req_problem(r, "message_id",
                           arena_printf(r->arena, "Invalid pk \"%.*s\" - object does not exist.",
                                        UUID_TEXT, text));
    }
    return e;
}

static enum err mark_read(struct req *r)
{
    struct conversation_view *view = api_conversation(r);
    int64_t seq = 0;
    enum err e = read_position(r, &seq);
    if (e == ERR_OK) {
        e = chat_participant_read(&r->call, view, seq);
    }
    if (e == ERR_OK) {
        api_write_membership(r, view);
    }
    return e;
}

/* ------- routes ------- */

const struct resource api_conversation_list_resource = {
    .name = "Conversation List",
    .description = "The caller's conversations, newest activity first.",
    .paths = {"conversations/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(list_query),
             .handle = list_conversations, .fails = FAILS(ERR_PAGE_TOO_LARGE),
             .out = &shape_conversation_page, .status = 200},
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(create_input), .object = find_people,
             .fails = FAILS(ERR_CONFLICT, ERR_CONVERSATION_CLOSED), .handle = create_conversation,
             .out = &shape_conversation, .status = 201, .also = 200,
             .about =
                 "Opens a conversation, whose owner the caller is. With direct: the one that there "
                 "is, if there is one.",
             .may_replay = sees_created},
        },
};

const struct resource api_conversation_search_resource = {
    .name = "Conversation Search",
    .description = "The list of conversations, by another name: ?q= is its search.",
    .paths = {"conversations/search/"},
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(list_query),
             .handle = list_conversations, .fails = FAILS(ERR_PAGE_TOO_LARGE),
             .out = &shape_conversation_page, .status = 200},
        },
};

#define CHANGE_ABOUT                                                                               \
    "Changes title, metadata or participants (the list that is sent replaces them), by those who " \
    "manage the conversation."

const struct resource api_conversation_resource = {
    .name = "Conversation Instance",
    .description = "One conversation with its participants and newest messages.",
    .paths = {"conversations/{id}/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"GET", ACCESS_USER, ROUTE_READ, .query = FIELDS(detail_query),
             .object = api_conversation_to_read, .handle = show_conversation,
             .out = &shape_conversation, .status = 200},
            {"PUT", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(change_input),
             .object = open_to_change, .about = CHANGE_ABOUT, .handle = change_conversation,
             .out = &shape_conversation, .status = 200},
            {"PATCH", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(change_input),
             .object = open_to_change, .about = CHANGE_ABOUT, .handle = change_conversation,
             .out = &shape_conversation, .status = 200},
            {"DELETE", ACCESS_USER, ROUTE_WRITE, .object = api_conversation_to_own,
             .about = "Deletes the conversation for all, by its owner or an admin.",
             .handle = delete_conversation, .status = 204},
        },
};

const struct resource api_conversation_close_resource = {
    .name = "Conversation Close",
    .description = "From now on nobody writes into it.",
    .paths = {"conversations/{id}/close/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .object = api_conversation_to_manage,
             .handle = close_conversation, .out = &shape_conversation, .status = 200},
        },
};

const struct resource api_conversation_reopen_resource = {
    .name = "Conversation Reopen",
    .description = "Undoes closing.",
    .paths = {"conversations/{id}/reopen/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .object = api_conversation_to_manage,
             .handle = reopen_conversation, .out = &shape_conversation, .status = 200},
        },
};

const struct resource api_conversation_me_resource = {
    .name = "Conversation Membership",
    .description = "The caller's own view of the conversation.",
    .paths = {"conversations/{id}/me/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"PATCH", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(own_input),
             .object = api_conversation_to_belong, .fails = FAILS(ERR_NOT_PARTICIPANT),
             .handle = change_own_view, .out = &shape_membership, .status = 200},
        },
};

const struct resource api_conversation_read_resource = {
    .name = "Conversation Read",
    .description = "Moves the caller's read position forward; by default to the end.",
    .paths = {"conversations/{id}/read/"},
    .within = WITHIN_CONVERSATION,
    .methods =
        {
            {"POST", ACCESS_USER, ROUTE_WRITE, .input = FIELDS(read_input),
             .object = api_conversation_to_belong, .fails = FAILS(ERR_NOT_PARTICIPANT),
             .handle = mark_read, .out = &shape_membership, .status = 200},
        },
};
