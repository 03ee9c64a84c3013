/* The OpenAPI 3.1 document, made from the tables that route, decode and validate (serve/route.h,
 * serve/field.h): nothing of an endpoint is written here by hand. */
#pragma once

#include "base/buf.h"
#include "base/conf.h"

/* More than it takes in any form. */
enum { OPENAPI_BYTES_MAX = 16 * 1024 * 1024 };

/* Appends the document as compact JSON. It tells of what the settings turn on (AUTH_BASIC). Fails
 * (out->failed) if it is larger than `out` may be. */
void openapi_write(const struct conf *conf, struct buf *out);

/* Both forms of the document with their ETags, for GET /api/schema/. Read-only. */
struct openapi;
struct openapi *openapi_new(const struct conf *conf);
void openapi_free(struct openapi *openapi);
