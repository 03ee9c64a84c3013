#include "store/move.h"

#include "base/buf.h"
#include "crypto/hash.h"
#include "store/queries.h"

/* The queries: all of the program's, those of every table, then these. */
enum of_table { PAGE_FIRST, PAGE_NEXT, KEY_LAST, ROW_ADD, OF_TABLE };
enum { TABLES = Q_COUNT, INCARNATIONS_DROP = TABLES + TABLE_COUNT * OF_TABLE, TICKETS_DROP };
enum { SHARD_SET = TICKETS_DROP + 1, QUERIES };

static const char *const others[] = {
    "DELETE FROM incarnation",
    "DELETE FROM ws_ticket",
    "UPDATE shard SET stamp = ?2, users = ?3, conversations = ?4, messages = ?5 WHERE id = ?1",
};

enum { SQL_MAX = 4096, ROW_MAX = 256 * 1024 * 1024 };

static int query_of(enum table_number table, enum of_table which)
{
    return TABLES + (int)table * OF_TABLE + (int)which;
}

/* --- texts --------------------------------------------------------------------------------- */

static void add_names(struct buf *sql, const struct table *table, size_t count, const char *behind)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(sql, "%s%s%s", i == 0 ? "" : ", ", table->columns[i].name, behind);
    }
}

static void add_parameters(struct buf *sql, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(sql, "%s?%zu", i == 0 ? "" : ", ", i + 1);
    }
}

static void add_select(struct buf *sql, const struct table *table)
{
    buf_lit(sql, "SELECT ");
    add_names(sql, table, table->count, "");
    buf_printf(sql, " FROM %s", table->name);
}

static void add_order(struct buf *sql, const struct table *table, const char *direction)
{
    buf_lit(sql, " ORDER BY ");
    add_names(sql, table, table->key, direction);
    buf_lit(sql, " LIMIT ");
}

static void write_text(struct buf *sql, const struct table *table, enum of_table which)
{
    switch (which) {
    case PAGE_FIRST:
        add_select(sql, table);
        add_order(sql, table, "");
        buf_lit(sql, "?1");
        break;
    case PAGE_NEXT:
        add_select(sql, table);
        buf_lit(sql, " WHERE (");
        add_names(sql, table, table->key, "");
        buf_lit(sql, ") > (");
        add_parameters(sql, table->key);
        buf_lit(sql, ")");
        add_order(sql, table, "");
        buf_printf(sql, "?%zu", table->key + 1);
        break;
    case KEY_LAST:
        buf_lit(sql, "SELECT ");
        add_names(sql, table, table->key, "");
        buf_printf(sql, " FROM %s", table->name);
        add_order(sql, table, " DESC");
        buf_lit(sql, "1");
        break;
    case ROW_ADD:
    case OF_TABLE:
        buf_printf(sql, "INSERT INTO %s (", table->name);
        add_names(sql, table, table->count, "");
        buf_lit(sql, ") VALUES (");
        add_parameters(sql, table->count);
        buf_lit(sql, ")");
        break;
    }
}

struct db_queries move_queries(struct arena *a)
{
    const char **texts = ARENA_ARRAY(a, const char *, QUERIES);
    const char **names = ARENA_ARRAY(a, const char *, QUERIES);
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    for (int i = 0; i < TABLES; i++) {
        texts[i] = store_queries.text[i];
        names[i] = store_queries.name[i];
    }
    for (int i = TABLES; i < INCARNATIONS_DROP; i++) {
        const struct table *table = &store_tables[(i - TABLES) / OF_TABLE];
        buf_reset(&sql);
        write_text(&sql, table, (enum of_table)((i - TABLES) % OF_TABLE));
        texts[i] = arena_copy(a, buf_view(&sql)).p;
        names[i] = table->name;
    }
    buf_fini(&sql);
    for (int i = INCARNATIONS_DROP; i < QUERIES; i++) {
        texts[i] = others[i - INCARNATIONS_DROP];
        names[i] = texts[i];
    }
    return (struct db_queries){texts, names, QUERIES};
}

