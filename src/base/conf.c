/* Loading: flags, environment, .env file, defaults. */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf_env.h"
#include "base/conf_private.h"
#include "base/log.h"
#include "base/web_origin.h"

enum { ENV_FILE_MAX = 1024 * 1024, PROXY_DEPTH_MAX = 8, QUOTED_MAX = 80 };

struct env_pair {
    struct str name;
    struct str value;
    int line;
    struct env_pair *before;
};

struct given {
    struct str text; /* absent: not given */
    const char *source;
};

struct loader {
    struct conf *conf;
    struct arena *a;
    char *const *environment;
    struct env_pair *last; /* of the .env file; searched backwards, so the last one counts */
    const char *env_path;
    struct given flags[CONF_SETTINGS_MAX];
    struct buf *error;
};

static size_t index_of(const struct conf_setting *setting)
{
    return (size_t)(setting - conf_table);
}

const struct conf_setting *conf_find(struct str name)
{
    for (size_t i = 0; i < conf_table_count; i++) {
        if (str_eq(name, str_of(conf_table[i].name))) {
            return &conf_table[i];
        }
    }
    return NULL;
}

void conf_flag(const struct conf_setting *setting, char out[CONF_FLAG_MAX])
{
    size_t n = 2;
    memcpy(out, "--", n);
    for (const char *c = setting->name; *c != '\0' && n < CONF_FLAG_MAX - 1; c++) {
        out[n++] = *c == '_' ? '-' : *c >= 'A' && *c <= 'Z' ? (char)(*c + ('a' - 'A')) : *c;
    }
    out[n] = '\0';
}

const char *conf_source(const struct conf *conf, const char *name)
{
    const struct conf_setting *setting = conf_find(str_of(name));
    return setting == NULL ? NULL : conf->sources[index_of(setting)];
}

/* ---- errors ---- */

static void add_advice(const struct conf_setting *setting, struct buf *error)
{
    if (setting->advice != NULL) {
        buf_str(error, str_of(setting->advice));
        return;
    }
    buf_lit(error, "Set it to ");
    conf_describe(setting, error);
    if (setting->initial[0] == '\0') {
        buf_lit(error, ", or leave it empty.");
    } else {
        buf_printf(error, "; the default is %s.", setting->initial);
    }
}

/* NAME (from SOURCE): "quoted" what. Advice. */
static bool refuse(struct loader *l, const struct conf_setting *setting, const char *source,
                   struct conf_problem problem)
{
    buf_printf(l->error, "%s (from %s): ", setting->name, source);
    if (problem.quoted.p == NULL) {
        buf_lit(l->error, "the value ");
    } else {
        bool is_long = problem.quoted.n > QUOTED_MAX;
        buf_printf(l->error, "\"%.*s%s\" ", is_long ? QUOTED_MAX : (int)problem.quoted.n,
                   problem.quoted.p, is_long ? "..." : "");
    }
    buf_printf(l->error, "%.*s. ", STR_ARG(problem.what));
    add_advice(setting, l->error);
    return false;
}

/* ---- flags ---- */

struct flag {
    const struct conf_setting *setting; /* NULL: not a setting's flag */
    bool is_negated;                    /* --no-debug */
    struct str value;                   /* behind '='; absent: there is none */
};

static struct flag flag_of(const char *argument)
{
    struct flag flag = {.value = str_of(argument)};
    struct str text = str_cut(&flag.value, '=');
    char known[CONF_FLAG_MAX];
    for (size_t i = 0; i < conf_table_count; i++) {
        conf_flag(&conf_table[i], known);
        bool is_negated = conf_table[i].type == CONF_BOOL && str_starts(text, STR("--no-")) &&
                          str_eq((struct str){text.p + 5, text.n - 5}, str_of(known + 2));
        if (is_negated || str_eq(text, str_of(known))) {
            flag.setting = &conf_table[i];
            flag.is_negated = is_negated;
            break;
        }
    }
    return flag;
}

/* Keeps the flag's value: the one behind '=', what a switch means, or `next`, the argument behind
 * it (may be NULL); *took_next says so. */
static bool take_flag(struct loader *l, struct flag flag, const char *next, bool *took_next)
{
    struct given *given = &l->flags[index_of(flag.setting)];
    char name[CONF_FLAG_MAX];
    conf_flag(flag.setting, name);
    given->source = arena_printf(l->a, "the flag --%s%s", flag.is_negated ? "no-" : "", name + 2).p;
    *took_next = false;
    if (flag.setting->is_secret) {
        buf_printf(l->error,
                   "%s (from %s): every user of the machine can read a secret on the command line. "
                   "Put it into the environment or the .env file.",
                   flag.setting->name, given->source);
        return false;
    }
    if (flag.value.p == NULL && flag.setting->type == CONF_BOOL) {
        given->text = flag.is_negated ? STR("false") : STR("true");
        return true;
    }
    struct conf_problem problem = {STR_NULL, STR("is missing")};
    if (flag.is_negated) {
        problem.what = STR("is one too many");
        return refuse(l, flag.setting, given->source, problem);
    }
    if (flag.value.p == NULL && (next == NULL || strncmp(next, "--", 2) == 0)) {
        return refuse(l, flag.setting, given->source, problem);
    }
    *took_next = flag.value.p == NULL;
    given->text = *took_next ? str_of(next) : flag.value;
    return true;
}

