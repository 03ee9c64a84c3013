#include "serve/router.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEGMENTS_MAX = 8, ALLOW_MAX = 64 };

struct path {
    const struct resource *resource;
    bool under_api;
    size_t count;
    struct str segments[SEGMENTS_MAX]; /* "{...}" takes an id */
    size_t ids;
    bool is_open; /* what follows its segments is the handler's to read */
};

struct router {
    const struct resource *const *resources;
    size_t resource_count;
    char (*allow)[ALLOW_MAX]; /* by resource */
    struct path *paths;       /* those with fewer ids first, so that literal segments win */
    size_t path_count;
};

static bool is_id(struct str segment)
{
    return segment.n > 0 && segment.p[0] == '{';
}

/* False: more segments than any of our paths has, or an empty one. */
static bool split(struct str path, struct str out[SEGMENTS_MAX], size_t *count)
{
    *count = 0;
    if (path.n == 0) {
        return true;
    }
    while (path.p != NULL) {
        struct str segment = str_cut(&path, '/');
        if (segment.n == 0 && path.p == NULL) {
            return true; /* behind the last slash */
        }
        if (segment.n == 0 || *count == SEGMENTS_MAX) {
            return false;
        }
        out[(*count)++] = segment;
    }
    return true;
}

static _Noreturn void bad_table(const char *name, const char *what)
{
    fprintf(stderr, "confab: route table: %s: %s\n", name, what);
    abort();
}

static void check_route(const struct resource *resource, const struct route *route)
{
    if (route->access == ACCESS_UNDECLARED) {
        bad_table(resource->name, "a route without a declared access");
    }
    if (route->handle == NULL || route->status == 0) {
        bad_table(resource->name, "a route without handler or status");
    }
    if (route->render_count > RENDERS_MAX) {
        bad_table(resource->name, "a route with too many representations");
    }
    if (route->slow != NULL && route->db != ROUTE_WRITE) {
        bad_table(resource->name, "a slow stage without a write");
    }
}

static void add_path(struct router *router, const struct resource *resource, const char *text)
{
    struct path *path = &router->paths[router->path_count++];
    struct str rest = str_of(text);
    path->resource = resource;
    path->under_api = rest.n == 0 || rest.p[0] != '/';
    if (!path->under_api) {
        rest = (struct str){rest.p + 1, rest.n - 1};
    }
    if (!split(rest, path->segments, &path->count)) {
        bad_table(resource->name, "a path with too many or empty segments");
    }
    path->is_open = path->count > 0 && str_eq(path->segments[path->count - 1], STR("*"));
    path->count -= path->is_open ? 1 : 0;
    for (size_t i = 0; i < path->count; i++) {
        path->ids += is_id(path->segments[i]) ? 1 : 0;
    }
    if (path->ids > PATH_IDS_MAX) {
        bad_table(resource->name, "a path with too many ids");
    }
}

static void set_allow(char out[ALLOW_MAX], const struct resource *resource)
{
    static const char *const order[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const struct route *route = router_method(resource, str_of(order[i]));
        if (route != NULL) {
            n += (size_t)snprintf(out + n, ALLOW_MAX - n, "%s, ", order[i]);
        }
    }
    bool head = router_method(resource, STR("GET")) != NULL;
    (void)snprintf(out + n, ALLOW_MAX - n, head ? "HEAD, OPTIONS" : "OPTIONS");
}

static int by_ids(const void *a, const void *b)
{
    const struct path *x = a;
    const struct path *y = b;
    return (x->ids > y->ids) - (x->ids < y->ids);
}

struct router *router_new(const struct resource *const *resources, size_t count)
{
    struct router *router = mem_alloc_zero(sizeof(*router));
    router->resources = resources;
    router->resource_count = count;
    router->allow = mem_alloc_zero(count * sizeof(*router->allow));
    router->paths = mem_alloc_zero(count * PATHS_MAX * sizeof(*router->paths));
    for (size_t i = 0; i < count; i++) {
        const struct resource *resource = resources[i];
        for (const struct route *m = resource->methods; m->method != NULL; m++) {
            check_route(resource, m);
        }
        for (size_t p = 0; p < PATHS_MAX && resource->paths[p] != NULL; p++) {
            add_path(router, resource, resource->paths[p]);
        }
        set_allow(router->allow[i], resource);
    }
    qsort(router->paths, router->path_count, sizeof(*router->paths), by_ids);
    return router;
}

