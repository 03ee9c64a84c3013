/* What a log-in answers, for the other ways in. */
#pragma once

#include "chat/session.h"
#include "serve/route.h"

/* A new device of this user, with the address and user agent of the request. */
enum err api_open_session(struct req *r, struct uuid user_id, struct token_pair *out) CHECKED;
/* "access" and "refresh", inside an open object. */
void api_pair_fields(struct req *r, const struct token_pair *pair);

extern const struct shape shape_token_pair;
extern const struct shape shape_detail;
