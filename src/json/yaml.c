#include "json/yaml.h"

/* A place in the JSON that is read. */
struct reader {
    struct str s;
    size_t at;
};

static char peek(const struct reader *r)
{
    return r->at < r->s.n ? r->s.p[r->at] : '\0';
}

/* The string (with its quotes) or other scalar at the place; moves behind it. */
static struct str take_scalar(struct reader *r)
{
    size_t start = r->at;
    if (peek(r) != '"') {
        while (r->at < r->s.n && strchr(",:]}", r->s.p[r->at]) == NULL) {
            r->at++;
        }
        return (struct str){r->s.p + start, r->at - start};
    }
    for (r->at++; r->at < r->s.n && r->s.p[r->at] != '"'; r->at++) {
        r->at += r->s.p[r->at] == '\\' ? 1 : 0;
    }
    r->at = r->at < r->s.n ? r->at + 1 : r->s.n;
    return (struct str){r->s.p + start, r->at - start};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A word that is no number, boolean or null in any version of YAML. */
static bool is_plain(struct str text)
{
    static const char others[] = "y,n,yes,no,on,off,true,false,null";
    if (text.n == 0 || !is_letter(text.p[0])) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '/') {
            return false;
        }
    }
    struct str rest = str_of(others);
    while (rest.p != NULL) {
        if (str_eq_nocase(str_cut(&rest, ','), text)) {
            return false;
        }
    }
    return true;
}

/* A JSON string is a YAML string in double quotes, escapes and all. */
static void put_scalar(struct buf *out, struct str scalar)
{
    struct str inside = {scalar.p + 1, scalar.n >= 2 ? scalar.n - 2 : 0};
    bool is_text = scalar.n >= 2 && scalar.p[0] == '"';
    buf_str(out, is_text && is_plain(inside) ? inside : scalar);
}

static void new_line(struct buf *out, size_t depth)
{
    buf_char(out, '\n');
    for (size_t i = 0; i < depth; i++) {
        buf_lit(out, "  ");
    }
}

/* How far into the document we are, and whether each level is a list: a bit for each. */
struct levels {
    uint64_t lists;
    size_t depth;
};

static bool in_list(const struct levels *l)
{
    return l->depth > 0 && (l->lists >> (l->depth - 1) & 1) != 0;
}

/* {} or [] at the place: moves behind it. */
static bool take_empty(struct reader *r)
{
    bool is_empty = r->at + 1 < r->s.n && (r->s.p[r->at + 1] == '}' || r->s.p[r->at + 1] == ']');
    r->at += is_empty ? 2 : 0;
    return is_empty;
}

static void open_level(struct reader *r, struct levels *l)
{
    uint64_t bit = UINT64_C(1) << l->depth;
    l->lists = peek(r) == '[' ? l->lists | bit : l->lists & ~bit;
    l->depth++;
    r->at++;
}

/* An item begins here: its line, and the dash or key before its value. `follows_dash`: the line is
 * there already, as in "- name: ...". */
static void begin_item(struct buf *out, struct reader *r, const struct levels *l, bool follows_dash)
{
    if (l->depth == 0) {
        return;
    }
    if (!follows_dash && out->n > 0) {
        new_line(out, l->depth - 1);
    }
    if (in_list(l)) {
        buf_lit(out, "- ");
        return;
    }
    put_scalar(out, take_scalar(r));
    buf_char(out, ':');
    r->at++; /* the colon */
    if (strchr("{[", peek(r)) == NULL || (r->at + 1 < r->s.n && strchr("}]", r->s.p[r->at + 1]))) {
        buf_char(out, ' ');
    }
}

void yaml_from_json(struct buf *out, struct str compact)
{
    struct reader r = {compact, 0};
    struct levels l = {0, 0};
    bool follows_dash = false;
    while (r.at < r.s.n && !out->failed) {
        char c = peek(&r);
        if (c == ',' || c == '}' || c == ']') {
            l.depth -= c == ',' ? 0 : 1;
            r.at++;
            continue;
        }
        begin_item(out, &r, &l, follows_dash);
        follows_dash = false;
        c = peek(&r);
        size_t start = r.at;
        if (c != '{' && c != '[') {
            put_scalar(out, take_scalar(&r));
        } else if (take_empty(&r)) {
            buf_add(out, r.s.p + start, 2);
        } else {
            follows_dash = in_list(&l);
            open_level(&r, &l);
        }
    }
    buf_char(out, '\n');
}
