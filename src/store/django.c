#include "store/django.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "json/read.h"

enum { NAME_MAX_BYTES = 63, SQL_MAX = 8192, ROOM_FIRST = 32 };

/* --- names --------------------------------------------------------------------------------- */

static const char *const table_names[DJANGO_TABLES] = {"user", "conversation", "participant",
                                                       "message"};

enum user_field {
    USER_ID,
    USER_EMAIL,
    USER_PASSWORD,
    USER_CREATED_AT,
    USER_USERNAME,
    USER_FIRST_NAME,
    USER_LAST_NAME,
    USER_PHONE_NUMBER,
    USER_ROLE,
    USER_IS_ACTIVE,
    USER_IS_STAFF,
    USER_IS_SUPERUSER,
    USER_LAST_LOGIN,
    USER_METADATA
};

enum conversation_field {
    CONVERSATION_ID,
    CONVERSATION_CREATED_AT,
    CONVERSATION_UPDATED_AT,
    CONVERSATION_TITLE,
    CONVERSATION_CREATED_BY,
    CONVERSATION_METADATA
};

enum member_field { MEMBER_CONVERSATION, MEMBER_USER, MEMBER_ORDER };

enum message_field {
    MESSAGE_ID,
    MESSAGE_CONVERSATION,
    MESSAGE_SENDER,
    MESSAGE_BODY,
    MESSAGE_SENT_AT,
    MESSAGE_IS_READ,
    MESSAGE_EDITED_AT,
    MESSAGE_METADATA
};

struct field {
    const char *name;       /* for --map */
    const char *columns[3]; /* the first of these that there is */
    bool is_required;
    bool is_id;
};

static const struct field fields[DJANGO_TABLES][DJANGO_FIELDS_MAX] = {
    [DJANGO_USER] = {[USER_ID] = {"id", {"user_id", "id"}, true, true},
                     [USER_EMAIL] = {"email", {"email"}, true, false},
                     [USER_PASSWORD] = {"password", {"password"}, true, false},
                     [USER_CREATED_AT] = {"created_at", {"created_at", "date_joined"}, true, false},
                     [USER_USERNAME] = {"username", {"username"}, false, false},
                     [USER_FIRST_NAME] = {"first_name", {"first_name"}, false, false},
                     [USER_LAST_NAME] = {"last_name", {"last_name"}, false, false},
                     [USER_PHONE_NUMBER] = {"phone_number", {"phone_number"}, false, false},
                     [USER_ROLE] = {"role", {"role"}, false, false},
                     [USER_IS_ACTIVE] = {"is_active", {"is_active"}, false, false},
                     [USER_IS_STAFF] = {"is_staff", {"is_staff"}, false, false},
                     [USER_IS_SUPERUSER] = {"is_superuser", {"is_superuser"}, false, false},
                     [USER_LAST_LOGIN] = {"last_login", {"last_login"}, false, false},
                     [USER_METADATA] = {"metadata", {"metadata"}, false, false}},
    [DJANGO_CONVERSATION] =
        {[CONVERSATION_ID] = {"id", {"conversation_id", "id"}, true, true},
         [CONVERSATION_CREATED_AT] = {"created_at", {"created_at"}, true, false},
         [CONVERSATION_UPDATED_AT] = {"updated_at", {"updated_at"}, false, false},
         [CONVERSATION_TITLE] = {"title", {"title", "name"}, false, false},
         [CONVERSATION_CREATED_BY] = {"created_by", {"created_by_id"}, false, true},
         [CONVERSATION_METADATA] = {"metadata", {"metadata"}, false, false}},
    [DJANGO_MEMBER] = {[MEMBER_CONVERSATION] = {"conversation", {"conversation_id"}, true, true},
                       [MEMBER_USER] = {"user", {"user_id"}, true, true},
                       [MEMBER_ORDER] = {"id", {"id", "user_id"}, true, false}},
    [DJANGO_MESSAGE] =
        {[MESSAGE_ID] = {"id", {"message_id", "id"}, true, true},
         [MESSAGE_CONVERSATION] = {"conversation", {"conversation_id"}, true, true},
         [MESSAGE_SENDER] = {"sender", {"sender_id"}, true, true},
         [MESSAGE_BODY] = {"body", {"message_body", "content", "body"}, true, false},
         [MESSAGE_SENT_AT] = {"sent_at", {"sent_at", "created_at", "timestamp"}, true, false},
         [MESSAGE_IS_READ] = {"is_read", {"is_read", "read"}, false, false},
         [MESSAGE_EDITED_AT] = {"edited_at", {"edited_at"}, false, false},
         [MESSAGE_METADATA] = {"metadata", {"metadata"}, false, false}},
};

