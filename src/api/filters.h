/* Filters of the query by name, as rules and stores want them. The route must declare the field, of that
 * type. */
#pragma once

#include "serve/req.h"

#define CONVERSATION_FIELD                                                                         \
    {                                                                                              \
        .name = "conversation", .aliases = "conversation_id", .type = FIELD_UUID,                  \
        .help = "In this conversation."                                                            \
    }

/* What was not sent, or is blank, is STR_NULL, V_NULL or false, and so filters nothing. */
struct str api_text_filter(const struct req *r, const char *name);
struct db_val api_uuid_filter(const struct req *r, const char *name);
struct db_val api_time_filter(const struct req *r, const char *name);
struct db_val api_bool_filter(const struct req *r, const char *name);
bool api_flag_filter(const struct req *r, const char *name);
