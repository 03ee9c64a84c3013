#include "store/session.h"

#include "store/change.h"
#include "store/columns.h"
#include "store/queries.h"

static enum session_kind kind_from(struct str name)
{
    for (size_t i = 0; i <= SESSION_BROWSER; i++) {
        if (str_eq(name, str_of(session_kind_names[i]))) {
            return (enum session_kind)i;
        }
    }
    return SESSION_JWT;
}

static void read_session(struct db_rows *rows, struct arena *a, struct session *out)
{
    *out = (struct session){
        .id = db_uuid(rows, 0),
        .user_id = db_uuid(rows, 1),
        .kind = kind_from(db_text(rows, 2)),
        .generation = db_int(rows, 3),
        .issued_at = db_int(rows, 4),
        .refresh_ended_at = db_int(rows, 5),
        .created_at = db_int(rows, 6),
        .expires_at = db_int(rows, 7),
        .last_used_at = db_int(rows, 8),
        .user_agent = arena_copy(a, db_text(rows, 9)),
        .address = arena_copy(a, db_text(rows, 10)),
        .revoked_at = db_int(rows, 11),
    };
}

static enum err get_session(struct db *db, struct arena *a, int query, struct db_val key,
                            struct session *out, struct user *user, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, query, &key, 1, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        read_session(&rows, a, out);
        store_read_user(&rows, SESSION_COLUMN_COUNT, a, user);
    }
    return db_end(&rows, e);
}

enum err store_session_get(struct db *db, struct arena *a, struct uuid id, struct session *out,
                           struct user *user, bool *found)
{
    return get_session(db, a, Q_SESSION_GET, V_UUID(id), out, user, found);
}

void store_session_foresee(struct db *db, struct uuid id)
{
    db_foresee(db, Q_SESSION_GET, ARGS(V_UUID(id)));
}

enum err store_session_by_token(struct db *db, struct arena *a, struct str token_hash,
                                struct session *out, struct user *user, bool *found)
{
    return get_session(db, a, Q_SESSION_BY_TOKEN, V_BLOB(token_hash), out, user, found);
}

enum err store_session_add(struct db *db, const struct session *session, struct str token_hash)
{
    enum err e = store_hold(db, session->user_id, NULL);
    if (e != ERR_OK) {
        return e;
    }
    return db_exec(db, Q_SESSION_ADD,
                   ARGS(V_UUID(session->id), V_UUID(session->user_id),
                        V_TEXT(str_of(session_kind_names[session->kind])), V_BLOB(token_hash),
                        V_INT(session->generation), V_TIME(session->issued_at),
                        V_TIME(session->created_at), V_TIME(session->expires_at),
                        V_TIME(session->last_used_at), V_TEXT(session->user_agent),
                        V_TEXT(session->address)),
                   NULL);
}

static enum err log_revoked(struct db *db, struct uuid user_id)
{
    enum err e = store_hold(db, user_id, NULL);
    return e != ERR_OK ? e : store_change_add(db, CHANGE_SESSIONS, (struct uuid){{0}}, user_id, 0);
}

enum err store_session_save(struct db *db, const struct session *session)
{
    int64_t saved = 0;
    enum err e = store_hold(db, session->user_id, NULL);
    if (e != ERR_OK) {
        return e;
    }
    e = db_exec(db, Q_SESSION_SAVE,
                ARGS(V_UUID(session->id), V_INT(session->generation), V_TIME(session->issued_at),
                     V_TIME_OR_NULL(session->refresh_ended_at), V_TIME(session->expires_at),
                     V_TIME(session->last_used_at), V_TIME_OR_NULL(session->revoked_at)),
                &saved);
    if (e == ERR_OK && saved == 0) {
        return ERR_NOT_FOUND;
    }
    return e == ERR_OK && session->revoked_at != 0 ? log_revoked(db, session->user_id) : e;
}

enum err store_session_touch(struct db *db, struct uuid id, int64_t now_us)
{
    return db_exec(db, Q_SESSION_TOUCH, ARGS(V_UUID(id), V_TIME(now_us)), NULL);
}