/* --- rows ---------------------------------------------------------------------------------- */

/* Borrowed, as what db_text() gives. */
static struct db_val read_value(struct db_rows *rows, int column, enum db_type type)
{
    if (db_is_null(rows, column)) {
        return V_NULL;
    }
    switch (type) {
    case DB_NULL: break;
    case DB_INT:
    case DB_BOOL:
    case DB_TIME: return (struct db_val){.type = type, .i = db_int(rows, column)};
    case DB_TEXT: return V_TEXT(db_text(rows, column));
    case DB_BLOB: return V_BLOB(db_blob(rows, column));
    case DB_UUID: return V_UUID(db_uuid(rows, column));
    }
    return V_NULL;
}

static void read_row(struct db_rows *rows, const struct table *table, size_t count,
                     struct db_val out[TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < count; i++) {
        out[i] = read_value(rows, (int)i, table->columns[i].type);
    }
}

/* A primary key that outlives its row, and room for the limit behind it. */
struct place {
    struct arena arena;
    bool is_set; /* else: before the first row */
    struct db_val values[TABLE_KEY_MAX + 1];
};

static void place_set(struct place *place, const struct db_val *values, size_t key)
{
    arena_reset(&place->arena);
    place->is_set = true;
    for (size_t i = 0; i < key; i++) {
        place->values[i] = values[i];
        if (values[i].type == DB_TEXT || values[i].type == DB_BLOB) {
            place->values[i].s = arena_copy(&place->arena, values[i].s);
        }
    }
}

static enum err query_page(struct db *db, enum table_number number, struct place *place,
                           int64_t most, struct db_rows *rows)
{
    size_t key = place->is_set ? store_tables[number].key : 0;
    place->values[key] = V_INT(most);
    return db_query(db, query_of(number, place->is_set ? PAGE_NEXT : PAGE_FIRST), place->values,
                    key + 1, rows);
}

static enum err find_last(struct db *db, enum table_number number, struct place *place)
{
    const struct table *table = &store_tables[number];
    struct db_val values[TABLE_COLUMNS_MAX];
    struct db_rows rows;
    enum err e = db_query(db, query_of(number, KEY_LAST), NO_ARGS, &rows);
    if (e == ERR_OK && db_next(&rows)) {
        read_row(&rows, table, table->key, values);
        place_set(place, values, table->key);
    }
    return db_end(&rows, e);
}

/* --- copying ------------------------------------------------------------------------------- */

