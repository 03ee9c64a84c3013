#include "store/audit.h"

#include "store/queries.h"

/* One text for each index that the rows may be gone through by. */
static const struct {
    int list[2]; /* descending */
    int count;
} ways[] = {
    {{Q_AUDIT_ALL, Q_AUDIT_ALL_DOWN}, Q_AUDIT_ALL_COUNT},
    {{Q_AUDIT_ACTOR, Q_AUDIT_ACTOR_DOWN}, Q_AUDIT_ACTOR_COUNT},
    {{Q_AUDIT_ACTION, Q_AUDIT_ACTION_DOWN}, Q_AUDIT_ACTION_COUNT},
    {{Q_AUDIT_OBJECT, Q_AUDIT_OBJECT_DOWN}, Q_AUDIT_OBJECT_COUNT},
};

/* The one that has the fewest rows, as a rule. */
static size_t way_of(const struct audit_filter *f)
{
    if (f->object.type != DB_NULL) {
        return 3;
    }
    if (f->action.type != DB_NULL) {
        return 2;
    }
    return f->actor.type != DB_NULL ? 1 : 0;
}

enum { FILTER_ARGS = 5, LIST_ARGS = FILTER_ARGS + 4 };

/* The bounds are narrowed to where the page begins: SQLite looks for them in the index. */
static void set_args(const struct audit_filter *f, const struct window *window,
                     struct db_val args[FILTER_ARGS])
{
    int64_t from = f->from.type != DB_NULL ? f->from.i : INT64_MIN;
    int64_t to = f->to.type != DB_NULL ? f->to.i : INT64_MAX;
    if (window != NULL && window->descending && to > window->after.n) {
        to = window->after.n;
    } else if (window != NULL && !window->descending && from < window->after.n) {
        from = window->after.n;
    }
    args[0] = f->actor;
    args[1] = f->action;
    args[2] = f->object;
    args[3] = V_TIME(from);
    args[4] = V_TIME(to);
}

static void read_entry(struct db_rows *rows, struct arena *a, struct audit_entry *out)
{
    *out = (struct audit_entry){
        .id = db_uuid(rows, 0),
        .at = db_int(rows, 1),
        .actor_id = db_uuid(rows, 2),
        .actor_name = db_is_null(rows, 3) ? STR_NULL : arena_copy(a, db_text(rows, 3)),
        .action = arena_copy(a, db_text(rows, 4)),
        .object_id = db_uuid(rows, 5),
        .detail = arena_copy(a, db_text(rows, 6)),
    };
}

enum err store_audit_list(struct db *db, struct arena *a, const struct audit_filter *filter,
                          const struct window *window, struct audit_entry **rows, size_t *count)
{
    struct db_val args[LIST_ARGS];
    struct db_rows found;
    *rows = ARENA_ARRAY(a, struct audit_entry, (size_t)window->limit + 1);
    *count = 0;
    set_args(filter, window, args);
    args[FILTER_ARGS] = V_TIME(window->after.n);
    args[FILTER_ARGS + 1] = V_UUID(window->after.id);
    args[FILTER_ARGS + 2] = V_INT(window->limit);
    args[FILTER_ARGS + 3] = V_INT(window->offset);
    enum err e =
        db_query(db, ways[way_of(filter)].list[window->descending], args, LIST_ARGS, &found);
    while (e == ERR_OK && *count < (size_t)window->limit && db_next(&found)) {
        read_entry(&found, a, &(*rows)[(*count)++]);
    }
    return db_end(&found, e);
}

enum err store_audit_count(struct db *db, const struct audit_filter *filter, int64_t most,
                           int64_t *out)
{
    struct db_val args[FILTER_ARGS + 1];
    set_args(filter, NULL, args);
    args[FILTER_ARGS] = V_INT(most);
    return db_get_int(db, ways[way_of(filter)].count, args, COUNT_OF(args), out, NULL);
}