void router_free(struct router *router)
{
    if (router != NULL) {
        free(router->paths);
        free(router->allow);
        free(router);
    }
}

static bool matches(const struct path *path, const struct str *segments, size_t count)
{
    if (path->is_open ? count <= path->count : count != path->count) {
        return false;
    }
    for (size_t i = 0; i < path->count; i++) {
        if (!is_id(path->segments[i]) && !str_eq(path->segments[i], segments[i])) {
            return false;
        }
    }
    return true;
}

static const struct path *find(const struct router *router, bool under_api,
                               const struct str *segments, size_t count)
{
    for (size_t i = 0; i < router->path_count; i++) {
        const struct path *path = &router->paths[i];
        if (path->under_api == under_api && matches(path, segments, count)) {
            return path;
        }
    }
    return NULL;
}

static void take_ids(struct req *r, const struct path *path, const struct str *segments)
{
    size_t at = 0;
    for (size_t i = 0; i < path->count; i++) {
        if (is_id(path->segments[i])) {
            struct path_id *id = &r->path_ids[at++];
            id->text = segments[i];
            id->valid = uuid_parse(segments[i], &id->id);
        }
    }
}

/* Cuts ".json" off the last segment. */
static struct str take_suffix(struct str *segment)
{
    for (size_t i = segment->n; i-- > 1;) {
        if (segment->p[i] == '.') {
            struct str suffix = {segment->p + i + 1, segment->n - i - 1};
            segment->n = i;
            return suffix;
        }
    }
    return STR_NULL;
}

bool router_find(const struct router *router, struct req *r, struct str path, struct str *format)
{
    static const struct str prefixes[] = {{"/api/v1/", 8}, {"/api/chats/", 11}, {"/api/", 5}};
    struct str segments[SEGMENTS_MAX] = {{NULL, 0}};
    size_t count = 0;
    struct str rest = {NULL, 0};
    *format = STR_NULL;
    r->prefix = STR("/");
    for (size_t i = 0; i < COUNT_OF(prefixes) && rest.p == NULL; i++) {
        struct str bare = {prefixes[i].p, prefixes[i].n - 1};
        if (str_starts(path, prefixes[i])) {
            rest = (struct str){path.p + prefixes[i].n, path.n - prefixes[i].n};
            r->prefix = prefixes[i];
        } else if (str_eq(path, bare)) {
            rest = STR("");
            r->prefix = prefixes[i];
        }
    }
    bool under_api = rest.p != NULL;
    if (!under_api) {
        if (path.n == 0 || path.p[0] != '/') {
            return false;
        }
        rest = (struct str){path.p + 1, path.n - 1};
    }
    if (!split(rest, segments, &count)) {
        return false;
    }
    const struct path *found = find(router, under_api, segments, count);
    bool may_have_suffix = count > 0 && path.p[path.n - 1] != '/' &&
                           str_contains_byte(segments[count - 1], '.') &&
                           (found == NULL || !found->is_open);
    if (may_have_suffix) {
        struct str last = segments[count - 1];
        struct str suffix = take_suffix(&segments[count - 1]);
        const struct path *without = find(router, under_api, segments, count);
        if (without != NULL && suffix.n > 0 && (found == NULL || found->ids > 0)) {
            *format = suffix;
            found = without;
        } else {
            segments[count - 1] = last;
        }
    }
    if (found == NULL) {
        return false;
    }
    r->resource = found->resource;
    take_ids(r, found, segments);
    return true;
}

struct str router_full_path(struct arena *a, const char *path)
{
    return path[0] == '/' ? str_of(path) : arena_printf(a, "/api/%s", path);
}

const struct route *router_method(const struct resource *resource, struct str method)
{
    if (str_eq(method, STR("HEAD"))) {
        method = STR("GET");
    }
    for (const struct route *m = resource->methods; m->method != NULL; m++) {
        if (str_eq(method, str_of(m->method))) {
            return m;
        }
    }
    return NULL;
}

const char *router_allow(const struct router *router, const struct resource *resource)
{
    for (size_t i = 0; i < router->resource_count; i++) {
        if (router->resources[i] == resource) {
            return router->allow[i];
        }
    }
    return "";
}
