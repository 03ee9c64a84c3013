#include "api/admin.h"

#include "base/clock.h"
#include "chat/account.h"
#include "chat/audit.h"
#include "serve/app.h"
#include "store/change.h"

/* ------- pages ------- */

static enum err count_rows(struct req *r, struct pager *p, const struct admin_list *list, void *of)
{
    int64_t count = 0;
    bool capped = false;
    enum err e = of != NULL ? list->count(r, of, &count, &capped) : ERR_OK;
    return e == ERR_OK ? pager_set_count(p, count, capped) : e;
}

static enum err write_page(struct req *r, struct pager *p, const struct admin_list *list, void *of,
                           size_t fetched)
{
    static const struct list_key none;
    enum err e = ERR_OK;
    size_t n = pager_rows(p, fetched);
    p->truncated = of != NULL && list->truncated != NULL && list->truncated(of);
    pager_open(p, n > 0 ? list->key(of, pager_index(p, n, 0)) : none,
               n > 0 ? list->key(of, pager_index(p, n, n - 1)) : none);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = list->write(r, of, pager_index(p, n, i));
    }
    pager_close(p);
    return e;
}

enum err api_admin_page(struct req *r, const struct admin_list *list, char letter, bool descending,
                        void *of)
{
    struct pager p;
    size_t n = 0;
    enum err e = pager_init(&p, r, letter, descending);
    if (e == ERR_OK && pager_needs_count(&p)) {
        e = count_rows(r, &p, list, of);
    }
    if (e == ERR_OK && of != NULL) {
        e = list->read(r, of, &p.window, &n);
    }
    if (e == ERR_OK) {
        e = write_page(r, &p, list, of, n);
    }
    if (e == ERR_OK && list->action != NULL) {
        chat_audit_note(&r->call, list->action, (struct uuid){{0}});
    }
    return e;
}

/* ------- files -------
 *
 * A file is made in memory, in pages of so many rows, each with the time of one read: EXPORT_ROWS and
 * EXPORT_BYTES_MAX are its bounds. It runs on the pool for searches, so that few are made at once. */

enum { EXPORT_PAGE = 500, EXPORT_BYTES_MAX = 32 * 1024 * 1024, EXPORT_READS = 4 };

struct export
{
    struct req *r;
    const struct admin_list *list;
    void *of;
    bool as_csv;
    struct csv csv;
    int64_t rows;
    int64_t ends_us; /* steady clock: others wait for the thread */
    bool truncated;
};

static enum err write_row(struct export *x, size_t i)
{
    if (!x->as_csv) {
        return x->list->write(x->r, x->of, i);
    }
    x->list->write_csv(&x->csv, x->of, i);
    api_csv_end_row(&x->csv);
    return ERR_OK;
}

/* One page from the window on, which moves behind it, its key kept in `own`; *more: there is another. */
static enum err export_page(struct export *x, struct arena *own, struct window *window, bool *more)
{
    const struct conf *conf = x->r->app->conf;
    size_t n = 0;
    size_t i = 0;
    db_set_deadline(x->r->call.db, clock_steady_us() + conf->read_timeout_ms * 1000);
    enum err e = x->list->read(x->r, x->of, window, &n);
    for (; i < n && e == ERR_OK && !x->truncated; i++) {
        x->truncated = x->rows == conf->export_rows || x->r->x->out.n > EXPORT_BYTES_MAX ||
                       clock_steady_us() > x->ends_us;
        if (!x->truncated) {
            e = write_row(x, i);
            x->rows++;
        }
    }
    *more = e == ERR_OK && !x->truncated && n == (size_t)window->limit;
    if (*more) {
        window->after = x->list->key(x->of, n - 1);
        window->after.text = arena_copy(own, window->after.text);
    }
    return e;
}

/* Rows of a page are forgotten with it; what the filters say is in the request's own arena. */
static enum err export_rows(struct export *x, bool descending)
{
    struct req *r = x->r;
    struct arena *own = r->arena;
    struct window window = {
        .descending = descending, .after = window_start(descending), .limit = EXPORT_PAGE};
    struct arena page;
    bool more = x->of != NULL;
    enum err e = ERR_OK;
    x->ends_us = clock_steady_us() + EXPORT_READS * r->app->conf->read_timeout_ms * 1000;
    arena_init(&page);
    r->arena = r->call.arena = &page;
    while (more && e == ERR_OK) {
        e = export_page(x, own, &window, &more);
        arena_reset(&page);
    }
    r->arena = r->call.arena = own;
    arena_fini(&page);
    return e;
}

static enum err export_json(struct export *x, bool descending)
{
    struct json_out *o = &x->r->out;
    x->r->content_type_out = "application/json"; /* for a browser too: it is no page */
    json_open_object(o);
    json_field_open_array(o, "results");
    enum err e = export_rows(x, descending);
    json_close_array(o);
    json_field_i64(o, "count", x->rows);
    json_field_bool(o, "truncated", x->truncated);
    json_close_object(o);
    return e;
}

static enum err export_csv(struct export *x, bool descending)
{
    struct buf *out = &x->r->x->out;
    x->csv.out = out;
    buf_str(out, str_of(x->list->columns));
    buf_lit(out, "\r\n");
    x->r->content_type_out = "text/csv; charset=utf-8";
    return export_rows(x, descending);
}

