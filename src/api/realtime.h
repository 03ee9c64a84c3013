/* Real time's side of the API: what clients say over a socket, who comes and goes, and what other nodes
 * tell of it. For the options of the hub and of the bus; `app` is the struct app. */
#pragma once

#include "live/hub.h"

void realtime_said(struct live_client *client, struct str text, void *app);
void realtime_here(struct uuid user_id, bool is_here, int64_t at_us, void *app);
void realtime_presence(struct uuid user_id, bool online, int64_t at_us, void *app);
/* Tells those at this node who listen. */
void realtime_typing(struct uuid conversation_id, struct uuid user_id, void *app);
/* The node that they were at has died: stores when they were last seen. */
void realtime_lost(const struct uuid *user_ids, size_t count, int64_t at_us, void *app);