/* Moves what is not ours to the front of argv. */
static bool take_flags(struct loader *l, int *argc, char **argv)
{
    int kept = *argc > 0 ? 1 : 0;
    bool is_open = true; /* until "--" */
    for (int i = kept; i < *argc; i++) {
        is_open = is_open && strcmp(argv[i], "--") != 0;
        struct flag flag = flag_of(argv[i]);
        if (!is_open || flag.setting == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        bool took_next;
        if (!take_flag(l, flag, i + 1 < *argc ? argv[i + 1] : NULL, &took_next)) {
            return false;
        }
        i += took_next;
    }
    *argc = kept;
    return true;
}

/* ---- environment and .env file ---- */

static struct str environment_get(const struct loader *l, struct str name)
{
    for (char *const *entry = l->environment; entry != NULL && *entry != NULL; entry++) {
        struct str value = str_of(*entry);
        if (str_eq(str_cut(&value, '='), name)) {
            return value;
        }
    }
    return STR_NULL;
}

static const struct env_pair *env_file_get(const struct loader *l, struct str name)
{
    for (const struct env_pair *pair = l->last; pair != NULL; pair = pair->before) {
        if (str_eq(pair->name, name)) {
            return pair;
        }
    }
    return NULL;
}

static bool read_all(int fd, char *out, size_t size)
{
    for (size_t n = 0; n < size;) {
        ssize_t got = read(fd, out + n, size - n);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            errno = got == 0 ? EIO : errno; /* it became shorter meanwhile */
            return false;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* The file in the arena. Not regular or too large: EINVAL, EFBIG. */
static int read_file(struct arena *a, const char *path, struct str *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno;
    }
    struct stat st;
    int failure = 0;
    if (fstat(fd, &st) != 0) {
        failure = errno;
    } else if (!S_ISREG(st.st_mode)) {
        failure = EINVAL;
    } else if (st.st_size > ENV_FILE_MAX) {
        failure = EFBIG;
    } else {
        char *text = arena_alloc(a, (size_t)st.st_size + 1);
        *out = (struct str){text, (size_t)st.st_size};
        failure = read_all(fd, text, out->n) ? 0 : errno;
    }
    (void)close(fd);
    return failure;
}

static void keep_pairs(struct loader *l, struct str text)
{
    struct env_reader reader;
    struct env_line line;
    env_init(&reader, text);
    while (env_next(&reader, l->a, &line)) {
        if (line.kind == ENV_BAD) { /* its text may be part of a secret */
            log_warning("%s line %d is not NAME=value and does not count", l->env_path, line.line);
            continue;
        }
        struct env_pair *pair = ARENA_NEW(l->a, struct env_pair);
        *pair = (struct env_pair){line.name, line.value, line.line, l->last};
        l->last = pair;
    }
}

/* Only a file that somebody named must be there. */
static bool load_env_file(struct loader *l)
{
    const struct conf_setting *setting = conf_find(STR("ENV_FILE"));
    struct given flag = l->flags[index_of(setting)];
    struct str named = flag.text.p != NULL ? flag.text : environment_get(l, STR("ENV_FILE"));
    const char *source = flag.text.p != NULL ? flag.source : "the environment";
    struct str text = STR_NULL;
    l->env_path = named.n > 0 ? arena_copy(l->a, named).p : ".env";
    int failure = read_file(l->a, l->env_path, &text);
    if (failure == ENOENT && named.n == 0) {
        return true;
    }
    if (failure == 0) {
        keep_pairs(l, text);
        return true;
    }
    const char *why = failure == EINVAL  ? "it is not a file"
                      : failure == EFBIG ? "it is larger than 1 MiB"
                                         : strerror(failure);
    struct conf_problem problem = {str_of(l->env_path),
                                   arena_printf(l->a, "cannot be read (%s)", why)};
    return refuse(l, setting, named.n > 0 ? source : "the default", problem);
}

/* django-environ's proxied values: `$NAME` stands for the value of NAME, `\$` for a dollar sign at
 * the beginning. */
static bool resolve(struct loader *l, const struct conf_setting *setting, const char *source,
                    struct str *text)
{
    struct conf_problem problem = {STR_NULL, STR("names a variable that leads to itself")};
    for (int depth = 0; depth < PROXY_DEPTH_MAX; depth++) {
        if (str_starts(*text, STR("\\$"))) {
            *text = (struct str){text->p + 1, text->n - 1};
            return true;
        }
        if (!str_starts(*text, STR("$"))) {
            return true;
        }
        struct str name = *text;
        while (str_starts(name, STR("$"))) {
            name = (struct str){name.p + 1, name.n - 1};
        }
        struct str value = environment_get(l, name);
        if (value.p == NULL) {
            const struct env_pair *pair = env_file_get(l, name);
            value = pair == NULL ? STR_NULL : pair->value;
        }
        if (value.p == NULL) {
            problem.what = STR("begins with $ and so names another variable, which is not set "
                               "(a value that begins with $ is written \\$)");
            break;
        }
        *text = value;
    }
    return refuse(l, setting, source, problem);
}

/* ---- all of it ---- */

static bool load_one(struct loader *l, const struct conf_setting *setting)
{
    size_t i = index_of(setting);
    struct given given = l->flags[i];
    if (given.text.p == NULL) {
        struct str name = str_of(setting->name);
        const struct env_pair *pair = env_file_get(l, name);
        given = (struct given){environment_get(l, name), "the environment"};
        bool is_env_file = str_eq(name, STR("ENV_FILE")); /* a file does not name another one */
        if (given.text.p == NULL && pair != NULL && !is_env_file) {
            given.text = pair->value;
            given.source = arena_printf(l->a, "%s line %d", l->env_path, pair->line).p;
        }
        if (given.text.p == NULL) {
            return true; /* the default stays */
        }
        if (!resolve(l, setting, given.source, &given.text)) {
            return false;
        }
    }
    struct conf_problem problem;
    if (!conf_set(l->conf, setting, l->a, given.text, &problem)) {
        return refuse(l, setting, given.source, problem);
    }
    l->conf->sources[i] = given.source;
    return true;
}

static const char *without_end_slashes(struct arena *a, const char *text, size_t n_min)
{
    struct str s = str_of(text);
    while (s.n > n_min && s.p[s.n - 1] == '/') {
        s.n--;
    }
    return arena_copy(a, s).p;
}

/* What browsers say of it is compared with it: scheme, host and port are in their normal form. */
static const char *normal_url(struct arena *a, const char *text)
{
    struct web_origin origin;
    struct str path;
    if (!web_origin_parse(str_of(text), &origin, &path)) {
        return "";
    }
    struct str start = web_origin_format(a, &origin);
    return arena_printf(a, "%.*s%.*s", STR_ARG(start), STR_ARG(path)).p;
}

/* What follows from several settings. */
static void derive(struct conf *conf, struct arena *a)
{
    conf->public_url = without_end_slashes(a, normal_url(a, conf->public_url), 0);
    conf->data_dir = without_end_slashes(a, conf->data_dir, 1); /* "/" stays */
    if (conf->database_url[0] == '\0' && conf->mysql_database[0] != '\0') {
        conf->database_url = conf_mysql_url(a, conf).p;
        conf->sources[index_of(conf_find(STR("DATABASE_URL")))] = "MYSQL_DATABASE and its like";
    }
    struct str url = str_of(conf->database_url);
    if (conf_is_server_url(url)) {
        conf->database_path = NULL;
        conf->database_name = conf_without_password(a, url).p;
        return;
    }
    if (url.n > 0) {
        conf->database_path = conf_database_path(a, url).p;
    } else {
        const char *slash = str_ends(str_of(conf->data_dir), STR("/")) ? "" : "/";
        conf->database_path = arena_printf(a, "%s%sconfab.sqlite3", conf->data_dir, slash).p;
    }
    conf->database_name = conf->database_path;
}

void conf_init(struct conf *conf)
{
    *conf = (struct conf){.database_path = "./data/confab.sqlite3",
                          .database_name = "./data/confab.sqlite3"};
    for (size_t i = 0; i < conf_table_count; i++) {
        conf_set_default(conf, &conf_table[i]);
        conf->sources[i] = "default";
    }
}

bool conf_load(struct conf *conf, struct arena *a, int *argc, char **argv, char *const *environment,
               struct buf *error)
{
    struct loader *l = ARENA_NEW(a, struct loader);
    *l = (struct loader){.conf = conf, .a = a, .environment = environment, .error = error};
    conf_init(conf);
    if (!take_flags(l, argc, argv) || !load_env_file(l)) {
        return false;
    }
    for (size_t i = 0; i < conf_table_count; i++) {
        if (!load_one(l, &conf_table[i])) {
            return false;
        }
    }
    derive(conf, a);
    return true;
}
