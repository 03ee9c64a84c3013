/* From the path of a request to its resource. Built once; any thread. */
#pragma once

#include "serve/route.h"

struct router;

/* Checks the tables too: a route without a declared access, handler or status ends the process. */
struct router *router_new(const struct resource *const *resources, size_t count);
void router_free(struct router *router);

/* Sets r->resource, r->prefix, r->path_ids and *format (from a suffix like ".json"; absent if there
 * is none) from the decoded path. False: there is no such path. */
bool router_find(const struct router *router, struct req *r, struct str path, struct str *format)
    CHECKED;

/* "/api/users/{id}/" of "users/{id}/", one of a resource's paths. */
struct str router_full_path(struct arena *a, const char *path);
/* NULL: the resource has no such method. HEAD is GET. */
const struct route *router_method(const struct resource *resource, struct str method);
/* "GET, POST, HEAD, OPTIONS" in DRF's order. */
const char *router_allow(const struct router *router, const struct resource *resource);
