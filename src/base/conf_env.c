/* django-environ's rules for a line, `[export ]NAME=value`:
 *     'text'  as it stands
 *     "text"  \x is x, but \n, \r and \t stay as they are (two characters)
 *     text    as it stands; double quotes inside single ones go too
 * and what we allow beside them: blanks around name and value, and a comment behind the value,
 * for which django-environ wants parse_comments=True. A '#' begins one only after a blank, so that
 * a password with '#' in it survives. */
#include "base/conf_env.h"

void env_init(struct env_reader *reader, struct str text)
{
    if (str_starts(text, STR("\xEF\xBB\xBF"))) { /* some editors begin a file so */
        text = (struct str){text.p + 3, text.n - 3};
    }
    *reader = (struct env_reader){text, 0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_name_char(s.p[i])) {
            return false;
        }
    }
    return s.n > 0;
}

/* Is there nothing behind a closing quote, or only a comment? */
static bool is_tail(struct str s)
{
    struct str trimmed = str_trim(s);
    return trimmed.n == 0 || (trimmed.p[0] == '#' && is_blank(s.p[0]));
}

/* s begins with `quote`. Finds the quote that closes it: the first one with nothing but a comment
 * behind it, so that 'it's' works as it does with django-environ. */
static bool unquote(struct str s, char quote, struct str *inside)
{
    for (size_t i = 1; i < s.n; i++) {
        if (quote == '"' && s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == quote && is_tail((struct str){s.p + i + 1, s.n - i - 1})) {
            *inside = (struct str){s.p + 1, i - 1};
            return true;
        }
    }
    if (s.n >= 2 && s.p[s.n - 1] == quote) { /* "C:\data\" */
        *inside = (struct str){s.p + 1, s.n - 2};
        return true;
    }
    return false;
}

static struct str unescape(struct arena *a, struct str s)
{
    if (!str_contains_byte(s, '\\')) {
        return s;
    }
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n) {
            char next = s.p[++i];
            if (next == 'r' || next == 'n' || next == 't') {
                out[n++] = '\\';
            }
            out[n++] = next;
        } else {
            out[n++] = s.p[i];
        }
    }
    return (struct str){out, n};
}

static struct str without_comment(struct str s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '#' && is_blank(s.p[i - 1])) {
            return str_trim((struct str){s.p, i});
        }
    }
    return str_trim(s);
}

static struct str read_value(struct arena *a, struct str raw)
{
    struct str s = str_trim(raw);
    struct str inside;
    char quote = s.n > 0 ? s.p[0] : '\0';
    if ((quote != '\'' && quote != '"') || !unquote(s, quote, &inside)) {
        return without_comment(raw); /* not of s: the '#' of `NAME= # none` needs its blank */
    }
    if (quote == '\'') {
        bool has_both = inside.n >= 2 && inside.p[0] == '"' && inside.p[inside.n - 1] == '"';
        if (!has_both) {
            return inside;
        }
        inside = (struct str){inside.p + 1, inside.n - 2};
    }
    return unescape(a, inside);
}

static bool read_pair(struct arena *a, struct str line, struct env_line *out)
{
    if (!str_contains_byte(line, '=')) {
        return false;
    }
    struct str value = line;
    struct str name = str_trim(str_cut(&value, '='));
    if (str_starts(name, STR("export")) && name.n > 6 && is_blank(name.p[6])) {
        name = str_trim((struct str){name.p + 6, name.n - 6});
    }
    if (!is_name(name)) {
        return false;
    }
    out->name = name;
    out->value = read_value(a, value);
    return true;
}

bool env_next(struct env_reader *reader, struct arena *a, struct env_line *out)
{
    while (reader->rest.p != NULL) {
        struct str line = str_trim(str_cut(&reader->rest, '\n'));
        reader->line++;
        if (line.n == 0 || line.p[0] == '#') {
            continue;
        }
        *out = (struct env_line){ENV_BAD, reader->line, STR_NULL, STR_NULL};
        if (read_pair(a, line, out)) {
            out->kind = ENV_PAIR;
        }
        return true;
    }
    return false;
}
