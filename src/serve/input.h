/* Decodes and validates a request's body and query against the route's tables. */
#pragma once

#include "serve/route.h"

/* The body into r->input; what is wrong with fields goes into r->problems. ERR_MEDIA_TYPE,
 * ERR_PARSE, ERR_TOO_LARGE (with r->detail) where there are no fields to speak of. */
enum err input_read_body(struct req *r, struct str content_type) CHECKED;
/* Is the parameter in the query, by one of its names and not blank? */
bool input_is_sent(const struct req *r, const struct field *field);
/* r->query into r->filters; ERR_INVALID with r->problems. */
enum err input_read_filters(struct req *r) CHECKED;
