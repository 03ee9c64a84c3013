/* The failures of a route that follow from its line, with those that it names itself (.fails). */
#include "web/openapi_private.h"

static const struct {
    int status;
    const char *name; /* among components/responses */
    const char *description;
} kinds[] = {
    {400, "BadRequest", "Something is wrong with the request; all problems of a body at once."},
    {401, "Unauthorized", "Not signed in, or with what is no longer good."},
    {403, "Forbidden", "Not allowed to the caller."},
    {404, "NotFound", "There is no such thing, or the caller may not know of it."},
    {406, "NotAcceptable", "There is no such representation."},
    {409, "Conflict", "The request conflicts with the present state."},
    {413, "TooLarge", "The body is too large."},
    {415, "UnsupportedMediaType", "The body is in a form that is not taken."},
    {426, "UpgradeRequired", "This address speaks another protocol."},
    {429, "TooManyRequests", "Asked too often: try again after Retry-After seconds."},
    {503, "Unavailable", "The server is busy or stopping: try again after Retry-After seconds."},
    {507, "StorageFull", "The storage is full; nothing was stored."},
};

/* As serve/reply.c writes them. */
static const struct shape_field token_problem_fields[] = {
    {.name = "token_class", .type = SHAPE_STRING},
    {.name = "token_type", .type = SHAPE_STRING},
    {.name = "message", .type = SHAPE_STRING},
};
static const struct shape shape_token_problem = {.name = "TokenProblem",
                                                 FIELDS(token_problem_fields)};

static const struct shape_field error_fields[] = {
    {.name = "detail", .type = SHAPE_STRING, .help = "For people."},
    {.name = "code",
     .type = SHAPE_STRING,
     .optional = true,
     .help = "As X-Error-Code; where a token is refused."},
    {.name = "messages",
     .type = SHAPE_ARRAY,
     .optional = true,
     .of = &shape_token_problem,
     .help = "Which token is refused, and why."},
};
static const struct shape shape_error = {.name = "Error", FIELDS(error_fields)};

static const struct shape_field problem_fields[] = {
    {.name = "type", .type = SHAPE_STRING},
    {.name = "title", .type = SHAPE_STRING},
    {.name = "status", .type = SHAPE_INT},
    {.name = "detail", .type = SHAPE_STRING},
    {.name = "code", .type = SHAPE_STRING, .help = "As X-Error-Code."},
    {.name = "errors",
     .type = SHAPE_JSON_OBJECT,
     .optional = true,
     .help = "What is wrong with each field, as in FieldErrors."},
};
static const struct shape shape_problem = {.name = "Problem", FIELDS(problem_fields)};

static const enum err of_all[] = {ERR_INVALID,        ERR_PARSE, ERR_BAD_HOST, ERR_NOT_FOUND,
                                  ERR_NOT_ACCEPTABLE, ERR_BUSY,  ERR_OK};
static const enum err of_identified[] = {
    ERR_TOKEN_INVALID, ERR_AUTH_FAILED, ERR_AUTH_HEADER, ERR_USER_NOT_FOUND,
    ERR_USER_INACTIVE, ERR_UNAVAILABLE, ERR_OK};
static const enum err of_bodies[] = {ERR_TOO_LARGE, ERR_MEDIA_TYPE, ERR_OK};
static const enum err of_pages[] = {ERR_INVALID_PAGE, ERR_PAGE_TOO_DEEP, ERR_BAD_CURSOR, ERR_OK};
static const enum err of_writes[] = {ERR_UNAVAILABLE, ERR_OUTCOME_UNKNOWN, ERR_STORAGE_FULL,
                                     ERR_OK};

static void add(bool out[ERR_COUNT], const enum err *list)
{
    for (; list != NULL && *list != ERR_OK; list++) {
        out[*list] = true;
    }
}

static void add_of_access(const struct route *route, bool out[ERR_COUNT])
{
    bool is_guarded = route->access == ACCESS_USER || route->access == ACCESS_ADMIN;
    bool is_safe = strcmp(route->method, "GET") == 0;
    if (route->access != ACCESS_IGNORE) {
        add(out, of_identified);
    }
    out[ERR_NOT_AUTHENTICATED] |= is_guarded;
    out[ERR_FORBIDDEN] |= route->access == ACCESS_ADMIN;
    if (!is_safe && route->access != ACCESS_IGNORE) {
        out[ERR_FORBIDDEN] = true; /* what belongs to others */
        out[ERR_CSRF] = true;
        out[ERR_TOO_LARGE] = true; /* a form, and its token with it */
    }
    out[ERR_CSRF] |= route->ticket;
}