enum err move_is_empty(struct db *to, bool *empty)
{
    *empty = true;
    for (int i = 0; i < TABLE_COUNT && *empty; i++) {
        struct place last = {.is_set = false};
        arena_init(&last.arena);
        bool may_have = i == TABLE_SHARD || i == TABLE_INCARNATION || i == TABLE_WS_TICKET;
        enum err e = may_have ? ERR_OK : find_last(to, (enum table_number)i, &last);
        *empty = !last.is_set;
        arena_fini(&last.arena);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

enum err move_clear(struct db *to)
{
    enum err e = db_exec(to, INCARNATIONS_DROP, NO_ARGS, NULL);
    return e == ERR_OK ? db_exec(to, TICKETS_DROP, NO_ARGS, NULL) : e;
}

bool move_copies(enum table_number table, bool keeps_positions)
{
    bool is_position = table == TABLE_CHANGE_LOG || table == TABLE_INCARNATION;
    return table != TABLE_SHARD && (keeps_positions || !is_position);
}

static enum err load_rows(struct db_rows *rows, struct db *to, enum table_number number,
                          int64_t *copied)
{
    const struct table *table = &store_tables[number];
    struct db_val values[TABLE_COLUMNS_MAX];
    struct buf columns;
    buf_init(&columns, SQL_MAX);
    add_names(&columns, table, table->count, "");
    buf_char(&columns, '\0');
    struct db_load load = {
        .table = table->name, .columns = buf_view(&columns).p, .insert = query_of(number, ROW_ADD)};
    enum err e = db_load_begin(to, &load);
    while (e == ERR_OK && db_next(rows)) {
        read_row(rows, table, table->count, values);
        e = db_load_row(&load, values, table->count);
        (*copied)++;
    }
    e = db_load_end(&load, e);
    buf_fini(&columns);
    return e;
}

static enum err copy_behind(struct db *from, struct db *to, enum table_number number, int64_t most,
                            struct place *last, int64_t *copied)
{
    struct db_rows rows;
    enum err e = find_last(to, number, last);
    if (e != ERR_OK) {
        return e;
    }
    e = query_page(from, number, last, most, &rows);
    if (e == ERR_OK) {
        e = load_rows(&rows, to, number, copied);
    }
    return db_end(&rows, e);
}

enum err move_page(struct db *from, struct db *to, enum table_number table, int64_t most,
                   int64_t *copied)
{
    struct place last = {.is_set = false};
    *copied = 0;
    enum err e = db_begin_write(to);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&last.arena);
    e = copy_behind(from, to, table, most, &last, copied);
    arena_fini(&last.arena);
    if (e != ERR_OK) {
        db_rollback(to);
        return e;
    }
    return db_commit(to);
}

/* --- shards -------------------------------------------------------------------------------- */

/* As the table has them: id, stamp, then what is counted. */
enum { SHARD_ID, SHARD_STAMP, SHARD_COUNTED, SHARD_COLUMNS = SHARD_COUNTED + 3 };

struct shards {
    size_t count;
    struct db_val rows[SHARDS_MAX][SHARD_COLUMNS];
};

static enum err read_shards(struct db *db, struct shards *out)
{
    struct db_rows rows;
    struct db_val values[TABLE_COLUMNS_MAX];
    out->count = 0;
    enum err e = db_query(db, query_of(TABLE_SHARD, PAGE_FIRST), ARGS(V_INT(SHARDS_MAX)), &rows);
    while (e == ERR_OK && db_next(&rows)) {
        read_row(&rows, &store_tables[TABLE_SHARD], SHARD_COLUMNS, values);
        memcpy(out->rows[out->count++], values, sizeof(out->rows[0]));
    }
    return db_end(&rows, e);
}

/* All of `from` together: the greatest stamp, the sums of what is counted. */
static void add_up(const struct shards *from, int64_t out[SHARD_COLUMNS])
{
    for (size_t i = 0; i < from->count; i++) {
        int64_t stamp = from->rows[i][SHARD_STAMP].i;
        out[SHARD_STAMP] = stamp > out[SHARD_STAMP] ? stamp : out[SHARD_STAMP];
        for (size_t column = SHARD_COUNTED; column < SHARD_COLUMNS; column++) {
            out[column] += from->rows[i][column].i;
        }
    }
}

/* Turns what the target has into what it is to have. */
static void plan_shards(const struct shards *from, struct shards *to)
{
    int64_t all[SHARD_COLUMNS] = {0};
    if (from->count == to->count) {
        *to = *from;
        return;
    }
    add_up(from, all);
    for (size_t i = 0; i < to->count; i++) {
        to->rows[i][SHARD_STAMP] = V_INT(all[SHARD_STAMP]);
        for (size_t column = SHARD_COUNTED; column < SHARD_COLUMNS; column++) {
            to->rows[i][column] = V_INT(i == 0 ? all[column] : 0);
        }
    }
}

static enum err planned_shards(struct db *from, struct db *to, struct shards *out)
{
    struct shards source;
    enum err e = read_shards(from, &source);
    if (e == ERR_OK) {
        e = read_shards(to, out);
    }
    if (e == ERR_OK) {
        plan_shards(&source, out);
    }
    return e;
}

enum err move_keeps_positions(struct db *from, struct db *to, bool *keeps)
{
    struct shards source;
    struct shards target;
    enum err e = read_shards(from, &source);
    if (e == ERR_OK) {
        e = read_shards(to, &target);
    }
    *keeps = e == ERR_OK && source.count == target.count;
    return e;
}

enum err move_shards(struct db *from, struct db *to)
{
    struct shards planned;
    enum err e = planned_shards(from, to, &planned);
    for (size_t i = 0; e == ERR_OK && i < planned.count; i++) {
        e = db_exec(to, SHARD_SET, planned.rows[i], SHARD_COLUMNS, NULL);
    }
    return e;
}

/* --- sums ---------------------------------------------------------------------------------- */

static void add_number(struct buf *b, enum db_type type, uint64_t n)
{
    uint8_t bytes[1 + sizeof(n)] = {(uint8_t)type};
    for (size_t i = 0; i < sizeof(n); i++) {
        bytes[sizeof(n) - i] = (uint8_t)(n >> 8 * i);
    }
    buf_add(b, bytes, sizeof(bytes));
}

static void add_value(struct buf *b, const struct db_val *value)
{
    switch (value->type) {
    case DB_NULL: add_number(b, DB_NULL, 0); break;
    case DB_BOOL: add_number(b, DB_BOOL, value->i != 0); break;
    case DB_INT:
    case DB_TIME: add_number(b, value->type, (uint64_t)value->i); break;
    case DB_UUID:
        add_number(b, DB_UUID, sizeof(value->id.b));
        buf_add(b, value->id.b, sizeof(value->id.b));
        break;
    case DB_TEXT:
    case DB_BLOB:
        add_number(b, value->type, value->s.n);
        buf_str(b, value->s);
        break;
    }
}

static void sum_add(struct move_sum *sum, struct buf *row, const struct db_val *values,
                    size_t count)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t parts[COUNT_OF(sum->parts)];
    buf_reset(row);
    for (size_t i = 0; i < count; i++) {
        add_value(row, &values[i]);
    }
    sha256(buf_view(row), digest);
    memcpy(parts, digest, sizeof(parts));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        sum->parts[i] += parts[i];
    }
    sum->rows++;
}

