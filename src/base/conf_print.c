/* The table for people: --help, docs/configuration.md, the list of values. */
#include "base/conf_private.h"

enum { TEXT_MAX = 64 * 1024 };

static void print_buf(struct buf *b, FILE *out)
{
    (void)fwrite(b->p, 1, b->n, out);
    buf_reset(b);
}

static const char *placeholder(const struct conf_setting *setting)
{
    switch (setting->type) {
    case CONF_BOOL: return "";
    case CONF_TEXT: return " TEXT";
    case CONF_CHOICE: return " WORD";
    case CONF_LIST: return " A,B";
    case CONF_RATE: return " RATE";
    case CONF_SECONDS: return " SECONDS";
    case CONF_BYTES: return " BYTES";
    case CONF_NUMBER: return " N";
    }
    return "";
}

static void help_line(const struct conf_setting *setting, struct buf *b)
{
    char flag[CONF_FLAG_MAX];
    conf_flag(setting, flag);
    if (setting->is_secret) {
        buf_printf(b, "  %s (environment or .env only)", setting->name);
    } else {
        buf_printf(b, "  %s%s", flag, placeholder(setting));
    }
    buf_printf(b, "\n      %s", setting->help);
    if (setting->type == CONF_CHOICE) {
        buf_lit(b, ": ");
        conf_describe(setting, b);
    } else if (setting->max > 0) {
        buf_printf(b, " (%lld to %lld)", (long long)setting->min, (long long)setting->max);
    }
    if (setting->initial[0] != '\0') {
        buf_printf(b, " [%s]", setting->initial);
    }
    buf_char(b, '\n');
}

void conf_print_help(FILE *out)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_lit(&b, "Settings. --http-threads 4 is HTTP_THREADS=4 in the environment or in the file "
                ".env;\nflags win over the environment, the environment over the file. Of a "
                "switch such as\n--debug the opposite is --no-debug.\n");
    for (int group = 0; group < CONF_GROUP_COUNT; group++) {
        buf_printf(&b, "\n%s:\n", conf_group_titles[group]);
        for (size_t i = 0; i < conf_table_count; i++) {
            if ((int)conf_table[i].group == group) {
                help_line(&conf_table[i], &b);
            }
        }
    }
    print_buf(&b, out);
    buf_fini(&b);
}

static void buf_cell(struct buf *b, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '|' || *c == '*') {
            buf_char(b, '\\');
        }
        buf_char(b, *c);
    }
}

static void markdown_row(const struct conf_setting *setting, struct buf *b)
{
    char flag[CONF_FLAG_MAX];
    conf_flag(setting, flag);
    buf_printf(b, "| `%s` | ", setting->name);
    if (setting->is_secret) {
        buf_lit(b, "none");
    } else {
        buf_printf(b, "`%s`", flag);
    }
    buf_lit(b, " | ");
    conf_describe(setting, b);
    if (setting->initial[0] == '\0') {
        buf_lit(b, " | empty | ");
    } else {
        buf_printf(b, " | `%s` | ", setting->initial);
    }
    buf_cell(b, setting->help);
    buf_lit(b, " |\n");
}

void conf_print_markdown(FILE *out)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (int group = 0; group < CONF_GROUP_COUNT; group++) {
        buf_printf(&b,
                   "%s## %s\n\n| Setting | Flag | Value | Default | Meaning |\n"
                   "| --- | --- | --- | --- | --- |\n",
                   group == 0 ? "" : "\n", conf_group_titles[group]);
        for (size_t i = 0; i < conf_table_count; i++) {
            if ((int)conf_table[i].group == group) {
                markdown_row(&conf_table[i], &b);
            }
        }
    }
    print_buf(&b, out);
    buf_fini(&b);
}

size_t conf_count(void)
{
    return conf_table_count;
}

/* The value as people may see it. */
static struct str shown_value(const struct conf *conf, const struct conf_setting *setting,
                              struct arena *a)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    conf_value_text(conf, setting, &b);
    struct str value = buf_end(&b, a);
    if (setting->is_secret) {
        return value.n > 0 ? STR("(set)") : STR("(not set)");
    }
    return setting->is_url && conf_has_login(value) ? conf_without_password(a, value) : value;
}

static struct str allowed_values(const struct conf_setting *setting, struct arena *a)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    conf_describe(setting, &b);
    return buf_end(&b, a);
}

void conf_entry_get(const struct conf *conf, size_t i, struct arena *a, struct conf_entry *out)
{
    const struct conf_setting *setting = &conf_table[i];
    *out = (struct conf_entry){
        .name = setting->name,
        .group = conf_group_titles[setting->group],
        .value = shown_value(conf, setting, a),
        .initial = setting->initial,
        .source = conf->sources[i],
        .help = setting->help,
        .allowed = allowed_values(setting, a),
        .is_secret = setting->is_secret,
    };
}

void conf_print_values(const struct conf *conf, FILE *out)
{
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < conf_table_count; i++) {
        struct conf_entry entry;
        conf_entry_get(conf, i, &a, &entry);
        fprintf(out, "%s=%.*s  # %s\n", entry.name, STR_ARG(entry.value), entry.source);
    }
    arena_fini(&a);
}
