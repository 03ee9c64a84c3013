/* Registration, which has paths of its own and is also POST on the list of users; and what routes that
 * make or change accounts take alike. */
#pragma once

#include "chat/account.h"
#include "chat/email.h"
#include "chat/name.h"
#include "serve/route.h"

#define EMAIL_FIELD                                                                                \
    {                                                                                              \
        .name = "email", .type = FIELD_EMAIL, .required = true, .max = EMAIL_LENGTH_MAX            \
    }
#define PERSON_FIELDS                                                                              \
    {.name = "first_name", .type = FIELD_TEXT, .blank = true, .max = NAME_LENGTH_MAX},             \
        {.name = "last_name", .type = FIELD_TEXT, .blank = true, .max = NAME_LENGTH_MAX},          \
    {                                                                                              \
        .name = "phone_number", .type = FIELD_TEXT, .blank = true, .max = PHONE_LENGTH_MAX         \
    }
/* Of a new account. */
#define ACCOUNT_FIELDS                                                                             \
    EMAIL_FIELD,                                                                                   \
        {.name = "username",                                                                       \
         .type = FIELD_TEXT,                                                                       \
         .blank = true,                                                                            \
         .max = USERNAME_LENGTH_MAX,                                                               \
         .help = "Letters, digits and ./+/-/_; without it, made of the e-mail address."},          \
        PERSON_FIELDS

/* From ACCOUNT_FIELDS, "role" (a guest without) and "password". */
struct account_draft api_account_draft(const struct req *r);

enum { REGISTRATION_FIELDS = 8, PASSWORD_LENGTH_MAX = 1024 };
extern const struct field api_registration_input[REGISTRATION_FIELDS];
extern const struct shape shape_registration;

handler api_registration_slow;
handler api_registration_check;
handler api_register;

#define REGISTRATION_ROUTE                                                                         \
    {                                                                                              \
        .method = "POST", .access = ACCESS_IGNORE, .db = ROUTE_WRITE,                              \
        .throttle = THROTTLE_REGISTER, .input = api_registration_input,                            \
        .input_count = REGISTRATION_FIELDS, .slow = api_registration_slow,                         \
        .object = api_registration_check, .fails = FAILS(ERR_CONFLICT), .handle = api_register,    \
        .out = &shape_registration, .status = 201, .about = "Makes an account and logs it in.",    \
        .secret = true                                                                             \
    }