static int count_fields(enum django_table table)
{
    int count = 0;
    while (count < DJANGO_FIELDS_MAX && fields[table][count].name != NULL) {
        count++;
    }
    return count;
}

bool django_name_valid(struct str name)
{
    bool valid = name.n > 0 && name.n <= NAME_MAX_BYTES && !(name.p[0] >= '0' && name.p[0] <= '9');
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        valid = valid && (letter || (c >= '0' && c <= '9') || c == '_');
    }
    return valid;
}

static const char **find_field(struct django *d, struct str table, struct str field)
{
    for (int t = 0; t < DJANGO_TABLES; t++) {
        for (int f = 0; f < count_fields((enum django_table)t); f++) {
            if (str_eq(table, str_of(table_names[t])) && str_eq(field, str_of(fields[t][f].name))) {
                return &d->columns[t][f];
            }
        }
    }
    return NULL;
}

bool django_map(struct django *d, struct str map)
{
    while (map.p != NULL) {
        struct str entry = str_cut(&map, ',');
        struct str column = entry;
        struct str field = str_cut(&column, '=');
        struct str table = str_cut(&field, '.');
        const char **to = field.p != NULL ? find_field(d, table, field) : NULL;
        if (to == NULL || column.p == NULL || !django_name_valid(column)) {
            d->problem = arena_printf(d->arena,
                                      "\"%.*s\" is not TABLE.FIELD=COLUMN, or names a field that "
                                      "is not read.",
                                      STR_ARG(entry));
            return false;
        }
        *to = arena_copy(d->arena, column).p;
    }
    return true;
}

/* --- queries ------------------------------------------------------------------------------- */

enum query { COUNTS, USERS = COUNTS + DJANGO_TABLES, CONVERSATIONS, MEMBERS, MESSAGES, QUERIES };

static void add_column(struct buf *sql, const struct django *d, enum django_table table, int field)
{
    const char *column = d->columns[table][field];
    bool is_id = fields[table][field].is_id;
    if (column == NULL) {
        buf_lit(sql, "CAST(NULL AS X_TEXT)");
    } else if (is_id) {
        buf_printf(sql, "t.\"%s\"", column);
    } else {
        buf_printf(sql, "CAST(t.\"%s\" AS X_TEXT)", column);
    }
}

static void add_select(struct buf *sql, const struct django *d, enum django_table table)
{
    buf_lit(sql, "SELECT ");
    for (int field = 0; field < count_fields(table); field++) {
        buf_str(sql, field == 0 ? STR("") : STR(", "));
        add_column(sql, d, table, field);
    }
    buf_printf(sql, " FROM \"%s\" t", d->tables[table]);
}

/* With the table's name before them they are never taken for texts, as SQLite takes what is in double
 * quotes and no column. */
static void add_order(struct buf *sql, const char *by, const char *direction, const char *then)
{
    buf_printf(sql, " ORDER BY t.\"%s\"%s, t.\"%s\" LIMIT ?1 OFFSET ?2", by, direction, then);
}

static void write_query(struct buf *sql, const struct django *d, int query)
{
    const char *const *user = d->columns[DJANGO_USER];
    const char *const *conversation = d->columns[DJANGO_CONVERSATION];
    const char *const *member = d->columns[DJANGO_MEMBER];
    const char *const *message = d->columns[DJANGO_MESSAGE];
    const char *active = conversation[CONVERSATION_UPDATED_AT];
    switch (query) {
    case USERS:
        add_select(sql, d, DJANGO_USER);
        add_order(sql, user[USER_CREATED_AT], "", user[USER_ID]);
        break;
    case CONVERSATIONS:
        add_select(sql, d, DJANGO_CONVERSATION);
        add_order(sql, active != NULL ? active : conversation[CONVERSATION_CREATED_AT], " DESC",
                  conversation[CONVERSATION_ID]);
        break;
    case MEMBERS:
        add_select(sql, d, DJANGO_MEMBER);
        buf_printf(sql, " WHERE t.\"%s\" = ?3", member[MEMBER_CONVERSATION]);
        add_order(sql, member[MEMBER_ORDER], "", member[MEMBER_USER]);
        break;
    case MESSAGES:
        add_select(sql, d, DJANGO_MESSAGE);
        buf_printf(sql, " WHERE t.\"%s\" = ?3", message[MESSAGE_CONVERSATION]);
        add_order(sql, message[MESSAGE_SENT_AT], "", message[MESSAGE_ID]);
        break;
    default: buf_printf(sql, "SELECT count(*) FROM \"%s\" t", d->tables[query - COUNTS]);
    }
}

