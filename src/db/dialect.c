#include "db/dialect.h"

#include "base/buf.h"

enum { SQL_MAX = 1024 * 1024 };

static const char *const names[DIALECT_WORDS] = {
    [T_UUID] = "T_UUID",       [T_INT] = "T_INT",
    [T_BOOL] = "T_BOOL",       [T_TIME] = "T_TIME",
    [T_TEXT] = "T_TEXT",       [T_KEY] = "T_KEY",
    [T_BLOB32] = "T_BLOB32",   [T_CLUSTERED] = "T_CLUSTERED",
    [X_UUID] = "X_UUID",       [X_INT] = "X_INT",
    [X_BOOL] = "X_BOOL",       [X_TIME] = "X_TIME",
    [X_TEXT] = "X_TEXT",       [X_SERVER] = "X_SERVER",
    [X_SINCE] = "X_SINCE",     [T_SHARDS] = "T_SHARDS",
    [X_SIZE] = "X_SIZE",       [X_ANALYZE] = "X_ANALYZE",
    [X_FOLD] = "X_FOLD",       [X_FOLDED] = "X_FOLDED",
    [X_COLUMNS] = "X_COLUMNS",
};

static bool is_word_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static const char *expansion(const struct dialect *dialect, struct str word)
{
    for (size_t i = 0; i < DIALECT_WORDS; i++) {
        if (str_eq(word, str_of(names[i]))) {
            return dialect->words[i];
        }
    }
    return NULL;
}

/* Behind the quoted text that begins at `i`. */
static size_t quoted_end(struct str sql, size_t i)
{
    const char *end = memchr(sql.p + i + 1, '\'', sql.n - i - 1);
    return end == NULL ? sql.n : (size_t)(end - sql.p) + 1;
}

static size_t line_end(struct str sql, size_t i)
{
    const char *end = memchr(sql.p + i, '\n', sql.n - i);
    return end == NULL ? sql.n : (size_t)(end - sql.p);
}

static bool is_comment(struct str sql, size_t i)
{
    return sql.n - i >= 2 && sql.p[i] == '-' && sql.p[i + 1] == '-';
}

static size_t word_end(struct str sql, size_t i)
{
    while (i < sql.n && is_word_byte(sql.p[i])) {
        i++;
    }
    return i;
}

/* Cuts {a}{b} off *sql and returns the one that counts; absent if there is no such pair. */
static struct str cut_pair(const struct dialect *dialect, struct str *sql)
{
    struct str rest = *sql;
    struct str before = str_cut(&rest, '{');
    struct str first = str_cut(&rest, '}');
    if (before.n > 0 || rest.n < 2 || rest.p[0] != '{') {
        return STR_NULL;
    }
    rest = (struct str){rest.p + 1, rest.n - 1};
    struct str second = str_cut(&rest, '}');
    if (rest.p == NULL) {
        return STR_NULL;
    }
    *sql = rest;
    return dialect->is_mysql ? second : first;
}

static void expand(struct buf *out, const struct dialect *dialect, struct str sql);

/* Expands what stands at the beginning of `sql`, and returns the rest. */
static struct str expand_first(struct buf *out, const struct dialect *dialect, struct str sql)
{
    size_t end = word_end(sql, 0);
    const char *instead = NULL;
    if (end > 0) {
        instead = expansion(dialect, (struct str){sql.p, end});
    } else if (sql.p[0] == '?') {
        instead = dialect->parameter;
        end = 1;
    } else if (sql.p[0] == '{') {
        struct str chosen = cut_pair(dialect, &sql);
        if (chosen.p != NULL) {
            expand(out, dialect, chosen);
            return sql;
        }
        end = 1;
    } else if (is_comment(sql, 0)) {
        end = line_end(sql, 0);
    } else {
        end = sql.p[0] == '\'' ? quoted_end(sql, 0) : 1;
    }
    buf_str(out, instead != NULL ? str_of(instead) : (struct str){sql.p, end});
    return (struct str){sql.p + end, sql.n - end};
}

static void expand(struct buf *out, const struct dialect *dialect, struct str sql)
{
    while (sql.n > 0) {
        sql = expand_first(out, dialect, sql);
    }
}

const struct dialect dialect_common = {.parameter = "?"};

struct str dialect_expand(struct arena *a, const struct dialect *dialect, struct str sql)
{
    struct buf out;
    buf_init(&out, SQL_MAX);
    expand(&out, dialect, sql);
    return buf_end(&out, a);
}
