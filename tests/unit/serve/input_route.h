/* A route with a field of every type, for the test and the fuzz target of serve/input.c. */
#pragma once

#include "serve/input.h"

static const struct field input_fields[] = {
    {.name = "title", .aliases = "name,label", .type = FIELD_TEXT, .required = true, .max = 10},
    {.name = "secret", .type = FIELD_SECRET, .min = 3},
    {.name = "email", .type = FIELD_EMAIL},
    {.name = "client_id", .type = FIELD_UUID, .nullable = true},
    {.name = "conversation", .type = FIELD_PK},
    {.name = "seq", .type = FIELD_INT, .min = 0, .max = 9},
    {.name = "pinned", .type = FIELD_BOOL},
    {.name = "until", .type = FIELD_TIME, .nullable = true},
    {.name = "metadata", .type = FIELD_OBJECT, .max = 64},
    {.name = "role", .type = FIELD_CHOICE, .choices = "guest,host"},
    {.name = "participants",
     .aliases = "participant_ids",
     .type = FIELD_LIST,
     .max = 3,
     .refuse_prefix = "participant"},
};

static const struct route input_route = {
    .method = "POST",
    .access = ACCESS_ANYONE,
    .input = input_fields,
    .input_count = COUNT_OF(input_fields),
    .query = input_fields,
    .query_count = COUNT_OF(input_fields),
    .status = 200,
};

static inline void input_request(struct req *r, struct http_exchange *x, const char *method,
                                 struct str body)
{
    *x = (struct http_exchange){.method = str_of(method), .body = body};
    arena_init(&x->arena);
    *r = (struct req){.x = x, .arena = &x->arena, .route = &input_route};
    problems_init(&r->problems, r->arena);
}
