/* The pages that are the same for everybody; their scripts ask the API. */
#include "web/page.h"

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
    .methods = {PAGE_ROUTE(chat_page)},
};

const struct resource web_admin_resource = {
    .name = "Admin site",
    .description = "The pages for admins; who else comes gets the page, but nothing to see on it.",
    .paths = {"/admin/"},
    .methods = {PAGE_ROUTE(admin_page)},
};
