/* One operation: its name, what it takes, what it answers, who may call it. */
#include "serve/router.h"
#include "web/openapi_private.h"

/* By the first row that a segment of the path is in. */
static const struct {
    const char *segments;
    const char *tag;
    const char *description;
} tags[] = {
    {"admin", "admin", "What admins see and do; each use is in the audit log."},
    {"token,auth,api-auth,api-token-auth,login", "auth",
     "Signing in and out, tokens, and the caller's profile under other servers' names."},
    {"ws,events,sync,typing,presence", "realtime",
     "What is new, as it happens: WebSocket (subprotocol confab.v1), server-sent events or long "
     "poll, with the same frames; docs/realtime.md describes them."},
    {"messages,add_message", "messages", "What was said: lists, sending, one message."},
    {"conversations", "conversations", "Who talks to whom: conversations and their participants."},
    {"notifications", "notifications", "What others have said and the caller has not read."},
    {"users,register", "users", "People, oneself, one's devices."},
    {NULL, "system", "The server itself."},
};

static bool is_in(const char *path, const char *segments)
{
    struct str rest = str_of(path);
    while (rest.p != NULL) {
        struct str segment = str_cut(&rest, '/');
        if (segment.n > 0 && str_in_list(segment, segments)) {
            return true;
        }
    }
    return false;
}

static const char *tag_of(const struct resource *resource)
{
    size_t i = 0;
    while (tags[i].segments != NULL && !is_in(resource->paths[0], tags[i].segments)) {
        i++;
    }
    return tags[i].tag;
}

void openapi_put_tags(struct openapi_writer *w)
{
    json_open_array(&w->o);
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        json_open_object(&w->o);
        json_field_str(&w->o, "name", str_of(tags[i].tag));
        json_field_str(&w->o, "description", str_of(tags[i].description));
        json_close_object(&w->o);
    }
    json_close_array(&w->o);
}

/* ------- names ------- */

static bool takes(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool openapi_is_paged(const struct route *route)
{
    return takes(route->query, route->query_count, "page_size");
}

static bool is_list(const struct route *route)
{
    return openapi_is_paged(route) || (route->out != NULL && openapi_is_bare_list(route->out));
}

static const struct {
    const char *method;
    const char *action; /* as drf-spectacular names it */
    const char *verb;   /* for people */
} actions[] = {
    {"GET", "retrieve", "Get"},      {"POST", "create", "Create"},
    {"PUT", "update", "Replace"},    {"PATCH", "partial_update", "Change"},
    {"DELETE", "destroy", "Delete"},
};

static size_t action_of(const struct route *route)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(actions) && strcmp(actions[i].method, route->method) != 0) {
        i++;
    }
    return i;
}

static const char *action_name(const struct resource *resource, const struct route *route)
{
    const struct route *read = router_method(resource, STR("GET"));
    bool is_of_list = read != NULL && is_list(read);
    if (is_list(route)) {
        return "list";
    }
    return is_of_list && strcmp(route->method, "DELETE") == 0 ? "destroy_all"
                                                              : actions[action_of(route)].action;
}

/* "users_me_sessions_destroy": the path's words without its ids, and what is done. */
static struct str operation_id(struct openapi_writer *w, const struct resource *resource,
                               const struct route *route)
{
    struct buf name;
    struct str rest = str_of(resource->paths[0]);
    buf_init(&name, INT32_MAX);
    while (rest.p != NULL) {
        struct str segment = str_cut(&rest, '/');
        if (segment.n == 0 || segment.p[0] == '{') {
            continue;
        }
        for (size_t i = 0; i < segment.n; i++) {
            buf_char(&name, segment.p[i] == '-' ? '_' : segment.p[i]);
        }
        buf_char(&name, '_');
    }
    if (name.n == 0) {
        buf_lit(&name, "root_");
    }
    buf_str(&name, str_of(action_name(resource, route)));
    return buf_end(&name, w->arena);
}

/* "users_partial_update" -> "UsersPartialUpdateRequest". */
static struct str body_name(struct openapi_writer *w, struct str operation)
{
    struct buf name;
    bool is_first = true;
    buf_init(&name, INT32_MAX);
    for (size_t i = 0; i < operation.n; i++) {
        char c = operation.p[i];
        bool is_lower = c >= 'a' && c <= 'z';
        if (c != '_') {
            buf_char(&name, is_first && is_lower ? (char)(c - 'a' + 'A') : c);
        }
        is_first = c == '_';
    }
    buf_lit(&name, "Request");
    return buf_end(&name, w->arena);
}

static bool cut_end(struct str *s, const char *end)
{
    bool has = str_ends(*s, str_of(end));
    s->n -= has ? strlen(end) : 0;
    return has;
}

/* "Me" is, "Mark all read" is not. */
static bool is_shown_and_changed(const struct resource *resource)
{
    const struct route *methods = resource->methods;
    return strcmp(methods[0].method, "GET") == 0 && methods[1].method != NULL;
}

