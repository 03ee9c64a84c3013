/* Statements of MySQL and MariaDB: prepared once on each connection, parameters and columns are binary
 * (https://mariadb.com/kb/en/mariadb-connectorc-types-and-definitions/), a result is read whole. */
#include <stdlib.h>

#include "base/log.h"
#include "db/mariadb_private.h"

enum {
    PARAMETERS_MAX = 32,
    TEXT_ROOM = 128,        /* of a column, at first; it grows with what is found */
    TEXT_ROOM_KEPT = 65536, /* what is larger is given back behind the last row */
};

/* Where the library puts a value. */
struct column {
    MYSQL_TIME time;
    int64_t number;
    char *text;
    unsigned long size;
    my_bool is_null;
};

static enum err fail(struct db *db, MYSQL_STMT *handle, const char *what)
{
    return mariadb_classify(db, mysql_stmt_errno(handle), mysql_stmt_error(handle), what);
}

/* --- preparing ----------------------------------------------------------------------------- */

static void free_part(struct part *part)
{
    for (size_t i = 0; i < part->column_count; i++) {
        free(part->columns[i].text);
    }
    if (part->handle != NULL) {
        mysql_stmt_close(part->handle);
    }
    free((void *)part->numbers);
    free(part->parameters);
    free(part->times);
    free(part->binds);
    free(part->columns);
    *part = (struct part){0};
}

void mariadb_forget_statements(struct db *db)
{
    struct session *session = db->prepared;
    for (size_t i = 0; i < db->options.queries.count; i++) {
        free_part(&session->statements[i].first);
        free_part(&session->statements[i].then);
    }
}

/* The server knows places only: "?2" becomes "?", and its number stands in numbers[]. Cuts the text at
 * ';', as there may be two. */
static struct str take_text(struct str *sql, struct arena *a, unsigned char *numbers, size_t *count)
{
    char *out = arena_alloc(a, sql->n + 1);
    size_t n = 0;
    size_t i = 0;
    bool is_quoted = false;
    *count = 0;
    while (i < sql->n && (is_quoted || sql->p[i] != ';')) {
        char c = sql->p[i++];
        out[n++] = c;
        is_quoted = is_quoted != (c == '\'');
        if (c != '?' || is_quoted) {
            continue;
        }
        unsigned int number = 0;
        while (i < sql->n && sql->p[i] >= '0' && sql->p[i] <= '9') {
            number = number * 10 + (unsigned int)(sql->p[i++] - '0');
        }
        numbers[(*count)++] = (unsigned char)(number - 1);
    }
    *sql = i < sql->n ? (struct str){sql->p + i + 1, sql->n - i - 1} : STR_NULL;
    return (struct str){out, n};
}

static void bind_column(const MYSQL_FIELD *field, MYSQL_BIND *bind, struct column *column)
{
    *bind = (MYSQL_BIND){.is_null = &column->is_null, .length = &column->size};
    switch (field->type) {
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &column->time;
        break;
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_NULL:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &column->number;
        break;
    default:
        column->text = mem_alloc(TEXT_ROOM);
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer = column->text;
        bind->buffer_length = TEXT_ROOM;
    }
}

static bool bind_columns(struct part *part)
{
    MYSQL_RES *fields = mysql_stmt_result_metadata(part->handle);
    if (fields == NULL) {
        return mysql_stmt_field_count(part->handle) == 0;
    }
    part->column_count = mysql_num_fields(fields);
    part->binds = mem_alloc_zero(part->column_count * sizeof(MYSQL_BIND));
    part->columns = mem_alloc_zero(part->column_count * sizeof(struct column));
    for (size_t i = 0; i < part->column_count; i++) {
        bind_column(&mysql_fetch_fields(fields)[i], &part->binds[i], &part->columns[i]);
    }
    mysql_free_result(fields);
    return mysql_stmt_bind_result(part->handle, part->binds) == 0;
}

