#include "db/postgres_values.h"

#include <endian.h>
#include <stdlib.h>

/* Object ids of types (pg_type.dat); they are the same in every database. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
};

/* Microseconds from 1970 to 2000, where PostgreSQL's times begin. */
static const int64_t epoch_us = INT64_C(946684800) * 1000000;

int64_t postgres_time(int64_t us)
{
    if (us > INT64_MAX - epoch_us || us < INT64_MIN + epoch_us) {
        return us > 0 ? INT64_MAX : INT64_MIN;
    }
    return us - epoch_us;
}

static int64_t from_postgres_time(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN ? us : us + epoch_us;
}

int postgres_parameters(const char *sql, Oid types[PARAMETERS_MAX])
{
    int count = 0;
    for (int i = 0; i < PARAMETERS_MAX; i++) {
        types[i] = POSTGRES_UNUSED;
    }
    for (const char *at = strchr(sql, '$'); at != NULL; at = strchr(at + 1, '$')) {
        int number = atoi(at + 1);
        if (number > 0 && number <= PARAMETERS_MAX) {
            types[number - 1] = 0;
            count = number > count ? number : count;
        }
    }
    return count;
}

static void bind_number(struct postgres_parameters *p, int i, int64_t n, Oid type)
{
    char *to = (char *)&p->fixed[i];
    p->values[i] = to;
    if (type == OID_BOOL) {
        to[0] = n != 0;
        p->sizes[i] = 1;
    } else if (type == OID_INT2) {
        uint16_t wire = htobe16((uint16_t)n);
        memcpy(to, &wire, sizeof(wire));
        p->sizes[i] = sizeof(wire);
    } else if (type == OID_INT4) {
        uint32_t wire = htobe32((uint32_t)n);
        memcpy(to, &wire, sizeof(wire));
        p->sizes[i] = sizeof(wire);
    } else {
        uint64_t wire = htobe64((uint64_t)(type == OID_TIMESTAMPTZ ? postgres_time(n) : n));
        memcpy(to, &wire, sizeof(wire));
        p->sizes[i] = sizeof(wire);
    }
}

bool postgres_bind(struct postgres_parameters *p, int i, const struct db_val *value, Oid type)
{
    bool number = type == OID_BOOL || type == OID_INT2 || type == OID_INT4 || type == OID_INT8 ||
                  type == OID_TIMESTAMPTZ;
    p->formats[i] = 1;
    if (type == POSTGRES_UNUSED) {
        p->values[i] = NULL;
        return true;
    }
    switch (value->type) {
    case DB_NULL: p->values[i] = NULL; return true;
    case DB_INT:
    case DB_BOOL:
    case DB_TIME: bind_number(p, i, value->i, type); return number;
    case DB_UUID:
        p->values[i] = (const char *)value->id.b;
        p->sizes[i] = sizeof(value->id.b);
        return type == OID_UUID;
    case DB_TEXT:
    case DB_BLOB:
        p->values[i] = value->s.n > 0 ? value->s.p : "";
        p->sizes[i] = (int)value->s.n;
        return type == (value->type == DB_TEXT ? OID_TEXT : OID_BYTEA);
    }
    return false;
}

int64_t postgres_read_number(const char *from, int n, Oid type)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++) {
        value = value << 8 | (unsigned char)from[i];
    }
    int64_t number = n == 2 ? (int16_t)value : n == 4 ? (int32_t)value : (int64_t)value;
    return type == OID_TIMESTAMPTZ ? from_postgres_time(number) : number;
}

/* --- what is foreseen ---------------------------------------------------------------------- */

bool postgres_is_same(const struct db_val *a, const struct db_val *b)
{
    if (a->type != b->type || a->type == DB_NULL) {
        return a->type == b->type;
    }
    return a->type == DB_UUID ? uuid_eq(a->id, b->id) : a->i == b->i;
}

bool postgres_is_short(const struct db_val *args, size_t count)
{
    bool fit = count <= POSTGRES_SHORT_MAX;
    for (size_t i = 0; fit && i < count; i++) {
        fit = args[i].type != DB_TEXT && args[i].type != DB_BLOB;
    }
    return fit;
}

/* --- failures ------------------------------------------------------------------------------ */

enum err postgres_class(const char *state)
{
    static const struct {
        const char *state; /* or its beginning */
        enum err e;
    } classes[] = {
        {"23505", ERR_DB_UNIQUE},    {"23503", ERR_DB_REFERENCE}, {"40001", ERR_BUSY},
        {"40P01", ERR_BUSY},         {"55P03", ERR_BUSY},         {"57014", ERR_BUSY},
        {"53100", ERR_STORAGE_FULL}, {"53", ERR_UNAVAILABLE},     {"08", ERR_UNAVAILABLE},
        {"57P", ERR_UNAVAILABLE},    {"58", ERR_UNAVAILABLE},     {"25006", ERR_UNAVAILABLE},
        {"XX00", ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if (strncmp(state, classes[i].state, strlen(classes[i].state)) == 0) {
            return classes[i].e;
        }
    }
    return ERR_INTERNAL;
}

/* --- answers ------------------------------------------------------------------------------- */

struct answer *postgres_answer(PGresult *rows)
{
    struct answer *answer = mem_alloc(sizeof(*answer));
    *answer = (struct answer){rows, 1};
    return answer;
}

void postgres_let_go(struct answer *answer)
{
    if (answer != NULL && --answer->holders == 0) {
        PQclear(answer->rows);
        free(answer);
    }
}
