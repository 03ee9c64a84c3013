#include "store/change.h"

#include <inttypes.h>

#include "base/clock.h"
#include "store/queries.h"

int store_shard_of(struct uuid id)
{
    return id.b[sizeof(id.b) - 1] % STORE_SHARDS; /* the last byte is random in every version */
}

int64_t store_stamp_of(const struct position *position, struct uuid id)
{
    return position->at[store_shard_of(id)];
}

enum err store_position(struct db *db, struct position *out)
{
    struct db_rows rows;
    *out = (struct position){{0}};
    enum err e = db_query(db, Q_CHANGE_POSITION, NO_ARGS, &rows);
    while (e == ERR_OK && db_next(&rows)) {
        int64_t shard = db_int(&rows, 0);
        if (shard >= 0 && shard < STORE_SHARDS) {
            out->at[shard] = db_int(&rows, 1);
        }
    }
    return db_end(&rows, e);
}

/* --- the log ------------------------------------------------------------------------------- */

enum err store_change_add(struct db *db, int64_t stamp, enum change_kind kind,
                          struct uuid conversation_id, struct uuid object_id, int64_t rev)
{
    bool inside = !uuid_is_zero(conversation_id);
    int shard = store_shard_of(inside ? conversation_id : object_id);
    return db_exec(db, Q_CHANGE_ADD,
                   ARGS(V_INT(shard), V_INT(stamp), V_INT(db_changes(db)), V_INT(kind),
                        V_UUID_OR_NULL(conversation_id), V_UUID_OR_NULL(object_id), V_INT(rev),
                        V_TIME(clock_now_us())),
                   NULL);
}

/* Changes in an arena; it doubles. */
struct change_list {
    struct arena *arena;
    struct change *rows;
    size_t count;
    size_t room;
};

static void append(struct change_list *list, const struct change *change)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        struct change *rows = ARENA_ARRAY(list->arena, struct change, room);
        if (list->count > 0) {
            memcpy(rows, list->rows, list->count * sizeof(*rows));
        }
        list->rows = rows;
        list->room = room;
    }
    list->rows[list->count++] = *change;
}

static struct change read_change(struct db_rows *rows, int shard)
{
    return (struct change){.shard = shard,
                           .stamp = db_int(rows, 0),
                           .kind = (enum change_kind)db_int(rows, 1),
                           .conversation_id = db_uuid(rows, 2),
                           .object_id = db_uuid(rows, 3),
                           .rev = db_int(rows, 4)};
}

/* Stops where a commit begins when there are `most`; *at: the last commit that is in the list. */
static enum err list_shard(struct db *db, int shard, size_t most, struct change_list *list,
                           int64_t *at)
{
    struct db_rows rows;
    bool over = true;
    int64_t reached = *at;
    enum err e = db_query(db, Q_CHANGE_LIST, ARGS(V_INT(shard), V_INT(*at)), &rows);
    while (e == ERR_OK && db_next(&rows)) {
        struct change change = read_change(&rows, shard);
        if (list->count >= most && change.stamp != reached) {
            over = false;
            break;
        }
        append(list, &change);
        reached = change.stamp;
    }
    e = db_end(&rows, e);
    if (!over) {
        *at = reached;
        return e;
    }
    struct position present;
    if (e == ERR_OK) {
        e = store_position(db, &present);
    }
    *at = e == ERR_OK && present.at[shard] > *at ? present.at[shard] : *at;
    return e;
}

enum err store_change_list(struct db *db, struct arena *a, const struct position *from,
                           int64_t most, struct change **rows, size_t *count, struct position *to)
{
    struct change_list list = {.arena = a};
    enum err e = ERR_OK;
    *to = *from;
    for (int shard = 0; shard < STORE_SHARDS && e == ERR_OK; shard++) {
        e = list_shard(db, shard, (size_t)most, &list, &to->at[shard]);
    }
    *rows = list.rows;
    *count = list.count;
    return e;
}

enum err store_change_cut(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
{
    enum err e = ERR_OK;
    *dropped = 0;
    for (int shard = 0; shard < STORE_SHARDS && e == ERR_OK; shard++) {
        int64_t n = 0;
        e = db_exec(db, Q_CHANGE_CUT, ARGS(V_INT(shard), V_TIME(before_us), V_INT(most - *dropped)),
                    &n);
        *dropped += n;
    }
    return e;
}

/* --- incarnations -------------------------------------------------------------------------- */

static struct str positions_as_text(struct arena *a, const struct position *position)
{
    struct str text = STR("");
    for (int shard = 0; shard < STORE_SHARDS; shard++) {
        text = arena_printf(a, "%.*s%s%" PRId64, STR_ARG(text), shard == 0 ? "" : ",",
                            position->at[shard]);
    }
    return text;
}

/* What is missing or no number counts as 0: then no cursor is beyond doubt. */
static struct position positions_from_text(struct str text)
{
    struct position position = {{0}};
    for (int shard = 0; shard < STORE_SHARDS && text.p != NULL; shard++) {
        if (!str_to_i64(str_cut(&text, ','), &position.at[shard])) {
            position.at[shard] = 0;
        }
    }
    return position;
}

enum err store_incarnation_newest(struct db *db, struct uuid *id, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_INCARNATION_NEWEST, NO_ARGS, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        *id = db_uuid(&rows, 0);
    }
    return db_end(&rows, e);
}

enum err store_incarnation_add(struct db *db, struct uuid id, struct str identity, bool went_back,
                               int64_t now_us)
{
    struct arena a;
    struct position began;
    enum err e = store_position(db, &began);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; went_back && i < SHARDS_MAX; i++) {
        began.at[i] = -1; /* before any cursor */
    }
    arena_init(&a);
    e = db_exec(
        db, Q_INCARNATION_ADD,
        ARGS(V_UUID(id), V_TEXT(identity), V_TEXT(positions_as_text(&a, &began)), V_TIME(now_us)),
        NULL);
    arena_fini(&a);
    return e;
}

/* Where the next one began; *newest: there is none. */
static enum err find_end(struct db *db, struct uuid id, struct position *end, bool *newest,
                         bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_INCARNATION_NEXT, ARGS(V_UUID(id)), &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        *newest = db_is_null(&rows, 1);
        *end = positions_from_text(db_text(&rows, 1));
    }
    return db_end(&rows, e);
}

enum err store_incarnation_holds(struct db *db, struct uuid id, const struct position *at,
                                 bool *holds)
{
    struct position end;
    bool newest = false;
    bool found = false;
    *holds = false;
    enum err e = find_end(db, id, &end, &newest, &found);
    if (e == ERR_OK && found && newest) {
        e = store_position(db, &end);
    }
    *holds = e == ERR_OK && found && position_covers(&end, at);
    return e;
}