/* "List users", "Change message"; what is an action by itself has its own name: "Message pin". */
static struct str summary(struct openapi_writer *w, const struct resource *resource,
                          const struct route *route)
{
    struct str name = str_of(resource->name);
    const char *verb = actions[action_of(route)].verb;
    bool is_search = cut_end(&name, " Search");
    bool is_thing = cut_end(&name, " List") || cut_end(&name, " Instance");
    bool is_action = !is_thing && !is_list(route) && !is_shown_and_changed(resource);
    bool is_many = is_list(route) && (is_thing || is_search);
    verb = is_list(route) ? (is_search ? "Search" : "List") : verb;
    struct str text =
        is_action ? arena_copy(w->arena, name)
                  : arena_printf(w->arena, "%s %.*s%s", verb, STR_ARG(name), is_many ? "s" : "");
    char *p = (char *)text.p;
    for (size_t i = 1; i < text.n; i++) {
        p[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] - 'A' + 'a') : p[i];
    }
    return text;
}

/* ------- parameters ------- */

static void open_parameter(struct openapi_writer *w, struct str name, const char *in, bool required)
{
    json_open_object(&w->o);
    json_field_str(&w->o, "name", name);
    json_field_str(&w->o, "in", str_of(in));
    if (required) {
        json_field_bool(&w->o, "required", true);
    }
}

/* "{id}" behind "users" is the id of the user, as "{user_id}" is. */
static struct str id_help(struct openapi_writer *w, struct str id, struct str before)
{
    struct str noun = {id.p + 1, id.n - 2};
    if (!cut_end(&noun, "_id")) {
        noun = before;
        (void)cut_end(&noun, "s");
    }
    return arena_printf(w->arena, "Id of the %.*s.", STR_ARG(noun));
}

static void put_path_parameters(struct openapi_writer *w, const struct resource *resource)
{
    struct str rest = str_of(resource->paths[0]);
    struct str before = STR("");
    while (rest.p != NULL) {
        struct str segment = str_cut(&rest, '/');
        if (segment.n > 0 && segment.p[0] == '{') {
            open_parameter(w, (struct str){segment.p + 1, segment.n - 2}, "path", true);
            json_field_str(&w->o, "description", id_help(w, segment, before));
            json_field_raw(&w->o, "schema", STR("{\"type\":\"string\",\"format\":\"uuid\"}"));
            json_close_object(&w->o);
        }
        before = segment;
    }
}

static void put_field_parameter(struct openapi_writer *w, const struct field *field, const char *in)
{
    open_parameter(w, str_of(field->name), in, field->required);
    openapi_put_help(w, field->help, field->aliases);
    if (field->blank) {
        json_field_bool(&w->o, "allowEmptyValue", true);
    }
    json_field_open_object(&w->o, "schema");
    openapi_put_field(w, field, true);
    json_close_object(&w->o);
    if (field->aliases != NULL) {
        json_key(&w->o, "x-aliases");
        openapi_put_words(w, field->aliases);
    }
    json_close_object(&w->o);
}

static void put_format_parameter(struct openapi_writer *w, const struct route *route)
{
    struct json_out *o = &w->o;
    open_parameter(w, STR("format"), "query", false);
    json_field_str(o, "description",
                   STR("The representation; wins over Accept. As api it is a page."));
    json_field_open_object(o, "schema");
    json_field_str(o, "type", STR("string"));
    json_field_open_array(o, "enum");
    json_str(o, STR("json"));
    json_str(o, STR("api"));
    for (size_t i = 0; i < route->render_count; i++) {
        if (route->renders[i].format.n > 0) {
            json_str(o, route->renders[i].format);
        }
    }
    json_close_array(o);
    json_close_object(o);
    json_close_object(o);
}

static void put_parameters(struct openapi_writer *w, const struct resource *resource,
                           const struct route *route)
{
    static const struct field key = {
        .name = "Idempotency-Key",
        .type = FIELD_TEXT,
        .help =
            "Up to 255 characters of your choice: the same request sent again with it gives the "
            "first answer again."};
    json_field_open_array(&w->o, "parameters");
    put_path_parameters(w, resource);
    for (size_t i = 0; i < route->query_count; i++) {
        put_field_parameter(w, &route->query[i], "query");
    }
    if (strcmp(route->method, "GET") == 0 && route->out != NULL) {
        put_format_parameter(w, route);
    }
    if (route->may_replay != NULL) {
        put_field_parameter(w, &key, "header");
    }
    for (size_t i = 0; i < route->header_count; i++) {
        put_field_parameter(w, &route->headers[i], "header");
    }
    json_close_array(&w->o);
}

/* ------- body ------- */

static void put_request_body(struct openapi_writer *w, const struct route *route,
                             struct str operation)
{
    static const struct str media_types[] = {{"application/json", 16},
                                             {"application/x-www-form-urlencoded", 33},
                                             {"multipart/form-data", 19}};
    struct json_out *o = &w->o;
    bool required = false;
    for (size_t i = 0; i < route->input_count; i++) {
        required = required || route->input[i].required;
    }
    json_field_open_object(o, "requestBody");
    json_field_bool(o, "required", required && strcmp(route->method, "PATCH") != 0);
    json_field_open_object(o, "content");
    for (size_t i = 0; i < COUNT_OF(media_types); i++) {
        json_key_str(o, media_types[i]);
        json_open_object(o);
        json_key(o, "schema");
        openapi_put_body(w, route, body_name(w, operation));
        json_close_object(o);
    }
    json_close_object(o);
    json_close_object(o);
}

