#include "web/routes.h"

extern const struct resource web_asset_resource;
extern const struct resource web_icon_resource;
extern const struct resource web_chat_resource;
extern const struct resource web_admin_resource;
extern const struct resource web_login_resource;
extern const struct resource web_logout_resource;
extern const struct resource web_swagger_resource;

const struct resource *const web_resources[] = {
    &web_asset_resource, &web_icon_resource,   &web_chat_resource,    &web_admin_resource,
    &web_login_resource, &web_logout_resource, &web_swagger_resource,
};

const size_t web_resource_count = COUNT_OF(web_resources);