static struct db_queries make_queries(struct django *d)
{
    const char **texts = ARENA_ARRAY(d->arena, const char *, QUERIES);
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    for (int query = 0; query < QUERIES; query++) {
        buf_reset(&sql);
        write_query(&sql, d, query);
        texts[query] = arena_copy(d->arena, buf_view(&sql)).p;
    }
    buf_fini(&sql);
    return (struct db_queries){texts, texts, QUERIES};
}

/* --- opening ------------------------------------------------------------------------------- */

/* The names of the columns of a table, each between commas. */
static enum err list_columns(struct db *db, struct arena *a, const char *table, struct str *out)
{
    struct db_rows rows;
    struct buf list;
    buf_init(&list, SQL_MAX);
    enum err e = db_query(db, 0, ARGS(V_TEXT(str_of(table))), &rows);
    while (e == ERR_OK && db_next(&rows)) {
        if (list.n > 0) {
            buf_char(&list, ',');
        }
        buf_str(&list, db_text(&rows, 0));
    }
    e = db_end(&rows, e);
    *out = buf_end(&list, a);
    return e;
}

static enum err refuse_column(struct django *d, enum django_table table, int field)
{
    const char *named = d->columns[table][field];
    d->problem =
        arena_printf(d->arena,
                     "The table %s has no column %s (say which it is with --map "
                     "%s.%s=COLUMN).",
                     d->tables[table], named != NULL ? named : fields[table][field].columns[0],
                     table_names[table], fields[table][field].name);
    return ERR_INVALID;
}

static enum err choose_column(struct django *d, enum django_table table, int field, struct str list)
{
    const struct field *wanted = &fields[table][field];
    const char **column = &d->columns[table][field];
    if (*column != NULL) {
        return str_in_list(str_of(*column), list.p) ? ERR_OK : refuse_column(d, table, field);
    }
    for (size_t i = 0; i < COUNT_OF(wanted->columns) && *column == NULL; i++) {
        const char *name = wanted->columns[i];
        *column = name != NULL && str_in_list(str_of(name), list.p) ? name : NULL;
    }
    return *column == NULL && wanted->is_required ? refuse_column(d, table, field) : ERR_OK;
}

static enum err choose_columns(struct django *d, struct db *db, enum django_table table)
{
    struct str list;
    enum err e = list_columns(db, d->arena, d->tables[table], &list);
    if (e == ERR_OK && list.n == 0) {
        d->problem = arena_printf(d->arena, "There is no table %s (name it with --%s-table).",
                                  d->tables[table], table_names[table]);
        return ERR_INVALID;
    }
    for (int field = 0; field < count_fields(table) && e == ERR_OK; field++) {
        e = choose_column(d, table, field, list);
    }
    return e;
}

static enum err choose_all(struct django *d, const char *url, struct db_options *options)
{
    static const char *const text[] = {"SELECT name FROM X_COLUMNS"};
    struct db *db;
    options->queries = (struct db_queries){text, text, 1};
    enum err e = db_open(url, options, &db, d->arena, &d->problem);
    if (e != ERR_OK) {
        return e;
    }
    for (int table = 0; table < DJANGO_TABLES && e == ERR_OK; table++) {
        e = choose_columns(d, db, (enum django_table)table);
    }
    db_close(db);
    return e;
}

enum err django_open(struct django *d, const char *url, int64_t busy_timeout_ms)
{
    struct db_options options = {.read_only = true, .busy_timeout_ms = busy_timeout_ms};
    d->problem = STR("The database of the Django app cannot be read.");
    enum err e = choose_all(d, url, &options);
    if (e == ERR_OK) {
        options.queries = make_queries(d);
        e = db_open(url, &options, &d->db, d->arena, &d->problem);
    }
    if (e == ERR_OK) {
        e = db_prepare_all(d->db);
    }
    if (e == ERR_OK) {
        e = db_begin_read(d->db);
    }
    d->problem = e == ERR_OK ? STR("") : d->problem;
    return e;
}

enum err django_count(struct django *d, enum django_table table, int64_t *out)
{
    return db_get_int(d->db, COUNTS + (int)table, NO_ARGS, out, NULL);
}

/* --- values -------------------------------------------------------------------------------- */

/* A row under way: the first value that is wrong fails it, and says so. */
struct reading {
    struct django *d;
    enum django_table table;
    struct db_rows rows;
    struct arena *arena;
    enum err e;
};

