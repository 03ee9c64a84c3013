/* The list of all pages and what they load; no part of the API. */
#pragma once

#include "serve/route.h"

extern const struct resource *const web_resources[];
extern const size_t web_resource_count;
