/* The texts of settings: into fields, and back. What a text must look like is in conf_check.c. */
#include "base/conf_private.h"

#include "base/utf8.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit second_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
static const struct unit byte_units[] = {
    {"k", INT64_C(1) << 10}, {"m", INT64_C(1) << 20}, {"g", INT64_C(1) << 30}};

static void *field_of(struct conf *conf, const struct conf_setting *setting)
{
    return (char *)conf + setting->offset;
}

static const void *field_in(const struct conf *conf, const struct conf_setting *setting)
{
    return (const char *)conf + setting->offset;
}

static bool parse_with_units(struct str text, const struct unit *units, size_t count, int64_t *out)
{
    int64_t factor = 1;
    for (size_t i = 0; i < count && text.n > 1; i++) {
        struct str end = {text.p + text.n - 1, 1};
        if (str_eq_nocase(end, str_of(units[i].name))) {
            text = str_trim((struct str){text.p, text.n - 1});
            factor = units[i].factor;
            break;
        }
    }
    return str_to_i64(text, out) && !__builtin_mul_overflow(*out, factor, out);
}

static bool parse_number(const struct conf_setting *setting, struct str text, int64_t *out)
{
    int64_t value;
    bool is_number = false;
    if (setting->type == CONF_SECONDS) {
        is_number = parse_with_units(text, second_units, COUNT_OF(second_units), &value);
    } else if (setting->type == CONF_BYTES) {
        is_number = parse_with_units(text, byte_units, COUNT_OF(byte_units), &value);
    } else {
        is_number = str_to_i64(text, &value);
    }
    if (!is_number || value < setting->min || value > setting->max) {
        return false;
    }
    *out = value;
    return true;
}

bool conf_is_one_of(struct str text, const char *words)
{
    struct str rest = str_of(words);
    while (rest.p != NULL) {
        if (str_eq_nocase(text, str_cut(&rest, ','))) {
            return true;
        }
    }
    return false;
}

/* The true words are django-environ's. There everything else is false; here a slip of the pen in
 * a setting such as DEBUG stops the start. */
static bool parse_bool(struct str text, bool *out)
{
    *out = conf_is_one_of(text, "true,on,ok,y,yes,1");
    return *out || conf_is_one_of(text, "false,off,n,no,0,");
}

bool conf_parse_rate(struct str text, struct rate *out)
{
    static const struct unit periods[] = {
        {"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}};
    const int64_t requests_max = 1000000000;
    struct rate rate = {0, 0};
    struct str word = str_trim(text);
    struct str number = str_trim(str_cut(&word, '/'));
    if (number.n > 0 && (!str_to_i64(number, &rate.requests) || rate.requests < 0 ||
                         rate.requests > requests_max)) {
        return false;
    }
    if (word.p != NULL) {
        word = str_trim(word);
        for (size_t i = 0; i < COUNT_OF(periods) && rate.per_seconds == 0; i++) {
            struct str name = str_of(periods[i].name);
            bool begins = word.n > 0 && word.n <= name.n;
            if (begins && str_eq_nocase(word, (struct str){name.p, word.n})) {
                rate.per_seconds = periods[i].factor;
            }
        }
        if (rate.per_seconds == 0 || number.n == 0) {
            return false;
        }
    }
    if (rate.requests > 0 && rate.per_seconds == 0) { /* "20" of what? */
        return false;
    }
    *out = rate.requests == 0 ? (struct rate){0, 0} : rate;
    return true;
}

void conf_set_default(struct conf *conf, const struct conf_setting *setting)
{
    void *field = field_of(conf, setting);
    struct str text = str_of(setting->initial);
    bool ok = true;
    switch (setting->type) {
    case CONF_TEXT:
    case CONF_CHOICE:
    case CONF_LIST: *(const char **)field = setting->initial; break;
    case CONF_BOOL: ok = parse_bool(text, field); break;
    case CONF_RATE: ok = conf_parse_rate(text, field); break;
    case CONF_NUMBER:
    case CONF_SECONDS:
    case CONF_BYTES: ok = parse_number(setting, text, field); break;
    }
    (void)ok; /* the unit test reads every default back */
}

static struct str lowered(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + ('a' - 'A')) : s.p[i];
    }
    return (struct str){out, s.n};
}

/* Joins the parts by single commas; empty parts fall out, as with django-environ. */
static bool set_list(const struct conf_setting *setting, struct arena *a, struct str text,
                     const char **field, struct conf_problem *problem)
{
    char *joined = arena_alloc(a, text.n + 1);
    size_t n = 0;
    struct str rest = text;
    while (rest.p != NULL) {
        struct str part = str_trim(str_cut(&rest, ','));
        if (part.n == 0) {
            continue;
        }
        const char *what = setting->problem(part);
        if (what != NULL) {
            *problem = (struct conf_problem){part, str_of(what)};
            return false;
        }
        if (n > 0) {
            joined[n++] = ',';
        }
        memcpy(joined + n, part.p, part.n);
        n += part.n;
    }
    *field = setting->is_lower ? lowered(a, (struct str){joined, n}).p : joined;
    return true;
}