static enum err prepare_part(struct db *db, struct str *sql, struct part *part, const char *name)
{
    struct arena a;
    size_t count;
    arena_init(&a);
    unsigned char *numbers = mem_alloc(sql->n + 1);
    struct str text = take_text(sql, &a, numbers, &count);
    *part = (struct part){.handle = mysql_stmt_init(db->handle),
                          .parameter_count = count,
                          .numbers = numbers,
                          .parameters = mem_alloc_zero((count + 1) * sizeof(MYSQL_BIND)),
                          .times = mem_alloc_zero((count + 1) * sizeof(MYSQL_TIME))};
    enum err e = part->handle != NULL ? ERR_OK : ERR_UNAVAILABLE;
    if (e == ERR_OK && (mysql_stmt_prepare(part->handle, text.p, text.n) != 0 ||
                        mysql_stmt_param_count(part->handle) != count || !bind_columns(part))) {
        e = fail(db, part->handle, name);
    }
    if (e != ERR_OK) {
        free_part(part);
    }
    arena_fini(&a);
    return e;
}

enum err mariadb_prepare(struct db *db, int query)
{
    struct session *session = db->prepared;
    struct statement *statement = &session->statements[query];
    const char *name = db->options.queries.name[query];
    struct str sql = str_of(db->texts[query]);
    if (statement->first.handle != NULL) {
        return ERR_OK;
    }
    if (session->is_lost) {
        return ERR_UNAVAILABLE;
    }
    enum err e = prepare_part(db, &sql, &statement->first, name);
    if (e == ERR_OK && sql.n > 0) {
        e = prepare_part(db, &sql, &statement->then, name);
        if (e != ERR_OK) {
            free_part(&statement->first);
        }
    }
    return e;
}

/* --- values -------------------------------------------------------------------------------- */

static MYSQL_TIME to_time(int64_t us)
{
    struct time_parts t;
    time_split(us, &t);
    return (MYSQL_TIME){.year = t.year,
                        .month = t.month,
                        .day = t.day,
                        .hour = t.hour,
                        .minute = t.minute,
                        .second = t.second,
                        .second_part = t.us,
                        .time_type = MYSQL_TIMESTAMP_DATETIME};
}

static int64_t from_time(const MYSQL_TIME *time)
{
    const struct time_parts t = {.year = time->year,
                                 .month = time->month,
                                 .day = time->day,
                                 .hour = time->hour,
                                 .minute = time->minute,
                                 .second = time->second,
                                 .us = (uint32_t)time->second_part};
    return time_join(&t);
}

/* The library only reads what it is pointed at. */
static void bind_bytes(MYSQL_BIND *bind, enum enum_field_types type, const void *p, size_t n)
{
    static char none[1];
    bind->buffer_type = type;
    bind->buffer = n > 0 ? (void *)p : none;
    bind->buffer_length = n;
    bind->length = &bind->buffer_length;
}

static void bind_value(MYSQL_BIND *bind, MYSQL_TIME *time, const struct db_val *value)
{
    *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_NULL};
    switch (value->type) {
    case DB_NULL: break;
    case DB_INT:
    case DB_BOOL:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = (void *)&value->i;
        break;
    case DB_TIME:
        *time = to_time(value->i);
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = time;
        break;
    case DB_TEXT: bind_bytes(bind, MYSQL_TYPE_STRING, value->s.p, value->s.n); break;
    case DB_UUID: bind_bytes(bind, MYSQL_TYPE_BLOB, value->id.b, sizeof(value->id.b)); break;
    case DB_BLOB: bind_bytes(bind, MYSQL_TYPE_BLOB, value->s.p, value->s.n); break;
    }
}

static const struct column *column_of(const struct db_rows *rows, int column)
{
    const struct part *part = rows->statement;
    return &part->columns[column];
}

bool mariadb_is_null(struct db_rows *rows, int column)
{
    return column_of(rows, column)->is_null != 0;
}

/* A sum is a decimal number, and comes as text. */
static int64_t read_decimal(const struct column *column)
{
    int64_t n = 0;
    return str_to_i64((struct str){column->text, column->size}, &n) ? n : 0;
}

int64_t mariadb_get_int(struct db_rows *rows, int column)
{
    const struct part *part = rows->statement;
    const struct column *value = column_of(rows, column);
    if (value->is_null) {
        return 0;
    }
    switch (part->binds[column].buffer_type) {
    case MYSQL_TYPE_DATETIME: return from_time(&value->time);
    case MYSQL_TYPE_LONGLONG: return value->number;
    default: return read_decimal(value);
    }
}