static void refuse_value(struct reading *r, int field, const char *why)
{
    struct str id = db_text(&r->rows, 0);
    struct uuid binary;
    char text[UUID_TEXT];
    if (r->e != ERR_OK) {
        return;
    }
    if (id.n == sizeof(binary.b)) {
        binary = db_uuid(&r->rows, 0);
        uuid_format(binary, text);
        id = (struct str){text, sizeof(text)};
    }
    r->d->problem = arena_printf(r->d->arena, "%s.%s of the row %.*s %s.", r->d->tables[r->table],
                                 r->d->columns[r->table][field],
                                 utf8_valid(id, NULL) ? (int)id.n : 0, id.p, why);
    r->e = ERR_INVALID;
}

/* Sixteen bytes where the engine has a type for them, else 32 or 36 characters. Zero: NULL. */
static struct uuid read_id(struct reading *r, int field)
{
    struct uuid id = {{0}};
    struct str text = db_text(&r->rows, field);
    if (text.n == sizeof(id.b)) {
        return db_uuid(&r->rows, field);
    }
    if (text.p != NULL ? !uuid_parse(text, &id) : fields[r->table][field].is_required) {
        refuse_value(r, field, "is not a UUID");
    }
    return id;
}

/* NULL: empty. */
static struct str read_text(struct reading *r, int field)
{
    struct str text = db_text(&r->rows, field);
    if (!utf8_valid(text, NULL) || str_contains_byte(text, '\0')) {
        refuse_value(r, field, "is not valid text");
        return STR("");
    }
    return text.p == NULL ? STR("") : arena_copy(r->arena, text);
}

/* NULL: 0. */
static int64_t read_time(struct reading *r, int field)
{
    int64_t us = 0;
    bool is_date = false;
    struct str text = db_text(&r->rows, field);
    if (text.p != NULL && !time_parse(text, &us, &is_date)) {
        refuse_value(r, field, "is not a time");
    }
    return us;
}

static int64_t read_needed_time(struct reading *r, int field)
{
    if (db_is_null(&r->rows, field)) {
        refuse_value(r, field, "is empty");
    }
    return read_time(r, field);
}

static bool read_bool(struct reading *r, int field, bool if_null)
{
    struct str text = db_text(&r->rows, field);
    return text.p == NULL ? if_null : str_in_list(text, "1,t,true");
}

/* An object, as Confab writes it. */
static struct str read_metadata(struct reading *r, int field)
{
    struct str text = read_text(r, field);
    struct str compact = STR_NULL;
    struct str why;
    json_t *root = NULL;
    if (text.n == 0) {
        return STR("{}");
    }
    if (json_read(r->arena, text, &root, &why) == ERR_OK && json_is_object(root)) {
        compact = json_dump_compact(r->arena, root);
    }
    json_decref(root);
    r->d->metadata_dropped += compact.p == NULL;
    return compact.p == NULL ? STR("{}") : compact;
}

static enum role read_role(struct reading *r)
{
    enum role role = ROLE_GUEST;
    struct str name = read_text(r, USER_ROLE);
    for (size_t i = ROLE_GUEST; i <= ROLE_ADMIN; i++) {
        role = str_eq_nocase(name, str_of(role_names[i])) ? (enum role)i : role;
    }
    bool is_staff = read_bool(r, USER_IS_STAFF, false) || read_bool(r, USER_IS_SUPERUSER, false);
    return is_staff ? ROLE_ADMIN : role;
}

/* --- rows ---------------------------------------------------------------------------------- */

static void read_user(struct reading *r, void *out)
{
    *(struct django_user *)out = (struct django_user){
        .user = {.id = read_id(r, USER_ID),
                 .username = read_text(r, USER_USERNAME),
                 .email = read_text(r, USER_EMAIL),
                 .first_name = read_text(r, USER_FIRST_NAME),
                 .last_name = read_text(r, USER_LAST_NAME),
                 .phone_number = read_text(r, USER_PHONE_NUMBER),
                 .role = read_role(r),
                 .metadata = read_metadata(r, USER_METADATA),
                 .is_active = read_bool(r, USER_IS_ACTIVE, true),
                 .created_at = read_needed_time(r, USER_CREATED_AT),
                 .last_seen_at = read_time(r, USER_LAST_LOGIN)},
        .password = read_text(r, USER_PASSWORD),
    };
}

