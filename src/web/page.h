/* HTML pages: templates in web/pages/ with {{names}} for which text is put in, always escaped. */
#pragma once

#include "serve/route.h"

struct slot {
    const char *name;
    struct str text;
};

/* The template, with the text of the slots in place of their {{names}}. Asserts that it has no others. */
void page_fill(struct buf *out, struct str template, const struct slot *slots, size_t count);
/* The template of web/pages/. */
void page_write(struct req *r, const char *path, const struct slot *slots, size_t count,
                struct buf *out);
/* "Ada" for who is signed in, else empty. */
struct str page_user(const struct req *r);

/* The method of a page that is the same for everybody. */
handler page_ask_nothing;
#define PAGE_ROUTE(writer)                                                                         \
    {                                                                                              \
        .method = "GET", .access = ACCESS_ANYONE, .throttle = THROTTLE_NEVER,                      \
        .handle = page_ask_nothing, .page = (writer), .status = 200, .one_form = true              \
    }

page_writer browse_page; /* of whatever has no page of its own: the answer, laid out */
