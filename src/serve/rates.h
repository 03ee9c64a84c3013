/* How often somebody may, by the settings THROTTLE_*. What is over a rate is ERR_THROTTLED, with
 * Retry-After and the text set. */
#pragma once

#include "serve/route.h"

/* Counts a request that was admitted. */
enum err rates_take(struct req *r, const struct route *route) CHECKED;

/* Failed log-ins count by address and account, not by which of its names is used; a name that
 * nobody has counts by itself. Begin looks before a password is hashed (`name` does not matter
 * where the caller is known), check looks again later, failed counts. */
enum err rates_login_begin(struct req *r, struct str name) CHECKED;
enum err rates_login_check(struct req *r) CHECKED;
void rates_login_failed(struct req *r);
