#include "db/postgres_copy.h"

#include <endian.h>
#include <stdlib.h>

#include "base/buf.h"
#include "db/postgres_values.h"

enum {
    SEND_BYTES = 64 * 1024,            /* are sent at once */
    ROW_BYTES_MAX = 256 * 1024 * 1024, /* of a row, and what waits before it */
};

struct copy {
    PGconn *connection;
    struct buf waiting;
};

static void add16(struct buf *b, int16_t n)
{
    uint16_t wire = htobe16((uint16_t)n);
    buf_add(b, &wire, sizeof(wire));
}

static void add32(struct buf *b, int32_t n)
{
    uint32_t wire = htobe32((uint32_t)n);
    buf_add(b, &wire, sizeof(wire));
}

static void add_number(struct buf *b, int64_t n)
{
    uint64_t wire = htobe64((uint64_t)n);
    add32(b, sizeof(wire));
    buf_add(b, &wire, sizeof(wire));
}

static void add_bytes(struct buf *b, const void *p, size_t n)
{
    add32(b, (int32_t)n);
    buf_add(b, p, n);
}

static void add_value(struct buf *b, const struct db_val *value)
{
    switch (value->type) {
    case DB_NULL: add32(b, -1); break;
    case DB_INT: add_number(b, value->i); break;
    case DB_TIME: add_number(b, postgres_time(value->i)); break;
    case DB_BOOL:
        add32(b, 1);
        buf_char(b, value->i != 0 ? 1 : 0);
        break;
    case DB_UUID: add_bytes(b, value->id.b, sizeof(value->id.b)); break;
    case DB_TEXT:
    case DB_BLOB: add_bytes(b, value->s.p, value->s.n); break;
    }
}

static bool send_waiting(struct copy *copy)
{
    struct str data = buf_view(&copy->waiting);
    bool sent = !copy->waiting.failed && PQputCopyData(copy->connection, data.p, (int)data.n) == 1;
    buf_reset(&copy->waiting);
    return sent;
}

PGresult *copy_begin(PGconn *connection, struct db_load *load)
{
    static const char header[] = "PGCOPY\n\377\r\n"; /* its zero byte belongs to it */
    struct buf sql;
    buf_init(&sql, SEND_BYTES);
    buf_printf(&sql, "COPY %s (%s) FROM STDIN (FORMAT binary)", load->table, load->columns);
    buf_char(&sql, '\0');
    PGresult *result = PQexec(connection, buf_view(&sql).p);
    buf_fini(&sql);
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        return result;
    }
    struct copy *copy = mem_alloc(sizeof(*copy));
    copy->connection = connection;
    buf_init(&copy->waiting, ROW_BYTES_MAX);
    buf_add(&copy->waiting, header, sizeof(header));
    add32(&copy->waiting, 0); /* flags */
    add32(&copy->waiting, 0); /* length of what extends the header */
    load->state = copy;
    return result;
}

bool copy_row(struct copy *copy, const struct db_val *values, size_t count)
{
    add16(&copy->waiting, (int16_t)count);
    for (size_t i = 0; i < count; i++) {
        add_value(&copy->waiting, &values[i]);
    }
    return copy->waiting.n < SEND_BYTES ? !copy->waiting.failed : send_waiting(copy);
}

PGresult *copy_end(struct copy *copy, bool good)
{
    add16(&copy->waiting, -1);
    good = good && send_waiting(copy);
    (void)PQputCopyEnd(copy->connection, good ? NULL : "given up");
    PGresult *result = PQgetResult(copy->connection);
    for (PGresult *more = PQgetResult(copy->connection); more != NULL;
         more = PQgetResult(copy->connection)) {
        PQclear(more);
    }
    buf_fini(&copy->waiting);
    free(copy);
    return result;
}
