/* The one list of failures. A function that can fail returns enum err; what the public sees of it
 * (HTTP status, stable code, text) stands here and nowhere else. */
#pragma once

#include "base/str.h"

/* clang-format off */
/*    name                 status  code (X-Error-Code)         text ({"detail": ...}) */
#define ERR_LIST(X)                                                                               \
    X(ERR_OK,                 200, "ok",                       "")                                \
    /* requests */                                                                                \
    X(ERR_INVALID,            400, "invalid",                  "Invalid input.")                  \
    X(ERR_PARSE,              400, "parse_error",              "Malformed request.")              \
    X(ERR_BAD_HOST,           400, "bad_host",                 "Invalid HTTP_HOST header.")       \
    X(ERR_PAGE_TOO_DEEP,      400, "page_too_deep",                                               \
      "Pages beyond row 10,000 are not served; use the cursor parameter.")                        \
    X(ERR_PAGE_TOO_LARGE,     400, "page_too_large",                                              \
      "The page would be too large; ask for a smaller page_size.")                                \
    X(ERR_BAD_CURSOR,         400, "bad_cursor",               "Invalid cursor.")                 \
    X(ERR_NOT_AUTHENTICATED,  401, "not_authenticated",                                           \
      "Authentication credentials were not provided.")                                            \
    X(ERR_TOKEN_INVALID,      401, "token_not_valid",                                             \
      "Given token not valid for any token type")                                                 \
    X(ERR_TOKEN_TYPE,         401, "token_not_valid",          "Token has wrong type")            \
    X(ERR_REFRESH_INVALID,    401, "token_not_valid",          "Token is invalid or expired")     \
    X(ERR_AUTH_FAILED,        401, "authentication_failed",                                       \
      "Incorrect authentication credentials.")                                                    \
    X(ERR_USER_NOT_FOUND,     401, "user_not_found",           "User not found")                  \
    X(ERR_USER_INACTIVE,      401, "user_inactive",            "User is inactive")                \
    X(ERR_AUTH_HEADER,        401, "bad_authorization_header",                                    \
      "Authorization header must contain two space-delimited values")                             \
    X(ERR_BAD_LOGIN,          401, "no_active_account",                                           \
      "No active account found with the given credentials")                                       \
    X(ERR_FORBIDDEN,          403, "permission_denied",                                           \
      "You do not have permission to perform this action.")                                       \
    X(ERR_CSRF,               403, "csrf_failed",                                                 \
      "CSRF Failed: CSRF token missing.")                                                         \
    X(ERR_NOT_PARTICIPANT,    403, "not_participant",                                             \
      "You are not a participant of this conversation.")                                          \
    X(ERR_NOT_SENDER,         403, "not_sender",                                                  \
      "Only the sender may change this message.")                                                 \
    X(ERR_CONVERSATION_CLOSED, 403, "conversation_closed",     "This conversation is closed.")    \
    X(ERR_NOT_FOUND,          404, "not_found",                "Not found.")                      \
    X(ERR_INVALID_PAGE,       404, "invalid_page",             "Invalid page.")                   \
    X(ERR_METHOD,             405, "method_not_allowed",       "Method not allowed.")             \
    X(ERR_NOT_ACCEPTABLE,     406, "not_acceptable",                                              \
      "Could not satisfy the request Accept header.")                                             \
    X(ERR_CONFLICT,           409, "conflict",                                                    \
      "The request conflicts with the present state.")                                            \
    X(ERR_REV_MISMATCH,       409, "rev_mismatch",                                                \
      "The message was changed in the meantime.")                                                 \
    X(ERR_IDEMPOTENCY,        409, "idempotency_mismatch",                                        \
      "This key was used for another request.")                                                   \
    X(ERR_LAST_ADMIN,         409, "last_admin",                                                  \
      "The last active admin can be neither demoted, deactivated nor deleted.")                   \
    X(ERR_TOO_LARGE,          413, "too_large",                "Request body is too large.")      \
    X(ERR_MEDIA_TYPE,         415, "unsupported_media_type",                                      \
      "Unsupported media type in request.")                                                       \
    X(ERR_UPGRADE_REQUIRED,   426, "upgrade_required",                                            \
      "This address speaks WebSocket (version 13) only.")                                         \
    X(ERR_THROTTLED,          429, "throttled",                "Request was throttled.")          \
    X(ERR_TOO_MANY_SOCKETS,   429, "too_many_sockets",                                            \
      "Too many connections of yours listen already.")                                            \
    /* the server's own */                                                                        \
    X(ERR_INTERNAL,           500, "error",                    "Internal server error.")          \
    X(ERR_BUSY,               503, "busy",                                                        \
      "The server is busy. Try again in a moment.")                                               \
    X(ERR_UNAVAILABLE,        503, "unavailable",                                                 \
      "The database cannot be written at the moment. Nothing was stored.")                        \
    X(ERR_OUTCOME_UNKNOWN,    503, "outcome_unknown",                                             \
      "It is not known whether the request was stored. Send it again with the same client_id.")   \
    X(ERR_STORAGE_FULL,       507, "storage_full",                                                \
      "The storage is full. Nothing was stored.")                                                 \
    /* database classes: handlers turn them into one of the above */                              \
    X(ERR_DB_UNIQUE,          409, "conflict",                                                    \
      "The request conflicts with the present state.")                                            \
    X(ERR_DB_REFERENCE,       409, "conflict",                                                    \
      "The request conflicts with the present state.")                                            \
    /* shards were to be held out of their order: the executor runs the work again with them */   \
    X(ERR_DB_ORDER,           503, "busy",                                                        \
      "The server is busy. Try again in a moment.")
/* clang-format on */

enum err {
#define X(name, status, code, text) name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

int err_status(enum err e);
const char *err_code(enum err e);
const char *err_text(enum err e);