static enum err sum_page(struct db *db, enum table_number number, int64_t page, struct place *place,
                         struct buf *row, struct move_sum *out)
{
    const struct table *table = &store_tables[number];
    struct db_val values[TABLE_COLUMNS_MAX];
    struct db_rows rows;
    enum err e = query_page(db, number, place, page, &rows);
    for (int64_t left = page; e == ERR_OK && db_next(&rows);) {
        read_row(&rows, table, table->count, values);
        sum_add(out, row, values, table->count);
        if (--left == 0) {
            place_set(place, values, table->key);
        }
    }
    return db_end(&rows, e);
}

enum err move_sum_table(struct db *db, enum table_number table, int64_t page, struct move_sum *out)
{
    struct place place = {.is_set = false};
    struct buf row;
    int64_t before = -page;
    enum err e = ERR_OK;
    *out = (struct move_sum){0};
    arena_init(&place.arena);
    buf_init(&row, ROW_MAX);
    while (e == ERR_OK && out->rows - before == page) {
        before = out->rows;
        e = sum_page(db, table, page, &place, &row, out);
    }
    if (row.failed) {
        e = ERR_INTERNAL;
    }
    buf_fini(&row);
    arena_fini(&place.arena);
    return e;
}

enum err move_sum_shards(struct db *from, struct db *to, struct move_sum *out)
{
    struct shards planned;
    struct buf row;
    enum err e = planned_shards(from, to, &planned);
    *out = (struct move_sum){0};
    buf_init(&row, SQL_MAX);
    for (size_t i = 0; e == ERR_OK && i < planned.count; i++) {
        sum_add(out, &row, planned.rows[i], SHARD_COLUMNS);
    }
    buf_fini(&row);
    return e;
}

bool move_sum_eq(const struct move_sum *a, const struct move_sum *b)
{
    return a->rows == b->rows && memcmp(a->parts, b->parts, sizeof(a->parts)) == 0;
}