struct str mariadb_get_bytes(struct db_rows *rows, int column)
{
    const struct column *value = column_of(rows, column);
    return value->is_null ? STR_NULL : (struct str){value->text, value->size};
}

/* --- rows ---------------------------------------------------------------------------------- */

static enum err execute(struct db *db, struct part *part, const struct db_val *args, size_t count,
                        const char *name)
{
    const struct db_val absent = V_NULL;
    for (size_t i = 0; i < part->parameter_count; i++) {
        size_t number = part->numbers[i];
        bind_value(&part->parameters[i], &part->times[i], number < count ? &args[number] : &absent);
    }
    if ((part->parameter_count > 0 && mysql_stmt_bind_param(part->handle, part->parameters) != 0) ||
        mysql_stmt_execute(part->handle) != 0 ||
        (part->column_count > 0 && mysql_stmt_store_result(part->handle) != 0)) {
        return fail(db, part->handle, name);
    }
    return ERR_OK;
}

static void count_changes(struct session *session, const struct part *part)
{
    session->changed = 0;
    if (part->column_count == 0) {
        session->changed = (int64_t)mysql_stmt_affected_rows(part->handle);
        session->changes += session->changed;
    }
}

enum err mariadb_query(struct db *db, int query, const struct db_val *args, size_t count,
                       struct db_rows *rows)
{
    struct session *session = db->prepared;
    struct statement *statement = &session->statements[query];
    const char *name = db->options.queries.name[query];
    struct part *part = &statement->first;
    enum err e = session->transaction == TRANSACTION_ENDED ? ERR_BUSY : mariadb_prepare(db, query);
    if (e == ERR_OK) {
        e = execute(db, part, args, count, name);
    }
    if (e == ERR_OK) {
        count_changes(session, part);
        if (statement->then.handle != NULL) {
            part = &statement->then;
            e = execute(db, part, args, count, name);
        }
    }
    rows->statement = e == ERR_OK ? part : NULL;
    rows->failure = e;
    return e;
}

/* Of the row that was fetched, what did not fit. */
static bool fetch_cut(struct part *part)
{
    for (size_t i = 0; i < part->column_count; i++) {
        struct column *column = &part->columns[i];
        MYSQL_BIND *bind = &part->binds[i];
        if (column->is_null || column->size <= bind->buffer_length || column->text == NULL) {
            continue;
        }
        column->text = mem_realloc(column->text, column->size);
        bind->buffer = column->text;
        bind->buffer_length = column->size;
        if (mysql_stmt_fetch_column(part->handle, bind, (unsigned int)i, 0) != 0) {
            return false;
        }
    }
    return mysql_stmt_bind_result(part->handle, part->binds) == 0;
}

bool mariadb_next(struct db_rows *rows)
{
    struct part *part = rows->statement;
    if (part == NULL || part->column_count == 0) {
        return false;
    }
    int code = mysql_stmt_fetch(part->handle);
    if (code == 0 || (code == MYSQL_DATA_TRUNCATED && fetch_cut(part))) {
        return true;
    }
    if (code != MYSQL_NO_DATA) {
        rows->failure = fail(rows->db, part->handle, "fetch");
    }
    return false;
}

static void shrink(struct part *part)
{
    bool is_other = false;
    for (size_t i = 0; i < part->column_count; i++) {
        MYSQL_BIND *bind = &part->binds[i];
        if (bind->buffer_length > TEXT_ROOM_KEPT) {
            part->columns[i].text = mem_realloc(part->columns[i].text, TEXT_ROOM);
            bind->buffer = part->columns[i].text;
            bind->buffer_length = TEXT_ROOM;
            is_other = true;
        }
    }
    if (is_other) {
        (void)mysql_stmt_bind_result(part->handle, part->binds); /* of what was bound before */
    }
}

enum err mariadb_end(struct db_rows *rows)
{
    struct part *part = rows->statement;
    if (part != NULL && part->column_count > 0) {
        (void)mysql_stmt_free_result(part->handle);
        shrink(part);
    }
    rows->statement = NULL;
    return rows->failure;
}
