#include "chat/admin.h"

#include "chat/audit.h"
#include "chat/login.h"
#include "chat/session.h"
#include "crypto/password.h"
#include "store/job.h"
#include "store/session.h"

/* ------- accounts ------- */

enum err chat_admin_create_user(struct call *c, const struct account_draft *draft,
                                struct str password_hash, struct user *out)
{
    struct str hash = password_hash.p != NULL ? password_hash : PASSWORD_UNUSABLE;
    enum err e = chat_account_create(c, draft, hash, out);
    if (e != ERR_OK) {
        return e;
    }
    return chat_audit_add(c, "user.create", out->id,
                          arena_printf(c->arena, "{\"role\":\"%s\"}", role_names[out->role]));
}

enum err chat_admin_set_password(struct call *c, const struct user *user, struct str password_hash)
{
    enum err e = chat_password_set(c, user->id, password_hash, c->session_id);
    return e == ERR_OK ? chat_audit_add(c, "user.password", user->id, STR("{}")) : e;
}

/* ------- sessions ------- */

enum err chat_admin_end_sessions(struct call *c, const struct user *user)
{
    enum err e = store_session_revoke_others(c->db, user->id, c->session_id, c->now_us);
    return e == ERR_OK ? chat_audit_add(c, "user.end_sessions", user->id, STR("{}")) : e;
}

enum err chat_admin_find_session(struct call *c, struct uuid id, struct session *out)
{
    struct user user;
    bool found = false;
    enum err e = store_session_get(c->db, c->arena, id, out, &user, &found);
    bool alive = found && out->revoked_at == 0 && out->expires_at > c->now_us;
    return e == ERR_OK && !alive ? ERR_NOT_FOUND : e;
}

enum err chat_admin_end_session(struct call *c, struct session *session)
{
    char id[UUID_TEXT];
    enum err e = chat_session_revoke(c, session);
    if (e != ERR_OK || uuid_eq(session->user_id, c->me->id)) {
        return e;
    }
    uuid_format(session->id, id);
    return chat_audit_add(c, "session.end", session->user_id,
                          arena_printf(c->arena, "{\"session_id\":\"%.*s\"}", UUID_TEXT, id));
}

/* ------- background work ------- */

enum err chat_admin_retry(struct call *c, struct uuid id)
{
    enum err e = store_job_retry(c->db, id);
    return e == ERR_OK ? chat_audit_add(c, "job.retry", id, STR("{}")) : e;
}