static void read_conversation(struct reading *r, void *out)
{
    struct str raw = arena_copy(r->arena, db_text(&r->rows, CONVERSATION_ID));
    struct uuid id = read_id(r, CONVERSATION_ID);
    *(struct django_conversation *)out = (struct django_conversation){
        .conversation = {.id = id,
                         .title = read_text(r, CONVERSATION_TITLE),
                         .metadata = read_metadata(r, CONVERSATION_METADATA),
                         .created_by = read_id(r, CONVERSATION_CREATED_BY),
                         .created_at = read_needed_time(r, CONVERSATION_CREATED_AT),
                         .updated_at = read_time(r, CONVERSATION_UPDATED_AT)},
        .key = raw.n == sizeof(id.b) ? V_UUID(id) : V_TEXT(raw),
    };
}

static void read_member(struct reading *r, void *out)
{
    *(struct uuid *)out = read_id(r, MEMBER_USER);
}

static void read_message(struct reading *r, void *out)
{
    *(struct message *)out = (struct message){
        .conversation_id = read_id(r, MESSAGE_CONVERSATION),
        .id = read_id(r, MESSAGE_ID),
        .sender_id = read_id(r, MESSAGE_SENDER),
        .body = read_text(r, MESSAGE_BODY),
        .metadata = read_metadata(r, MESSAGE_METADATA),
        .sent_at = read_needed_time(r, MESSAGE_SENT_AT),
        .edited_at = read_time(r, MESSAGE_EDITED_AT),
        .is_read = read_bool(r, MESSAGE_IS_READ, true),
    };
}

struct page {
    enum query query;
    enum django_table table;
    size_t row_size;
    void (*read)(struct reading *r, void *out);
    const struct django_conversation *of; /* NULL: all */
    int64_t limit;
    int64_t offset;
};

/* Room for twice as many. */
static char *grow(struct arena *a, const char *rows, size_t *room, size_t row_size)
{
    size_t used = *room * row_size;
    *room = *room == 0 ? ROOM_FIRST : 2 * *room;
    char *more = arena_alloc(a, *room * row_size);
    if (used > 0) {
        memcpy(more, rows, used);
    }
    return more;
}

static enum err read_page(struct django *d, struct arena *a, const struct page *page, void **rows,
                          size_t *count)
{
    struct reading r = {.d = d, .table = page->table, .arena = a, .e = ERR_OK};
    size_t room = 0;
    char *out = NULL;
    const struct db_val args[] = {V_INT(page->limit), V_INT(page->offset),
                                  page->of != NULL ? page->of->key : V_NULL};
    *count = 0;
    enum err e = db_query(d->db, (int)page->query, args, page->of != NULL ? 3 : 2, &r.rows);
    while (e == ERR_OK && db_next(&r.rows)) {
        if (*count == room) {
            out = grow(a, out, &room, page->row_size);
        }
        page->read(&r, out + (*count)++ * page->row_size);
        e = r.e;
    }
    *rows = out;
    return db_end(&r.rows, e);
}

enum err django_users(struct django *d, struct arena *a, int64_t limit, int64_t offset,
                      struct django_user **rows, size_t *count)
{
    const struct page page = {
        USERS, DJANGO_USER, sizeof(**rows), read_user, NULL, limit, offset,
    };
    void *out;
    enum err e = read_page(d, a, &page, &out, count);
    *rows = out;
    return e;
}

enum err django_conversations(struct django *d, struct arena *a, int64_t limit, int64_t offset,
                              struct django_conversation **rows, size_t *count)
{
    const struct page page = {
        CONVERSATIONS, DJANGO_CONVERSATION, sizeof(**rows), read_conversation, NULL, limit, offset,
    };
    void *out;
    enum err e = read_page(d, a, &page, &out, count);
    *rows = out;
    return e;
}

enum err django_members(struct django *d, struct arena *a, const struct django_conversation *of,
                        int64_t limit, int64_t offset, struct uuid **rows, size_t *count)
{
    const struct page page = {
        MEMBERS, DJANGO_MEMBER, sizeof(**rows), read_member, of, limit, offset,
    };
    void *out;
    enum err e = read_page(d, a, &page, &out, count);
    *rows = out;
    return e;
}

enum err django_messages(struct django *d, struct arena *a, const struct django_conversation *of,
                         int64_t limit, int64_t offset, struct message **rows, size_t *count)
{
    const struct page page = {
        MESSAGES, DJANGO_MESSAGE, sizeof(**rows), read_message, of, limit, offset,
    };
    void *out;
    enum err e = read_page(d, a, &page, &out, count);
    *rows = out;
    return e;
}
