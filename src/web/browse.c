/* The browsable API: whatever a resource answers, laid out for people. web/js/browse.js makes the
 * answer clickable, and the forms, from /api/schema/. */
#include <stdio.h>

#include "serve/app.h"
#include "serve/router.h"
#include "web/page.h"
#include "json/write.h"

enum { INDENT = 2 };

/* What goes out beside it, one header a line. */
static struct str headers_text(struct req *r)
{
    struct buf text;
    buf_init(&text, HTTP_BODY_MAX);
    for (size_t i = 0; i < r->x->header_count; i++) {
        const struct http_header *header = &r->x->headers[i];
        if (strcmp(header->name, "Set-Cookie") != 0) {
            buf_printf(&text, "%s: %s\n", header->name, header->value);
        }
    }
    struct str copy = arena_copy(r->arena, buf_view(&text));
    buf_fini(&text);
    return copy;
}

static struct str body_text(struct req *r)
{
    struct buf text;
    buf_init(&text, HTTP_BODY_MAX);
    json_indent(&text, buf_view(&r->x->out), INDENT);
    struct str copy = arena_copy(r->arena, text.failed ? buf_view(&r->x->out) : buf_view(&text));
    buf_fini(&text);
    return copy;
}

static struct str address(struct req *r)
{
    struct str query = r->x->query;
    return arena_printf(r->arena, "%.*s%s%.*s", STR_ARG(r->path_sent), query.p != NULL ? "?" : "",
                        STR_ARG(query));
}

static struct str quoted(struct arena *a, struct str text)
{
    struct buf out;
    buf_init(&out, HTTP_BODY_MAX);
    buf_url(&out, text);
    struct str copy = arena_copy(a, buf_view(&out));
    buf_fini(&out);
    return copy;
}

void browse_page(struct req *r, enum err e, struct buf *out)
{
    const struct resource *resource = r->resource;
    const char *path = resource != NULL ? resource->paths[0] : "";
    (void)e;
    const struct slot slots[] = {
        {"name", resource != NULL ? str_of(resource->name) : str_of(http_reason(r->status))},
        {"description", resource != NULL ? str_of(resource->description) : STR("")},
        {"user", page_user(r)},
        {"method", r->x->method},
        {"address", address(r)},
        {"next", quoted(r->arena, address(r))},
        {"path", resource == NULL || path[0] == '/' ? str_of(path)
                                                    : arena_printf(r->arena, "/api/%s", path)},
        {"prefix", r->prefix.p != NULL ? r->prefix : STR("/api/")},
        {"allow", resource != NULL ? str_of(router_allow(r->app->router, resource)) : STR("")},
        {"status", arena_printf(r->arena, "%d %s", r->status, http_reason(r->status))},
        {"headers", headers_text(r)},
        {"body", body_text(r)},
    };
    page_write(r, "pages/browse.html", slots, COUNT_OF(slots), out);
}
