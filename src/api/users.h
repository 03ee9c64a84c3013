/* What the routes about users share with those of administration. */
#pragma once

#include "serve/page.h"
#include "serve/route.h"
#include "store/user.h"

enum { USER_SAVE_FIELDS = 9, USER_METADATA_BYTES_MAX = 4096 };
extern const struct field api_user_save_input[USER_SAVE_FIELDS];

/* By enum user_order; the first two are for everybody. */
enum { USER_ORDERINGS = 4, USER_ORDERINGS_OPEN = 2 };
extern const struct ordering api_user_orderings[USER_ORDERINGS];

/* From search, username, email and role of the query. *nobody: they leave nobody. */
enum err api_read_user_filter(struct req *r, struct user_filter *filter, bool *nobody) CHECKED;

/* Route->object: the user of the path, in r->object. */
enum err api_find_user(struct req *r);
/* The same for a change: says too what the table of fields cannot know. */
enum err api_find_changed_user(struct req *r);

/* Stores what api_user_save_input was sent for r->object. */
enum err api_save_user(struct req *r, struct user *changed) CHECKED;
enum err api_delete_user(struct req *r);
