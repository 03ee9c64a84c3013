/* What a rule needs to know about the request it judges. chat/ knows no HTTP and no SQL text. */
#pragma once

#include "base/problems.h"
#include "db/db.h"
#include "store/model.h"

/* The part of the settings that rules depend on. */
struct chat_limits {
    int64_t participants_max;
    int64_t sessions_per_user_max;
    int64_t access_lifetime_s;
    int64_t refresh_lifetime_s;
    int64_t cookie_lifetime_s;
    int64_t refresh_grace_s;
    int64_t password_iterations;
    bool contacts_for_members; /* CONTACTS_VISIBLE=members */
    struct str secret_key;
};

/* An admin was shown what is not his: for the audit log, once the request has succeeded. */
struct chat_noted {
    const char *action; /* NULL: he was not */
    struct uuid object_id;
};

struct call {
    struct db *db;       /* in a transaction */
    struct arena *arena; /* the request's */
    int64_t now_us;
    const struct user *me;  /* NULL: anonymous */
    struct uuid session_id; /* the caller's device; zero: none */
    const struct chat_limits *limits;
    struct problems *problems; /* ERR_INVALID goes with at least one */
    struct chat_noted noted;   /* by chat/audit.h */
};

static inline bool call_is_admin(const struct call *call)
{
    return call->me != NULL && call->me->role == ROLE_ADMIN;
}
