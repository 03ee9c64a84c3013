#include "json/explain.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"

#define NO_PLACE SIZE_MAX /* the words say all */

struct scan {
    struct arena *arena;
    struct str text;
    size_t at;
    struct str words; /* the fault, once there is one */
    size_t place;     /* its byte */
};

static bool fault(struct scan *s, struct str words, size_t place)
{
    s->words = words;
    s->place = place;
    return false;
}

/* -1 at the end. */
static int byte_at(const struct scan *s, size_t at)
{
    return at < s->text.n ? (unsigned char)s->text.p[at] : -1;
}

static void skip_blanks(struct scan *s)
{
    int c = byte_at(s, s->at);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        c = byte_at(s, ++s->at);
    }
}

static bool skip_word(struct scan *s, struct str word)
{
    struct str rest = {s->text.p + s->at, s->text.n - s->at};
    if (!str_starts(rest, word)) {
        return false;
    }
    s->at += word.n;
    return true;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static void skip_digits(struct scan *s)
{
    while (is_digit(byte_at(s, s->at))) {
        s->at++;
    }
}

/* Does the number fit int64_t or double? (Python takes any.) */
static bool is_in_range(struct arena *a, struct str number, bool is_integer)
{
    int64_t n;
    if (is_integer) {
        return str_to_i64(number, &n);
    }
    return isfinite(strtod(arena_copy(a, number).p, NULL));
}

/* The longest number from here. "01" and "1." are the number before their fault, which is found by
 * what comes next, as Python does. */
static bool skip_number(struct scan *s)
{
    size_t start = s->at;
    size_t first = start + (byte_at(s, start) == '-' ? 1 : 0);
    bool is_integer = true;
    if (!is_digit(byte_at(s, first))) {
        return fault(s, STR("Expecting value"), start);
    }
    s->at = first + 1;
    if (byte_at(s, first) != '0') {
        skip_digits(s);
    }
    if (byte_at(s, s->at) == '.' && is_digit(byte_at(s, s->at + 1))) {
        is_integer = false;
        s->at++;
        skip_digits(s);
    }
    if (byte_at(s, s->at) == 'e' || byte_at(s, s->at) == 'E') {
        int sign = byte_at(s, s->at + 1);
        size_t digits = s->at + (sign == '+' || sign == '-' ? 2 : 1);
        if (is_digit(byte_at(s, digits))) {
            is_integer = false;
            s->at = digits;
            skip_digits(s);
        }
    }
    struct str number = {s->text.p + start, s->at - start};
    return is_in_range(s->arena, number, is_integer) || fault(s, STR("Number out of range"), start);
}

/* Four hexadecimal digits, -1 if they are not there. */
static int hex4(const struct scan *s, size_t at)
{
    int value = 0;
    for (size_t i = 0; i < 4; i++) {
        int c = byte_at(s, at + i);
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* At the 'u' of an escape. Python takes half a pair and DRF refuses it later, so the words are
 * DRF's. */
static bool skip_unicode_escape(struct scan *s)
{
    int value = hex4(s, s->at + 1);
    if (value < 0) {
        return fault(s, STR("Invalid \\uXXXX escape"), s->at);
    }
    size_t length = 5;
    if (value >= 0xD800 && value <= 0xDFFF) {
        bool escaped = byte_at(s, s->at + 5) == '\\' && byte_at(s, s->at + 6) == 'u';
        int second = escaped ? hex4(s, s->at + 7) : -1;
        if (value >= 0xDC00 || second < 0xDC00 || second > 0xDFFF) {
            struct str words = arena_printf(
                s->arena, "Surrogate characters are not allowed: U+%04X", (unsigned)value);
            return fault(s, words, s->at - 1);
        }
        length = 11;
    }
    s->at += length;
    return true;
}

/* At the character behind a backslash. */
static bool skip_escape(struct scan *s)
{
    int c = byte_at(s, s->at);
    if (c == 'u') {
        return skip_unicode_escape(s);
    }
    if (c < 0 || c == 0 || strchr("\"\\/bfnrt", c) == NULL) {
        return fault(s, STR("Invalid \\escape"), s->at - 1);
    }
    s->at++;
    return true;
}

static bool skip_string(struct scan *s)
{
    size_t start = s->at++;
    for (int c = byte_at(s, s->at); c != '"'; c = byte_at(s, s->at)) {
        if (c < 0 || (c == '\\' && s->at + 1 == s->text.n)) {
            return fault(s, STR("Unterminated string starting at"), start);
        }
        if (c < 0x20) {
            return fault(s, STR("Invalid control character at"), s->at);
        }
        s->at++;
        if (c == '\\' && !skip_escape(s)) {
            return false;
        }
    }
    s->at++;
    return true;
}

static bool skip_value(struct scan *s);

static bool skip_key(struct scan *s)
{
    if (byte_at(s, s->at) != '"') {
        return fault(s, STR("Expecting property name enclosed in double quotes"), s->at);
    }
    if (!skip_string(s)) {
        return false;
    }
    skip_blanks(s);
    if (byte_at(s, s->at) != ':') {
        return fault(s, STR("Expecting ':' delimiter"), s->at);
    }
    s->at++;
    skip_blanks(s);
    return true;
}

/* At the opening bracket of an object or a list. */
static bool skip_container(struct scan *s, bool is_object)
{
    int close = is_object ? '}' : ']';
    s->at++;
    skip_blanks(s);
    if (byte_at(s, s->at) == close) {
        s->at++;
        return true;
    }
    for (;;) {
        if ((is_object && !skip_key(s)) || !skip_value(s)) {
            return false;
        }
        skip_blanks(s);
        int c = byte_at(s, s->at);
        if (c != ',' && c != close) {
            return fault(s, STR("Expecting ',' delimiter"), s->at);
        }
        s->at++;
        if (c == close) {
            return true;
        }
        skip_blanks(s);
    }
}

/* What Python's parser takes and DRF's strict mode does not. */
static bool skip_constant(struct scan *s)
{
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (skip_word(s, str_of(names[i]))) {
            struct str words = arena_printf(
                s->arena, "Out of range float values are not JSON compliant: '%s'", names[i]);
            fault(s, words, NO_PLACE);
            return true;
        }
    }
    return false;
}

static bool skip_value(struct scan *s)
{
    int c = byte_at(s, s->at);
    if (c == '"') {
        return skip_string(s);
    }
    if (c == '{' || c == '[') {
        return skip_container(s, c == '{');
    }
    if (skip_constant(s)) {
        return false;
    }
    if (skip_word(s, STR("null")) || skip_word(s, STR("true")) || skip_word(s, STR("false"))) {
        return true;
    }
    return skip_number(s);
}

struct str json_explain(struct arena *a, struct str text)
{
    struct scan s = {.arena = a, .text = text};
    skip_blanks(&s);
    if (skip_value(&s)) {
        skip_blanks(&s);
        if (s.at == text.n) {
            return STR_NULL;
        }
        fault(&s, STR("Extra data"), s.at);
    }
    return s.place == NO_PLACE ? s.words : json_problem_at(a, s.words, text, s.place);
}

struct str json_problem_at(struct arena *a, struct str words, struct str text, size_t byte)
{
    struct str before = {text.p, byte};
    size_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < before.n; i++) {
        if (before.p[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    struct str same_line = {before.p + line_start, before.n - line_start};
    return arena_printf(a, "%.*s: line %zu column %zu (char %zu)", STR_ARG(words), line,
                        utf8_length(same_line) + 1, utf8_length(before));
}