/* ------- answers ------- */

static const char *phrase(int status)
{
    switch (status) {
    case 101: return "The connection speaks WebSocket from here on.";
    case 200: return "Done.";
    case 201: return "Made.";
    case 204:
    case 205: return "Done; there is no body.";
    case 304: return "What you have (If-None-Match) is still the same.";
    default: return "Done.";
    }
}

static void put_content(struct openapi_writer *w, const struct route *route)
{
    struct json_out *o = &w->o;
    if (route->out == NULL && route->render_count == 0) {
        return;
    }
    json_field_open_object(o, "content");
    if (route->out != NULL) {
        json_field_open_object(o, "application/json");
        json_key(o, "schema");
        openapi_put_answer(w, route->out);
        json_close_object(o);
    }
    for (size_t i = 0; i < route->render_count; i++) {
        json_key_str(o, route->renders[i].media_type);
        json_raw(o, STR("{\"schema\":{\"type\":\"string\"}}"));
    }
    json_close_object(o);
}

static void put_success(struct openapi_writer *w, const struct route *route, int status)
{
    struct json_out *o = &w->o;
    json_key_str(o, arena_printf(w->arena, "%d", status));
    json_open_object(o);
    json_field_str(o, "description", str_of(phrase(status)));
    json_field_open_object(o, "headers");
    json_field_raw(o, "X-Request-ID", STR("{\"$ref\":\"#/components/headers/RequestID\"}"));
    if (takes(route->headers, route->header_count, "Idempotency-Key") ||
        route->may_replay != NULL) {
        json_field_raw(o, "Idempotent-Replay",
                       STR("{\"$ref\":\"#/components/headers/IdempotentReplay\"}"));
    }
    json_close_object(o);
    if (status != 304) {
        put_content(w, route);
    }
    json_close_object(o);
}

static void put_responses(struct openapi_writer *w, const struct route *route,
                          const bool errors[ERR_COUNT])
{
    json_field_open_object(&w->o, "responses");
    if (route->also != 0 && route->also < route->status) {
        put_success(w, route, route->also);
    }
    put_success(w, route, route->status);
    if (route->also > route->status) {
        put_success(w, route, route->also);
    }
    openapi_put_error_refs(w, errors);
    json_close_object(&w->o);
}

static void put_codes(struct openapi_writer *w, const bool errors[ERR_COUNT])
{
    const char *before = "";
    json_field_open_array(&w->o, "x-error-codes");
    for (int e = 0; e < ERR_COUNT; e++) {
        if (errors[e] && strcmp(before, err_code((enum err)e)) != 0) {
            before = err_code((enum err)e);
            json_str(&w->o, str_of(before));
        }
    }
    json_close_array(&w->o);
}

/* ------- who may ------- */

static void put_security(struct openapi_writer *w, const struct route *route)
{
    struct json_out *o = &w->o;
    bool is_safe = strcmp(route->method, "GET") == 0;
    json_field_open_array(o, "security");
    if (route->access == ACCESS_ANYONE) {
        json_raw(o, STR("{}"));
    }
    if (route->access != ACCESS_IGNORE) {
        json_raw(o, STR("{\"jwt\":[]}"));
        json_raw(o, STR("{\"token\":[]}"));
        json_raw(o, is_safe ? STR("{\"session\":[]}") : STR("{\"session\":[],\"csrf\":[]}"));
        if (w->conf->auth_basic) {
            json_raw(o, STR("{\"basic\":[]}"));
        }
        if (route->ticket) {
            json_raw(o, STR("{\"ticket\":[]}"));
        }
    }
    json_close_array(o);
}

static const char *access_name(enum access access)
{
    switch (access) {
    case ACCESS_USER: return "user";
    case ACCESS_ADMIN: return "admin";
    case ACCESS_UNDECLARED:
    case ACCESS_ANYONE:
    case ACCESS_IGNORE: break;
    }
    return "anyone";
}

void openapi_put_operation(struct openapi_writer *w, const struct resource *resource,
                           const struct route *route)
{
    struct json_out *o = &w->o;
    struct str name = operation_id(w, resource, route);
    bool errors[ERR_COUNT];
    openapi_errors_of(route, errors);
    json_open_object(o);
    json_field_str(o, "operationId", name);
    json_field_open_array(o, "tags");
    json_str(o, str_of(tag_of(resource)));
    json_close_array(o);
    json_field_str(o, "summary", summary(w, resource, route));
    json_field_str(o, "description",
                   str_of(route->about != NULL ? route->about : resource->description));
    json_field_str(o, "x-access", str_of(access_name(route->access)));
    put_parameters(w, resource, route);
    if (route->input_count > 0) {
        put_request_body(w, route, name);
    }
    put_responses(w, route, errors);
    put_codes(w, errors);
    put_security(w, route);
    json_close_object(o);
}
