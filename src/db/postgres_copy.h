/* COPY ... FROM STDIN in the binary format: how PostgreSQL takes many rows into one table
 * (https://www.postgresql.org/docs/15/sql-copy.html). For postgres.c only. */
#pragma once

#include <libpq-fe.h>

#include "db/db.h"

struct copy;

/* Sets load->state to what the others want; NULL: it failed, the result says why. The result is the
 * caller's to clear. */
PGresult *copy_begin(PGconn *connection, struct db_load *load);
/* False: the connection is lost, or the row is beyond what one may hold. */
bool copy_row(struct copy *copy, const struct db_val *values, size_t count) CHECKED;
/* Frees `copy`. `good`: false undoes the rows. The result is the caller's to clear. */
PGresult *copy_end(struct copy *copy, bool good);
