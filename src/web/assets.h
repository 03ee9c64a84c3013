/* What browsers load: style sheets, scripts, pages. They are inside the program; with ASSETS_DIR
 * they are read from there instead, all but Swagger UI, so that a change shows without a build. */
#pragma once

#include "serve/route.h"

/* The asset's text, uncompressed, in the request's arena. False: it is in ASSETS_DIR no more. Asserts
 * that there is one of this path. */
bool asset_text(struct req *r, const char *path, struct str *out) CHECKED;

/* Is an asset of this path inside the program? */
bool asset_is_there(const char *path);

/* Answers with bytes that stay the same as long as their ETag: 304 to whom has them (RFC 9110, 13.1.2). */
void asset_answer(struct req *r, struct str content, struct str etag);
/* A strong ETag of the content, with its quotes, zero-terminated. */
struct str asset_etag(struct arena *a, struct str content);
