/* What notifications/ shares with administration. */
#pragma once

#include "serve/route.h"
#include "store/notification.h"

/* The page that the query asks for (PAGE_FIELDS, "conversation") of what is unread there. */
enum err api_answer_notifications(struct req *r, const struct unread *unread, size_t count) CHECKED;

extern const struct shape shape_notification_page;