enum err store_session_revoke_others(struct db *db, struct uuid user_id, struct uuid keep,
                                     int64_t now_us)
{
    int64_t revoked = 0;
    enum err e = db_exec(db, Q_SESSION_REVOKE_OTHERS,
                         ARGS(V_UUID(user_id), V_UUID(keep), V_TIME(now_us)), &revoked);
    return e == ERR_OK && revoked > 0 ? log_revoked(db, user_id) : e;
}

enum err store_session_revoke_unused(struct db *db, struct uuid user_id, int64_t keep_count,
                                     int64_t now_us)
{
    int64_t revoked = 0;
    enum err e = db_exec(db, Q_SESSION_REVOKE_UNUSED,
                         ARGS(V_UUID(user_id), V_INT(keep_count), V_TIME(now_us)), &revoked);
    return e == ERR_OK && revoked > 0 ? log_revoked(db, user_id) : e;
}

enum err store_session_list(struct db *db, struct arena *a, struct uuid user_id, int64_t now_us,
                            const struct window *window, struct session **rows, size_t *count)
{
    struct db_rows found;
    *rows = ARENA_ARRAY(a, struct session, (size_t)window->limit + 1);
    *count = 0;
    enum err e =
        db_query(db, window->descending ? Q_SESSIONS_DOWN : Q_SESSIONS,
                 ARGS(V_UUID(user_id), V_TIME(now_us), V_TIME(window->after.n),
                      V_UUID(window->after.id), V_INT(window->limit), V_INT(window->offset)),
                 &found);
    while (e == ERR_OK && *count < (size_t)window->limit && db_next(&found)) {
        read_session(&found, a, &(*rows)[(*count)++]);
    }
    return db_end(&found, e);
}

enum err store_session_count(struct db *db, struct uuid user_id, int64_t now_us, int64_t *out)
{
    return db_get_int(db, Q_SESSION_COUNT, ARGS(V_UUID(user_id), V_TIME(now_us)), out, NULL);
}

/* --- everybody's --------------------------------------------------------------------------- */

static const struct {
    int list[2]; /* descending */
    int count;
} device_ways[] = {
    {{Q_DEVICES_ALL, Q_DEVICES_ALL_DOWN}, Q_DEVICES_ALL_COUNT},
    {{Q_DEVICES_USER, Q_DEVICES_USER_DOWN}, Q_DEVICES_USER_COUNT},
    {{Q_DEVICES_KIND, Q_DEVICES_KIND_DOWN}, Q_DEVICES_KIND_COUNT},
};

static size_t device_way(const struct device_filter *f)
{
    if (f->user.type != DB_NULL) {
        return 1;
    }
    return f->kind.type != DB_NULL ? 2 : 0;
}

enum err store_device_list(struct db *db, struct arena *a, const struct device_filter *filter,
                           int64_t now_us, const struct window *window, struct device_row **rows,
                           size_t *count)
{
    struct db_rows found;
    *rows = ARENA_ARRAY(a, struct device_row, (size_t)window->limit + 1);
    *count = 0;
    enum err e =
        db_query(db, device_ways[device_way(filter)].list[window->descending],
                 ARGS(filter->user, filter->kind, V_TIME(now_us), V_TIME(window->after.n),
                      V_UUID(window->after.id), V_INT(window->limit), V_INT(window->offset)),
                 &found);
    while (e == ERR_OK && *count < (size_t)window->limit && db_next(&found)) {
        struct device_row *row = &(*rows)[(*count)++];
        read_session(&found, a, &row->session);
        store_read_user(&found, SESSION_COLUMN_COUNT, a, &row->user);
    }
    return db_end(&found, e);
}

enum err store_device_count(struct db *db, const struct device_filter *filter, int64_t now_us,
                            int64_t most, int64_t *out)
{
    return db_get_int(db, device_ways[device_way(filter)].count,
                      ARGS(filter->user, filter->kind, V_TIME(now_us), V_INT(most)), out, NULL);
}
