#include "json/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

void json_out_init(struct json_out *o, struct buf *b)
{
    *o = (struct json_out){.b = b};
}

bool json_out_done(const struct json_out *o)
{
    return o->depth == 0 && !o->after_key && !o->b->failed;
}

static inline void before_value(struct json_out *o)
{
    uint64_t level = UINT64_C(1) << o->depth;
    if (o->after_key) {
        o->after_key = false;
    } else if ((o->filled & level) != 0) {
        buf_char(o->b, ',');
    } else {
        o->filled |= level;
    }
}

static void open_level(struct json_out *o, char bracket)
{
    before_value(o);
    buf_char(o->b, bracket);
    if (o->depth == JSON_OUT_DEPTH_MAX) {
        o->b->failed = true;
        return;
    }
    o->depth++;
    o->filled &= ~(UINT64_C(1) << o->depth);
}

static void close_level(struct json_out *o, char bracket)
{
    if (o->depth == 0 || o->after_key) {
        o->b->failed = true;
        return;
    }
    o->depth--;
    buf_char(o->b, bracket);
}

void json_open_object(struct json_out *o)
{
    open_level(o, '{');
}

void json_close_object(struct json_out *o)
{
    close_level(o, '}');
}

void json_open_array(struct json_out *o)
{
    open_level(o, '[');
}

void json_close_array(struct json_out *o)
{
    close_level(o, ']');
}

void json_key_str(struct json_out *o, struct str name)
{
    json_str(o, name);
    buf_char(o->b, ':');
    o->after_key = true;
}

void json_str(struct json_out *o, struct str s)
{
    before_value(o);
    buf_char(o->b, '"');
    buf_json(o->b, s);
    buf_char(o->b, '"');
}

void json_str_or_null(struct json_out *o, struct str s)
{
    if (s.p == NULL) {
        json_put_null(o);
    } else {
        json_str(o, s);
    }
}

void json_i64(struct json_out *o, int64_t n)
{
    before_value(o);
    buf_i64(o->b, n);
}

void json_bool(struct json_out *o, bool yes)
{
    json_raw(o, yes ? STR("true") : STR("false"));
}

void json_put_null(struct json_out *o)
{
    json_raw(o, STR("null"));
}

void json_raw(struct json_out *o, struct str json)
{
    before_value(o);
    buf_str(o->b, json);
}

void json_uuid(struct json_out *o, struct uuid id)
{
    char text[UUID_TEXT + 2];
    text[0] = '"';
    uuid_format(id, text + 1);
    text[UUID_TEXT + 1] = '"';
    json_raw(o, (struct str){text, sizeof(text)});
}

void json_uuid_or_null(struct json_out *o, struct uuid id)
{
    if (uuid_is_zero(id)) {
        json_put_null(o);
    } else {
        json_uuid(o, id);
    }
}

void json_time(struct json_out *o, int64_t us)
{
    char text[TIME_TEXT_MAX + 2];
    text[0] = '"';
    size_t n = time_format(us, text + 1);
    text[n + 1] = '"';
    json_raw(o, (struct str){text, n + 2});
}

void json_time_or_null(struct json_out *o, int64_t us)
{
    if (us == 0) {
        json_put_null(o);
    } else {
        json_time(o, us);
    }
}

/* "d.ddde-XX" with the fewest digits that, rounded, read back as `d`. */
static void shortest_digits(double d, char out[32])
{
    for (int more = 0; more < 17; more++) {
        (void)snprintf(out, 32, "%.*e", more, d);
        if (strtod(out, NULL) == d) {
            return;
        }
    }
}

/* Python's repr: fixed notation from 1e-04 to below 1e+16, always with a point. */
void json_double(struct json_out *o, double d)
{
    char scientific[32];
    if (!isfinite(d)) {
        json_put_null(o);
        return;
    }
    shortest_digits(d, scientific);
    const char *e = strchr(scientific, 'e');
    int exponent = atoi(e + 1);
    if (exponent < -4 || exponent >= 16) {
        json_raw(o, str_of(scientific));
        return;
    }
    bool has_point = scientific[0] == '-' ? scientific[2] == '.' : scientific[1] == '.';
    int sign = scientific[0] == '-' ? 1 : 0;
    int digits = (int)(e - scientific) - sign - (has_point ? 1 : 0);
    int decimals = digits - 1 - exponent;
    char fixed[48];
    (void)snprintf(fixed, sizeof(fixed), "%.*f", decimals < 1 ? 1 : decimals, d);
    json_raw(o, str_of(fixed));
}

static void new_line(struct buf *out, size_t blanks)
{
    static const char spaces[] = "                                ";
    buf_char(out, '\n');
    while (blanks > 0) {
        size_t some = blanks < sizeof(spaces) - 1 ? blanks : sizeof(spaces) - 1;
        buf_add(out, spaces, some);
        blanks -= some;
    }
}

/* Bytes of the string or scalar at `i`. */
static size_t scalar_bytes(struct str s, size_t i)
{
    size_t start = i;
    if (s.p[i] != '"') {
        while (i < s.n && strchr("{}[],:", s.p[i]) == NULL) {
            i++;
        }
        return i - start;
    }
    for (i++; i < s.n && s.p[i] != '"'; i++) {
        i += s.p[i] == '\\';
    }
    return (i < s.n ? i + 1 : s.n) - start;
}

void json_indent(struct buf *out, struct str compact, int spaces)
{
    size_t step = spaces > 0 ? (size_t)spaces : 0;
    size_t depth = 0;
    for (size_t i = 0; i < compact.n && !out->failed;) {
        char c = compact.p[i];
        if (c == '{' || c == '[') {
            char close = c == '{' ? '}' : ']';
            bool is_empty = i + 1 < compact.n && compact.p[i + 1] == close;
            buf_add(out, compact.p + i, is_empty ? 2 : 1);
            i += is_empty ? 2 : 1;
            if (!is_empty) {
                new_line(out, ++depth * step);
            }
            continue;
        }
        if (c == '}' || c == ']') {
            depth -= depth > 0;
            new_line(out, depth * step);
        }
        size_t n = strchr("}],:", c) != NULL ? 1 : scalar_bytes(compact, i);
        buf_add(out, compact.p + i, n);
        i += n;
        if (c == ',') {
            new_line(out, depth * step);
        } else if (c == ':') {
            buf_char(out, ' ');
        }
    }
}
