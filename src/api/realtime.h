/* Real time's side of the API: what clients say over a socket, and who comes and goes. For the
 * hub's options; `app` is the struct app. */
#pragma once

#include "live/hub.h"

void realtime_said(struct live_client *client, struct str text, void *app);
void realtime_presence(struct uuid user_id, bool online, void *app);
