#include "api/csv.h"

#include "base/clock.h"

static void next_cell(struct csv *csv)
{
    if (csv->in_row) {
        buf_char(csv->out, ',');
    }
    csv->in_row = true;
}

static bool is_formula(struct str text)
{
    return text.n > 0 && str_contains_byte(STR("=+-@\t\r\n"), text.p[0]);
}

/* Where the separator is not ours a spreadsheet begins a new cell inside the text. */
static bool may_begin_cell(struct str text, size_t i)
{
    struct str rest = {text.p + i + 1, text.n - i - 1};
    return str_contains_byte(STR(";\t\r\n"), text.p[i]) &&
           (is_formula(rest) || (rest.n > 0 && rest.p[0] == '"'));
}

static bool needs_quotes(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (str_contains_byte(STR(",\"\r\n"), text.p[i])) {
            return true;
        }
    }
    return false;
}

void api_csv_text(struct csv *csv, struct str text)
{
    bool quoted = needs_quotes(text);
    next_cell(csv);
    if (quoted) {
        buf_char(csv->out, '"');
    }
    if (is_formula(text)) {
        buf_char(csv->out, '\'');
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"') {
            buf_char(csv->out, '"');
        }
        buf_char(csv->out, text.p[i]);
        if (may_begin_cell(text, i)) {
            buf_char(csv->out, '\'');
        }
    }
    if (quoted) {
        buf_char(csv->out, '"');
    }
}

void api_csv_int(struct csv *csv, int64_t n)
{
    next_cell(csv);
    buf_i64(csv->out, n);
}

void api_csv_bool(struct csv *csv, bool yes)
{
    api_csv_text(csv, yes ? STR("true") : STR("false"));
}

void api_csv_uuid(struct csv *csv, struct uuid id)
{
    char text[UUID_TEXT];
    uuid_format(id, text);
    api_csv_text(csv, uuid_is_zero(id) ? STR("") : (struct str){text, sizeof(text)});
}

void api_csv_time(struct csv *csv, int64_t us)
{
    char text[TIME_TEXT_MAX];
    size_t n = us != 0 ? time_format(us, text) : 0;
    api_csv_text(csv, (struct str){text, n});
}

void api_csv_end_row(struct csv *csv)
{
    buf_lit(csv->out, "\r\n");
    csv->in_row = false;
}
