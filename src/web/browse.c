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
    return buf_end(&text, r->arena);
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
    return buf_end(&out, a);
}

/* What to do about an answer that is none of success; the page has a link to sign in beside it. */
static const char *advice(const struct req *r)
{
    bool is_known = r->call.me != NULL;
    switch (r->status) {
    case 400: return "Something in the address is not as it should be; the answer says what.";
    case 401: return "This is shown only to those who are signed in.";
    case 403:
        return is_known ? "You are not allowed to see this. Perhaps as somebody else?"
                        : "You are not allowed to see this. Perhaps when you are signed in?";
    case 404:
        if (r->resource == NULL) {
            return "There is nothing at this address.";
        }
        return is_known ? "There is nothing here, or nothing that you may see."
                        : "There is nothing here, or nothing to be seen without signing in.";
    case 405: return "There is nothing to read here; what can be done instead is below.";
    case 426: return "This is for programs that speak WebSocket; a browser's page cannot show it.";
    case 429: return "That was too often. Wait a moment, then load the page again.";
    case 503: return "The server is busy at the moment. Load the page again in a few seconds.";
    default: return r->status >= 400 ? "That did not work; the answer says why." : "";
    }
}

void browse_page(struct req *r, enum err e, struct buf *out)
{
    const struct resource *resource = r->resource;
    (void)e;
    const struct slot slots[] = {
        {"name", resource != NULL ? str_of(resource->name) : str_of(http_reason(r->status))},
        {"description", resource != NULL ? str_of(resource->description) : STR("")},
        {"user", page_user(r)},
        {"method", r->x->method},
        {"address", address(r)},
        {"next", quoted(r->arena, address(r))},
        {"path", resource != NULL ? router_full_path(r->arena, resource->paths[0]) : STR("")},
        {"prefix", r->prefix.p != NULL ? r->prefix : STR("/api/")},
        {"allow", resource != NULL ? str_of(router_allow(r->app->router, resource)) : STR("")},
        {"advice", str_of(advice(r))},
        {"code", arena_printf(r->arena, "%d", r->status)},
        {"status", arena_printf(r->arena, "%d %s", r->status, http_reason(r->status))},
        {"headers", headers_text(r)},
        {"body", body_text(r)},
    };
    page_write(r, "pages/browse.html", slots, COUNT_OF(slots), out);
}