static enum err export_list(struct req *r, const struct admin_list *list, bool descending, void *of)
{
    struct export x = {.r = r, .list = list, .of = of};
    x.as_csv = str_eq(req_filter(r, "export")->text, STR("csv"));
    enum err e = x.as_csv ? export_csv(&x, descending) : export_json(&x, descending);
    if (e != ERR_OK) {
        return e;
    }
    http_add_header(r->x, "Content-Disposition",
                    arena_printf(r->arena, "attachment; filename=\"confab-%s.%s\"", list->name,
                                 x.as_csv ? "csv" : "json")
                        .p);
    http_add_header(r->x, "Cache-Control", "no-store");
    x.truncated = x.truncated || (of != NULL && list->truncated != NULL && list->truncated(of));
    http_add_header(r->x, "X-Export-Truncated", x.truncated ? "true" : "false");
    if (list->action != NULL) {
        chat_audit_note(&r->call, list->action, (struct uuid){{0}});
    }
    return ERR_OK;
}

enum err api_admin_list(struct req *r, const struct admin_list *list, char letter, bool descending,
                        void *of)
{
    if (value_is_set(req_filter(r, "export"))) {
        return export_list(r, list, descending, of);
    }
    return api_admin_page(r, list, letter, descending, of);
}

/* ------- filters ------- */

enum err api_user_filter(struct req *r, const char *name, struct db_val *out, bool *nobody)
{
    const struct value *v = req_filter(r, name);
    struct user user;
    struct uuid id;
    bool found = false;
    *out = V_NULL;
    if (!value_is_set(v)) {
        return ERR_OK;
    }
    if (uuid_parse(v->text, &id)) { /* also of somebody who has been erased */
        *out = V_UUID(id);
        return ERR_OK;
    }
    enum err e = chat_account_find(&r->call, v->text, &user, &found);
    *nobody = *nobody || !found;
    *out = found ? V_UUID(user.id) : V_NULL;
    return e;
}

/* ------- many at once ------- */

struct bulk {
    struct uuid ids[BULK_MAX];
    size_t count;
};

enum err api_bulk_ids(struct req *r)
{
    const struct value *sent = req_input(r, "ids");
    struct bulk *bulk = ARENA_NEW(r->arena, struct bulk);
    enum err e = ERR_OK;
    r->object = bulk;
    for (size_t i = 0; i < sent->count && bulk->count < BULK_MAX; i++) {
        if (uuid_parse(sent->list[i], &bulk->ids[bulk->count])) {
            bulk->count++;
        } else {
            e = req_problem(r, "ids", STR("Must be a list of valid UUIDs."));
            break;
        }
    }
    return r->body_error == ERR_OK ? e : ERR_OK; /* else that is told */
}

static const struct shape_field bulk_item_fields[] = {
    {.name = "id", .type = SHAPE_UUID},
    {.name = "result", .type = SHAPE_STRING},
    {.name = "code", .type = SHAPE_STRING, .nullable = true},
    {.name = "detail", .type = SHAPE_STRING, .nullable = true},
};
static const struct shape shape_bulk_item = {.name = "BulkItem", FIELDS(bulk_item_fields)};
static const struct shape_field bulk_fields[] = {
    {.name = "action", .type = SHAPE_STRING},
    {.name = "results", .type = SHAPE_ARRAY, .of = &shape_bulk_item},
    {.name = "done", .type = SHAPE_INT},
};
const struct shape shape_bulk = {.name = "Bulk", FIELDS(bulk_fields)};

static bool is_of_one(enum err e)
{
    return e == ERR_NOT_FOUND || e == ERR_LAST_ADMIN || e == ERR_FORBIDDEN || e == ERR_NOT_SENDER;
}

static void write_result(struct req *r, struct uuid id, enum err e,
                         const struct bulk_result *result)
{
    static const char *const states[] = {
        [BULK_DONE] = "done", [BULK_UNCHANGED] = "unchanged", [BULK_SKIPPED] = "skipped"};
    struct json_out *o = &r->out;
    bool failed = e != ERR_OK;
    json_open_object(o);
    json_field_uuid(o, "id", id);
    json_field_str(o, "result", str_of(failed ? "failed" : states[result->state]));
    json_field_str_or_null(o, "code", failed ? str_of(err_code(e)) : STR_NULL);
    json_field_str_or_null(o, "detail", failed ? str_of(err_text(e)) : result->reason);
    json_close_object(o);
}

enum err api_bulk_run(struct req *r, bulk_action *action)
{
    const struct bulk *bulk = r->object;
    int64_t done = 0;
    enum err e = store_hold_all(r->call.db); /* they may be anywhere */
    if (e != ERR_OK) {
        return e;
    }
    json_open_object(&r->out);
    json_field_str(&r->out, "action", req_input(r, "action")->text);
    json_field_open_array(&r->out, "results");
    for (size_t i = 0; i < bulk->count; i++) {
        struct bulk_result result = {BULK_DONE, STR_NULL};
        e = action(r, bulk->ids[i], &result);
        if (e != ERR_OK && !is_of_one(e)) {
            return e;
        }
        write_result(r, bulk->ids[i], e, &result);
        done += e == ERR_OK && result.state == BULK_DONE ? 1 : 0;
    }
    json_close_array(&r->out);
    json_field_i64(&r->out, "done", done);
    json_close_object(&r->out);
    return ERR_OK;
}
