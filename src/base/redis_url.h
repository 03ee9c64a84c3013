/* Addresses of a Redis or Valkey server, as other programs write them:
 *
 *     redis://[[user]:password@]host[:port][/db]        rediss:// the same with TLS
 *     redis+unix://[[user]:password@]/path[?db=N]       unix:// too
 *
 * Percent signs in the user and in the password are decoded. */
#pragma once

#include "base/arena.h"

struct redis_url {
    bool is_tls;
    const char *path; /* of a socket; NULL: host and port */
    const char *host; /* without brackets */
    int64_t port;
    struct str user;     /* absent: the default one */
    struct str password; /* absent: none */
    int64_t db;
};

/* False: it is no such address. What is in *out lives in `a`. */
bool redis_url_parse(struct arena *a, struct str text, struct redis_url *out) CHECKED;
