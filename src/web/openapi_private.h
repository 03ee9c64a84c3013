/* What the parts of the OpenAPI writer share. */
#pragma once

#include "base/conf.h"
#include "serve/route.h"
#include "json/write.h"

enum { OPENAPI_SHAPES_MAX = 128, OPENAPI_BODIES_MAX = 128 };

/* The table of a request body, and its name among the schemas. */
struct openapi_body {
    const struct field *fields;
    size_t count;
    bool is_partial; /* of PATCH: nothing is required */
    struct str name;
};

struct openapi_shapes {
    const struct shape *items[OPENAPI_SHAPES_MAX];
    size_t count;
};

struct openapi_writer {
    struct arena *arena;
    const struct conf *conf;
    struct json_out o;
    /* What the operations name so far; written behind them. A name stands once. */
    struct openapi_shapes objects;
    struct openapi_shapes pages; /* of objects: the envelope of a list */
    struct openapi_body bodies[OPENAPI_BODIES_MAX];
    size_t body_count;
};

/* --- openapi_operation.c --- */

void openapi_put_operation(struct openapi_writer *w, const struct resource *resource,
                           const struct route *route);
/* Does it answer with a list, page by page? */
bool openapi_is_paged(const struct route *route);
/* The tags with their descriptions. */
void openapi_put_tags(struct openapi_writer *w);

/* --- openapi_errors.c --- */

/* Which failures the route can answer with, in the list's order; 500 is not among them. */
void openapi_errors_of(const struct route *route, bool out[ERR_COUNT]);
/* "responses": { ... "404": {"$ref": ...} } of those, into an open object. */
void openapi_put_error_refs(struct openapi_writer *w, const bool errors[ERR_COUNT]);
/* components/responses, and the schemas that they name (into an open object). */
void openapi_put_error_responses(struct openapi_writer *w);
void openapi_put_error_schemas(struct openapi_writer *w);

/* --- openapi_schema.c --- */

/* Is it "[Message]": a bare list of the shape Message? */
bool openapi_is_bare_list(const struct shape *shape);
/* Keys of the schema of a field, into an open object. */
void openapi_put_field(struct openapi_writer *w, const struct field *field, bool is_query);
/* The schema of an answer as a value: a reference, or a list of them. Notes what it names. */
void openapi_put_answer(struct openapi_writer *w, const struct shape *shape);
/* The schema of a body as a value: a reference, noted under `name` if it is new. */
void openapi_put_body(struct openapi_writer *w, const struct route *route, struct str name);
/* Keys and schemas of all that was noted, into an open object. */
void openapi_put_schemas(struct openapi_writer *w);
/* "description": the help, and under which other names the field is taken too. */
void openapi_put_help(struct openapi_writer *w, const char *help, const char *aliases);
/* A list of the comma-separated words. */
void openapi_put_words(struct openapi_writer *w, const char *words);

/* --- openapi_example.c --- */

void openapi_put_shape_example(struct openapi_writer *w, const struct shape *shape);
void openapi_put_body_example(struct openapi_writer *w, const struct openapi_body *body);
/* A page of one object of the shape. */
void openapi_put_page_example(struct openapi_writer *w, const struct shape *shape);
