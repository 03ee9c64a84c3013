/* Rows of CSV (RFC 4180) in UTF-8. A cell that a spreadsheet would take for a formula gets an
 * apostrophe before it, whoever wrote it. */
#pragma once

#include "base/buf.h"
#include "base/uuid.h"

struct csv {
    struct buf *out;
    bool in_row; /* a comma is due */
};

void api_csv_text(struct csv *csv, struct str text); /* absent: an empty cell */
void api_csv_int(struct csv *csv, int64_t n);
void api_csv_bool(struct csv *csv, bool yes);
void api_csv_uuid(struct csv *csv, struct uuid id); /* zero: an empty cell */
void api_csv_time(struct csv *csv, int64_t us);     /* 0: an empty cell */
void api_csv_end_row(struct csv *csv);
