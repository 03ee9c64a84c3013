/* Where a web address leads to: the scheme, host and port of an http or https URL (RFC 3986), in their
 * normal form (6.2.2, 6.2.3), so that two that mean the same are the same (RFC 6454). Host names are in
 * ASCII, as browsers send them. Any thread. */
#pragma once

#include "base/arena.h"

enum { WEB_HOST_MAX = 253 };

struct web_origin {
    bool is_secure;
    int64_t port;
    char host[WEB_HOST_MAX + 1]; /* in lower case; an IPv6 address in brackets (RFC 5952) */
};

/* *rest: what stands behind host and port: empty, or a path, query or fragment. False: it is no such
 * URL, or has a user. */
bool web_origin_parse(struct str url, struct web_origin *out, struct str *rest) CHECKED;
bool web_origin_eq(const struct web_origin *a, const struct web_origin *b);
/* "https://chat.example.com", with the port where it is not the scheme's own. */
struct str web_origin_format(struct arena *a, const struct web_origin *origin);
