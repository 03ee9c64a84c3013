/* /api/schema/swagger-ui/: Swagger UI, where it is inside the program (npm's swagger-ui-dist, if it was
 * there at build). */
#include "web/assets.h"
#include "web/page.h"

static void swagger_page(struct req *r, enum err e, struct buf *out)
{
    bool is_there = asset_is_there("swagger-ui/swagger-ui-bundle.js");
    (void)e;
    page_write(r, is_there ? "pages/swagger.html" : "pages/no-swagger.html", NULL, 0, out);
}

const struct resource web_swagger_resource = {
    .name = "Swagger UI",
    .description = "The API to read and to try.",
    .paths = {"schema/swagger-ui/"},
    .methods = {PAGE_ROUTE(swagger_page)},
};
