/* Accounts as admins see them. */
#pragma once

#include "serve/route.h"
#include "store/model.h"

/* With everything that there is of him but his password. */
void api_write_admin_user(struct req *r, const struct user *user);

extern const struct shape shape_admin_user;
extern const struct shape shape_admin_user_page;

/* {"id", "username"} in an open object; null if it is not known who that is. */
void api_write_person(struct req *r, struct uuid id, struct str username);
extern const struct shape shape_person;
