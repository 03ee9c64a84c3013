/* Registration, which has paths of its own and is also POST on the list of users. */
#pragma once

#include "serve/route.h"

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
