/* Bodies of forms: application/x-www-form-urlencoded and multipart/form-data (RFC 7578), with the
 * tolerance of Django: line ends may be LF, text before the first and behind the last boundary is
 * skipped, the closing boundary may be missing, parts without a name are skipped. The whole body
 * is in memory (its size was limited before). Any thread. */
#pragma once

#include "http/accept.h"
#include "http/query.h"

enum { FORM_PARTS_MAX = 1000, FORM_HEADER_MAX = 4096 };

struct form_file {
    struct str name;
    struct str filename;     /* last component, no control characters, never empty */
    struct str content_type; /* as sent: never to be trusted; absent if there was none */
    struct str content;      /* in the body */
};

struct form {
    struct query fields;
    struct form_file *files;
    size_t file_count;
};

bool form_is_urlencoded(const struct media_type *type);
bool form_is_multipart(const struct media_type *type);

/* Reads a body of one of the two types. Texts live in the arena or in `body`. ERR_PARSE or
 * ERR_INVALID (too many fields): `problem` says why, in DRF's words ("Multipart form parse error -
 * Invalid boundary in multipart: None"). */
enum err form_read(struct arena *a, const struct media_type *type, struct str body,
                   struct form *out, struct str *problem) CHECKED;
