/* Users as JSON. */
#pragma once

#include "serve/route.h"

/* The fields of a user inside an open object; contacts are null where the caller may not see them.
 * `role`: the account's, or a participant's in the conversation. */
void api_user_fields(struct req *r, const struct user *user, const char *role);
/* The same for the user himself, who has just proved or made who he is. */
void api_own_user_fields(struct req *r, const struct user *user);

void api_write_user(struct req *r, const struct user *user);

extern const struct shape shape_user;
extern const struct shape shape_user_page;

#define ROLE_CHOICES "guest,host,admin"

/* The fields of shape_user but its role, for shapes that have more. */
#define SHAPE_USER_FIELDS                                                                          \
    {.name = "id", .type = SHAPE_UUID},                                                            \
        {.name = "user_id", .type = SHAPE_UUID, .help = "The same as id."},                        \
        {.name = "username", .type = SHAPE_STRING},                                                \
        {.name = "email",                                                                          \
         .type = SHAPE_STRING,                                                                     \
         .nullable = true,                                                                         \
         .help = "Null where the reader may not see it."},                                         \
        {.name = "first_name", .type = SHAPE_STRING}, {.name = "last_name", .type = SHAPE_STRING}, \
        {.name = "full_name",                                                                      \
         .type = SHAPE_STRING,                                                                     \
         .help = "First and last name, or the username."},                                         \
        {.name = "phone_number",                                                                   \
         .type = SHAPE_STRING,                                                                     \
         .nullable = true,                                                                         \
         .help = "Null where the reader may not see it."},                                         \
        {.name = "avatar", .type = SHAPE_URL, .nullable = true},                                   \
        {.name = "metadata", .type = SHAPE_JSON_OBJECT},                                           \
        {.name = "created_at", .type = SHAPE_TIME},                                                \
    {                                                                                              \
        .name = "last_seen", .type = SHAPE_TIME, .nullable = true, .help = "Null: never."          \
    }
