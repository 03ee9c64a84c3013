/* The pages that are the same for everybody; their scripts ask the API. */
#include "web/page.h"

static enum err nothing(struct req *r)
{
    (void)r;
    return ERR_OK;
}

static void chat_page(struct req *r, enum err e, struct buf *out)
{
    (void)e;
    page_write(r, "pages/chat.html", NULL, 0, out);
}

static void admin_page(struct req *r, enum err e, struct buf *out)
{
    (void)e;
    page_write(r, "pages/admin.html", NULL, 0, out);
}

const struct resource web_chat_resource = {
    .name = "Chat",
    .description = "The chat page.",
    .paths = {"/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_ANYONE,
                 .throttle = THROTTLE_NEVER,
                 .handle = nothing,
                 .page = chat_page,
                 .status = 200,
                 .one_form = true}},
};

const struct resource web_admin_resource = {
    .name = "Admin site",
    .description = "The pages for admins; who else comes gets the page, but nothing to see on it.",
    .paths = {"/admin/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_ANYONE,
                 .throttle = THROTTLE_NEVER,
                 .handle = nothing,
                 .page = admin_page,
                 .status = 200,
                 .one_form = true}},
};
