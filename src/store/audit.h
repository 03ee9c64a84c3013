/* The audit log as it is read; store_audit_add() (store/system.h) writes it. */
#pragma once

#include "db/db.h"
#include "store/model.h"

struct audit_entry {
    struct uuid id;
    int64_t at;
    struct uuid actor_id;
    struct str actor_name; /* absent: there is no such account */
    struct str action;
    struct uuid object_id; /* zero: none */
    struct str detail;     /* a JSON object */
};

/* Values that are V_NULL (all zero) filter nothing. */
struct audit_filter {
    struct db_val actor;  /* uuid */
    struct db_val action; /* text */
    struct db_val object; /* uuid */
    struct db_val from;   /* time */
    struct db_val to;     /* time, inclusive */
};

/* Sort key: at, id. */
enum err store_audit_list(struct db *db, struct arena *a, const struct audit_filter *filter,
                          const struct window *window, struct audit_entry **rows, size_t *count)
    CHECKED;
/* Counts no further than `most`. */
enum err store_audit_count(struct db *db, const struct audit_filter *filter, int64_t most,
                           int64_t *out) CHECKED;