void openapi_errors_of(const struct route *route, bool out[ERR_COUNT])
{
    memset(out, 0, ERR_COUNT * sizeof(out[0]));
    add(out, of_all);
    add_of_access(route, out);
    if (route->input_count > 0) {
        add(out, of_bodies);
    }
    if (openapi_is_paged(route)) {
        add(out, of_pages);
    }
    if (route->db == ROUTE_WRITE) {
        add(out, of_writes);
    }
    out[ERR_UNAVAILABLE] |= route->db == ROUTE_READ;
    out[ERR_THROTTLED] |= route->throttle != THROTTLE_NEVER;
    out[ERR_IDEMPOTENCY] |= route->may_replay != NULL;
    add(out, route->fails);
}

static bool has_status(const bool errors[ERR_COUNT], int status)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        if (errors[e] && err_status((enum err)e) == status) {
            return true;
        }
    }
    return false;
}

void openapi_put_error_refs(struct openapi_writer *w, const bool errors[ERR_COUNT])
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!has_status(errors, kinds[i].status)) {
            continue;
        }
        json_key_str(&w->o, arena_printf(w->arena, "%d", kinds[i].status));
        json_open_object(&w->o);
        json_field_str(&w->o, "$ref",
                       arena_printf(w->arena, "#/components/responses/%s", kinds[i].name));
        json_close_object(&w->o);
    }
}

/* ------- components ------- */

static bool is_first_of_code(int e)
{
    for (int i = 0; i < e; i++) {
        if (strcmp(err_code((enum err)i), err_code((enum err)e)) == 0) {
            return false;
        }
    }
    return true;
}

static void put_codes(struct openapi_writer *w, int status)
{
    json_field_open_array(&w->o, "enum");
    for (int e = 0; e < ERR_COUNT; e++) {
        if (err_status((enum err)e) == status && is_first_of_code(e)) {
            json_str(&w->o, str_of(err_code((enum err)e)));
        }
    }
    json_close_array(&w->o);
}

static void put_header_ref(struct openapi_writer *w, const char *header, const char *component)
{
    json_key_str(&w->o, str_of(header));
    json_open_object(&w->o);
    json_field_str(&w->o, "$ref", arena_printf(w->arena, "#/components/headers/%s", component));
    json_close_object(&w->o);
}

static void put_headers(struct openapi_writer *w, int status)
{
    struct json_out *o = &w->o;
    json_field_open_object(o, "headers");
    put_header_ref(w, "X-Request-ID", "RequestID");
    json_field_open_object(o, "X-Error-Code");
    json_field_str(o, "description", STR("What went wrong; does not change with the words."));
    json_field_open_object(o, "schema");
    json_field_str(o, "type", STR("string"));
    put_codes(w, status);
    json_close_object(o);
    json_close_object(o);
    if (status == 429 || status == 503) {
        put_header_ref(w, "Retry-After", "RetryAfter");
    }
    if (status == 401) {
        put_header_ref(w, "WWW-Authenticate", "Authenticate");
    }
    json_close_object(o);
}

static void put_content(struct openapi_writer *w, int status)
{
    struct json_out *o = &w->o;
    json_field_open_object(o, "content");
    json_field_open_object(o, "application/json");
    json_key(o, "schema");
    if (status == 400) {
        json_open_object(o);
        json_field_open_array(o, "anyOf");
        json_raw(o, STR("{\"$ref\":\"#/components/schemas/FieldErrors\"}"));
        openapi_put_answer(w, &shape_error);
        json_close_array(o);
        json_close_object(o);
    } else {
        openapi_put_answer(w, &shape_error);
    }
    json_close_object(o);
    json_field_open_object(o, "application/problem+json");
    json_key(o, "schema");
    openapi_put_answer(w, &shape_problem);
    json_close_object(o);
    json_close_object(o);
}

void openapi_put_error_responses(struct openapi_writer *w)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        json_key_str(&w->o, str_of(kinds[i].name));
        json_open_object(&w->o);
        json_field_str(&w->o, "description", str_of(kinds[i].description));
        put_headers(w, kinds[i].status);
        put_content(w, kinds[i].status);
        json_close_object(&w->o);
    }
}

void openapi_put_error_schemas(struct openapi_writer *w)
{
    json_field_raw(&w->o, "FieldErrors",
                   STR("{\"type\":\"object\",\"description\":\"What is wrong with each field; "
                       "non_field_errors with the whole.\",\"minProperties\":1,"
                       "\"additionalProperties\":{\"type\":\"array\",\"minItems\":1,\"items\":{"
                       "\"type\":\"string\"}},"
                       "\"examples\":[{\"message_body\":[\"This field may not be blank.\"]}]}"));
}
