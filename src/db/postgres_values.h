/* Values as PostgreSQL has them on the wire, in its binary formats, and what its failures mean. For the
 * driver only. */
#pragma once

#include <libpq-fe.h>

#include "db/db.h"

enum {
    PARAMETERS_MAX = 32,
    POSTGRES_SHORT_MAX = 6,
    POSTGRES_UNUSED = 18, /* "char": the type of a parameter that is not in the text; always NULL */
};

/* The parameters of one execution; numbers in network order stand in `fixed`. */
struct postgres_parameters {
    const char *values[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    uint64_t fixed[PARAMETERS_MAX];
};

/* How many parameters the text has, up to the last one. Queries share one set of parameters, of which each
 * has only some in its text: the `types` of those are 0, the others get a type that no value has, and are
 * NULL. */
int postgres_parameters(const char *sql, Oid types[PARAMETERS_MAX]);
/* The i-th parameter, as the type that the server wants; `value` must live as long as `p`. False: it wants
 * another type than that of the value. */
bool postgres_bind(struct postgres_parameters *p, int i, const struct db_val *value, Oid type);
/* May they be kept for later? Texts and blobs are of somebody who may be gone then. */
bool postgres_is_short(const struct db_val *args, size_t count);
/* For such. */
bool postgres_is_same(const struct db_val *a, const struct db_val *b);
/* A number, time or boolean of n bytes. */
int64_t postgres_read_number(const char *from, int n, Oid type);
/* Microseconds since 1970 as PostgreSQL counts them. What is beyond its times is infinitely early or
 * late. */
int64_t postgres_time(int64_t us);
/* Of an SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html). */
enum err postgres_class(const char *state);

/* The rows that a question was answered with; those who hold it read them. */
struct answer {
    PGresult *rows;
    int holders;
};

/* Takes the rows over; the caller holds it. */
struct answer *postgres_answer(PGresult *rows);
/* NULL is fine. */
void postgres_let_go(struct answer *answer);
