#include "store/change.h"

#include <assert.h>
#include <inttypes.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "store/queries.h"

/* --- shards -------------------------------------------------------------------------------- */

int store_shard_of(struct db *db, struct uuid id)
{
    assert(*db_shards(db) > 0);
    return store_shard_among(id, *db_shards(db));
}

int64_t store_stamp_of(struct db *db, const struct position *position, struct uuid id)
{
    return position->at[store_shard_of(db, id)];
}

enum err store_position(struct db *db, struct position *out, struct uuid *incarnation)
{
    struct db_rows rows;
    struct uuid newest = {{0}};
    int shards = 0;
    *out = (struct position){{0}};
    enum err e = db_query(db, Q_CHANGE_POSITION, NO_ARGS, &rows);
    while (e == ERR_OK && db_next(&rows) && shards < SHARDS_MAX) {
        out->at[shards++] = db_int(&rows, 0);
        newest = db_uuid(&rows, 1);
    }
    e = db_end(&rows, e);
    if (e == ERR_OK) {
        *db_shards(db) = shards;
    }
    if (incarnation != NULL) {
        *incarnation = newest;
    }
    return e;
}

enum err store_hold_shard(struct db *db, int shard)
{
    int64_t *stamp = &db_stamps(db)->at[shard];
    if (!db_is_writing(db) || *stamp != 0) {
        return ERR_OK;
    }
    if (db_held(db) >> shard != 0) { /* one behind it */
        *db_wanted(db) |= 1U << shard;
        return ERR_DB_ORDER;
    }
    return db_get_int(db, Q_STAMP_RAISE, ARGS(V_INT(shard)), stamp, NULL);
}

void store_hold_foresee(struct db *db, int shard)
{
    db_foresee(db, Q_STAMP_RAISE, ARGS(V_INT(shard)));
}

static enum err count_shards(struct db *db)
{
    struct position position;
    return *db_shards(db) > 0 ? ERR_OK : store_position(db, &position, NULL);
}

enum err store_hold_all(struct db *db)
{
    enum err e = count_shards(db);
    for (int shard = 0; e == ERR_OK && shard < *db_shards(db); shard++) {
        e = store_hold_shard(db, shard);
    }
    if (e == ERR_DB_ORDER) {
        *db_wanted(db) = (1U << *db_shards(db)) - 1;
    }
    return e;
}

enum err store_hold(struct db *db, struct uuid id, bool *late)
{
    enum err e = count_shards(db);
    bool is_new = e == ERR_OK && db_is_writing(db) && store_stamp_of(db, db_stamps(db), id) == 0;
    if (late != NULL) {
        *late = is_new;
    }
    return is_new ? store_hold_shard(db, store_shard_of(db, id)) : e;
}

enum err store_stamp(struct db *db, struct uuid id, int64_t *stamp)
{
    enum err e = store_hold(db, id, NULL);
    *stamp = e == ERR_OK ? store_stamp_of(db, db_stamps(db), id) : 0;
    return e;
}

/* The number of shards is a power of two. */
static struct uuid new_id_in(struct db *db, int shard)
{
    struct uuid id = random_uuid_v7();
    uint8_t *last = &id.b[sizeof(id.b) - 1];
    *last = (uint8_t)(*last - *last % *db_shards(db) + shard);
    return id;
}

struct uuid store_new_id(struct db *db)
{
    for (int shard = 0; shard < *db_shards(db); shard++) {
        if (db_stamps(db)->at[shard] != 0) {
            return new_id_in(db, shard);
        }
    }
    return random_uuid_v7();
}

struct uuid store_new_id_beside(struct db *db, struct uuid id)
{
    return new_id_in(db, store_shard_of(db, id));
}

/* --- the log ------------------------------------------------------------------------------- */

