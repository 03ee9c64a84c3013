#include "db/dialect.h"

#include "base/buf.h"

enum { SQL_MAX = 1024 * 1024 };

static const char *const names[DIALECT_WORDS] = {
    [T_UUID] = "T_UUID",     [T_INT] = "T_INT",
    [T_BOOL] = "T_BOOL",     [T_TIME] = "T_TIME",
    [T_TEXT] = "T_TEXT",     [T_KEY] = "T_KEY",
    [T_BLOB32] = "T_BLOB32", [T_CLUSTERED] = "T_CLUSTERED",
    [X_UUID] = "X_UUID",     [X_INT] = "X_INT",
    [X_BOOL] = "X_BOOL",     [X_TIME] = "X_TIME",
    [X_TEXT] = "X_TEXT",     [X_SERVER] = "X_SERVER",
    [X_SINCE] = "X_SINCE",   [T_SHARDS] = "T_SHARDS",
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

struct str dialect_expand(struct arena *a, const struct dialect *dialect, struct str sql)
{
    struct buf out;
    buf_init(&out, SQL_MAX);
    for (size_t i = 0; i < sql.n;) {
        size_t end = word_end(sql, i);
        const char *instead = NULL;
        if (end > i) {
            instead = expansion(dialect, (struct str){sql.p + i, end - i});
        } else if (sql.p[i] == '?') {
            instead = dialect->parameter;
            end = i + 1;
        } else if (is_comment(sql, i)) {
            end = line_end(sql, i);
        } else {
            end = sql.p[i] == '\'' ? quoted_end(sql, i) : i + 1;
        }
        buf_str(&out, instead != NULL ? str_of(instead) : (struct str){sql.p + i, end - i});
        i = end;
    }
    struct str expanded = arena_copy(a, buf_view(&out));
    buf_fini(&out);
    return expanded;
}
