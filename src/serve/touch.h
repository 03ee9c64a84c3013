/* "Last used" of a device and its user: written once a minute at most, beside the request. */
#pragma once

#include "serve/req.h"

void touch_session(struct req *r);