static bool set_text(const struct conf_setting *setting, struct arena *a, struct str text,
                     const char **field, struct conf_problem *problem)
{
    const char *what = setting->problem == NULL ? NULL : setting->problem(text);
    if (what != NULL) {
        problem->what = str_of(what);
        return false;
    }
    *field = arena_copy(a, text).p;
    return true;
}

static bool set_choice(const struct conf_setting *setting, struct arena *a, struct str text,
                       const char **field)
{
    if (text.n == 0 || !conf_is_one_of(text, setting->choices)) {
        return false;
    }
    *field = lowered(a, text).p;
    return true;
}

/* Every value is one line of text: whoever prints or logs it need not think. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7F) {
            return false;
        }
    }
    return utf8_valid(text, NULL);
}

/* What of the text an error may show: of an address only the scheme, as the rest may hold a
 * password. */
static struct str shown(const struct conf_setting *setting, struct str text)
{
    if (setting->is_secret) {
        return STR_NULL;
    }
    struct str rest = text;
    struct str scheme = conf_cut_scheme(&rest);
    if (scheme.p != NULL) {
        return (struct str){scheme.p, scheme.n + 3};
    }
    return setting->is_url ? STR_NULL : text;
}

bool conf_set(struct conf *conf, const struct conf_setting *setting, struct arena *a,
              struct str text, struct conf_problem *problem)
{
    void *field = field_of(conf, setting);
    text = setting->is_secret ? text : str_trim(text); /* a key may begin with a blank */
    text = text.p == NULL ? STR("") : text;
    *problem = (struct conf_problem){shown(setting, text), STR_NULL};
    if (!is_plain(text)) {
        problem->quoted = STR_NULL;
        problem->what = STR("has a control character or something else in it that is not text");
        return false;
    }
    bool ok = false;
    switch (setting->type) {
    case CONF_TEXT: return set_text(setting, a, text, field, problem);
    case CONF_LIST: return set_list(setting, a, text, field, problem);
    case CONF_CHOICE: ok = set_choice(setting, a, text, field); break;
    case CONF_BOOL: ok = parse_bool(text, field); break;
    case CONF_RATE: ok = conf_parse_rate(text, field); break;
    case CONF_NUMBER:
    case CONF_SECONDS:
    case CONF_BYTES: ok = parse_number(setting, text, field); break;
    }
    if (!ok) {
        struct buf what;
        buf_init(&what, 512);
        buf_lit(&what, "is not ");
        conf_describe(setting, &what);
        problem->what = buf_end(&what, a);
    }
    return ok;
}

static void describe_range(const struct conf_setting *setting, const char *what, const char *also,
                           struct buf *out)
{
    buf_printf(out, "%s from %lld to %lld%s", what, (long long)setting->min,
               (long long)setting->max, also);
}

void conf_describe(const struct conf_setting *setting, struct buf *out)
{
    switch (setting->type) {
    case CONF_TEXT: buf_lit(out, "text"); break;
    case CONF_LIST: buf_lit(out, "a list with commas"); break;
    case CONF_BOOL: buf_lit(out, "true or false"); break;
    case CONF_RATE: buf_lit(out, "a rate such as 20/min (s, min, hour, day)"); break;
    case CONF_NUMBER: describe_range(setting, "a whole number", "", out); break;
    case CONF_SECONDS:
        describe_range(setting, "a number of seconds", " (or 15m, 12h, 7d)", out);
        break;
    case CONF_BYTES: describe_range(setting, "a number of bytes", " (or 64k, 1m)", out); break;
    case CONF_CHOICE: {
        struct str rest = str_of(setting->choices);
        for (bool is_first = true; rest.p != NULL; is_first = false) {
            struct str word = str_cut(&rest, ',');
            buf_str(out, is_first ? STR("") : rest.p == NULL ? STR(" or ") : STR(", "));
            buf_str(out, word);
        }
        break;
    }
    }
}

static void rate_text(const struct rate *rate, struct buf *out)
{
    if (rate->requests == 0) {
        return;
    }
    buf_i64(out, rate->requests);
    buf_str(out, rate->per_seconds == 1      ? STR("/s")
                 : rate->per_seconds == 60   ? STR("/min")
                 : rate->per_seconds == 3600 ? STR("/hour")
                                             : STR("/day"));
}

void conf_value_text(const struct conf *conf, const struct conf_setting *setting, struct buf *out)
{
    const void *field = field_in(conf, setting);
    switch (setting->type) {
    case CONF_TEXT:
    case CONF_CHOICE:
    case CONF_LIST: buf_str(out, str_of(*(const char *const *)field)); break;
    case CONF_BOOL: buf_str(out, *(const bool *)field ? STR("true") : STR("false")); break;
    case CONF_RATE: rate_text(field, out); break;
    case CONF_NUMBER:
    case CONF_SECONDS:
    case CONF_BYTES: buf_i64(out, *(const int64_t *)field); break;
    }
}
