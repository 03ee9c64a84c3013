/* What the files of the admin API share: lists, which are answered as pages or as a file (`export`),
 * and actions on many objects at once. */
#pragma once

#include "api/csv.h"
#include "api/filters.h"
#include "serve/page.h"
#include "serve/route.h"

/* ------- lists ------- */

struct admin_list {
    const char *name;    /* of the file: "users" */
    const char *action;  /* for the audit log: "user.list_all"; NULL: not noted */
    const char *columns; /* of the CSV: "id,username" */
    /* `of` is what the caller of api_admin_list() gave; it holds the filters and the rows read last.
     * NULL: the list is empty. */
    enum err (*count)(struct req *r, void *of, int64_t *count, bool *capped);
    enum err (*read)(struct req *r, void *of, const struct window *window, size_t *n);
    struct list_key (*key)(const void *of, size_t i);
    enum err (*write)(struct req *r, void *of, size_t i);
    void (*write_csv)(struct csv *csv, const void *of, size_t i);
    bool (*truncated)(const void *of); /* not all there is was looked at; NULL: it always is */
};

/* The filter by which a list becomes a file. It runs on the pool for searches. */
#define EXPORT_FIELD                                                                               \
    {                                                                                              \
        .name = "export", .type = FIELD_CHOICE, .choices = "csv,json", .scans = true,              \
        .help = "The whole list as a file, at most EXPORT_ROWS rows."                              \
    }

#define ADMIN_LIST_ROUTE(fields, list, shape)                                                      \
    {                                                                                              \
        .method = "GET", .access = ACCESS_ADMIN, .db = ROUTE_READ, .query = FIELDS(fields),        \
        .handle = (list), .out = &(shape), .status = 200                                           \
    }

/* Answers with the page, or with the file. `letter` and `descending` as pager_init() has them. */
enum err api_admin_list(struct req *r, const struct admin_list *list, char letter, bool descending,
                        void *of) CHECKED;
/* The same for lists that are pages only, which have no EXPORT_FIELD. */
enum err api_admin_page(struct req *r, const struct admin_list *list, char letter, bool descending,
                        void *of) CHECKED;

/* The user that a FIELD_USER names; *nobody: there is no such user. */
enum err api_user_filter(struct req *r, const char *name, struct db_val *out, bool *nobody) CHECKED;

/* ------- many at once ------- */

enum { BULK_MAX = 100 };

#define BULK_FIELDS(actions)                                                                       \
    {.name = "action", .type = FIELD_CHOICE, .required = true, .choices = (actions)},              \
    {                                                                                              \
        .name = "ids", .type = FIELD_LIST, .required = true, .min = 1, .max = BULK_MAX,            \
        .help = "What it is done to, at most 100."                                                 \
    }

/* What came of it for one of the ids. */
struct bulk_result {
    enum bulk_state { BULK_DONE, BULK_UNCHANGED, BULK_SKIPPED } state;
    struct str reason; /* of BULK_SKIPPED */
};

/* Does it to one. A failure that says something of this one alone (not found, not allowed, the last
 * admin) is told in its place and must have written nothing; any other ends the request. */
typedef enum err bulk_action(struct req *r, struct uuid id, struct bulk_result *out);

/* Route->object: reads `ids`, and says which are none. */
enum err api_bulk_ids(struct req *r);
/* Route->handle's work: all of them, in one transaction. */
enum err api_bulk_run(struct req *r, bulk_action *action) CHECKED;

extern const struct shape shape_bulk;

#define ADMIN_BULK_ROUTE(fields, find, act)                                                        \
    {                                                                                              \
        .method = "POST", .access = ACCESS_ADMIN, .db = ROUTE_WRITE, .input = FIELDS(fields),      \
        .object = (find), .handle = (act), .out = &shape_bulk, .status = 200                       \
    }