enum err store_change_add(struct db *db, enum change_kind kind, struct uuid conversation_id,
                          struct uuid object_id, int64_t rev)
{
    bool inside = !uuid_is_zero(conversation_id);
    int shard = store_shard_of(db, inside ? conversation_id : object_id);
    int64_t stamp = db_stamps(db)->at[shard];
    return db_exec_noted(db, Q_CHANGE_ADD, /* who writes asks nothing of the log */
                         ARGS(V_INT(shard), V_INT(stamp), V_INT(db_changes(db)), V_INT(kind),
                              V_UUID_OR_NULL(conversation_id), V_UUID_OR_NULL(object_id), V_INT(rev),
                              V_TIME(clock_now_us())));
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

static enum err list_shard(struct db *db, int shard, int64_t after, struct change_list *list)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_CHANGE_LIST, ARGS(V_INT(shard), V_INT(after)), &rows);
    while (e == ERR_OK && db_next(&rows)) {
        struct change change = read_change(&rows, shard);
        append(list, &change);
    }
    return db_end(&rows, e);
}

enum err store_change_list(struct db *db, struct arena *a, const struct position *from,
                           const struct position *to, struct change **rows, size_t *count)
{
    struct change_list list = {.arena = a};
    enum err e = ERR_OK;
    for (int shard = 0; shard < *db_shards(db) && e == ERR_OK; shard++) {
        if (to->at[shard] > from->at[shard]) {
            e = list_shard(db, shard, from->at[shard], &list);
        }
    }
    *rows = list.rows;
    *count = list.count;
    return e;
}

enum err store_change_cut(struct db *db, int64_t before_us, int64_t most, int64_t *dropped)
{
    enum err e = count_shards(db);
    *dropped = 0;
    for (int shard = 0; e == ERR_OK && shard < *db_shards(db); shard++) {
        int64_t n = 0;
        e = db_exec(db, Q_CHANGE_CUT, ARGS(V_INT(shard), V_TIME(before_us), V_INT(most - *dropped)),
                    &n);
        *dropped += n;
    }
    return e;
}

/* --- incarnations -------------------------------------------------------------------------- */

static struct str positions_as_text(struct arena *a, const struct position *position, int shards)
{
    struct str text = STR("");
    for (int shard = 0; shard < shards; shard++) {
        text = arena_printf(a, "%.*s%s%" PRId64, STR_ARG(text), shard == 0 ? "" : ",",
                            position->at[shard]);
    }
    return text;
}

/* What is missing or no number counts as 0: then no cursor is beyond doubt. */
static struct position positions_from_text(struct str text)
{
    struct position position = {{0}};
    for (int shard = 0; shard < SHARDS_MAX && text.p != NULL; shard++) {
        if (!str_to_i64(str_cut(&text, ','), &position.at[shard])) {
            position.at[shard] = 0;
        }
    }
    return position;
}

enum err store_incarnation_newest(struct db *db, struct arena *a, struct uuid *id,
                                  struct str *identity, bool *found)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_INCARNATION_NEWEST, NO_ARGS, &rows);
    *found = e == ERR_OK && db_next(&rows);
    if (*found) {
        *id = db_uuid(&rows, 0);
        *identity = arena_copy(a, db_text(&rows, 1));
    }
    return db_end(&rows, e);
}

enum err store_server_identity(struct db *db, struct arena *a, struct str *server,
                               struct str *since)
{
    struct db_rows rows;
    enum err e = db_query(db, Q_SERVER_IDENTITY, NO_ARGS, &rows);
    while (e == ERR_OK && db_next(&rows)) {
        *server = arena_copy(a, db_text(&rows, 0));
        *since = arena_copy(a, db_text(&rows, 1));
    }
    return db_end(&rows, e);
}

enum err store_incarnation_add(struct db *db, struct uuid id, struct str identity, bool went_back,
                               int64_t now_us)
{
    struct arena a;
    struct position began;
    enum err e = store_position(db, &began, NULL);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; went_back && i < SHARDS_MAX; i++) {
        began.at[i] = -1; /* before any cursor */
    }
    arena_init(&a);
    struct str text = positions_as_text(&a, &began, *db_shards(db));
    e = db_exec(db, Q_INCARNATION_ADD,
                ARGS(V_UUID(id), V_TEXT(identity), V_TEXT(text), V_TIME(now_us)), NULL);
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
        e = store_position(db, &end, NULL);
    }
    *holds = e == ERR_OK && found && position_covers(&end, at);
    return e;
}
