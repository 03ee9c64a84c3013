#include "db/mariadb_url.h"

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)((at - digits) % 16);
}

/* Without its percent signs, in `a`; NULL for what is empty. A byte of zero ends it. */
static const char *decode(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && text.n - i > 2 ? hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
        out[n++] = low >= 0 ? (char)(high * 16 + low) : text.p[i];
        i += low >= 0 ? 2 : 0;
    }
    return n == 0 ? NULL : out;
}

/* Cuts what stands before the last `separator` off *text; absent if there is none. */
static struct str cut_last(struct str *text, char separator)
{
    const char *at = text->n > 0 ? memrchr(text->p, separator, text->n) : NULL;
    if (at == NULL) {
        return STR_NULL;
    }
    struct str before = {text->p, (size_t)(at - text->p)};
    *text = (struct str){at + 1, text->n - before.n - 1};
    return before;
}

static bool take_port(struct str text, struct mariadb_url *out, struct str *problem)
{
    int64_t port = 0;
    if (text.n > 0 && (!str_to_i64(text, &port) || port < 1 || port > 65535)) {
        *problem = STR("The port in DATABASE_URL is not a number from 1 to 65535.");
        return false;
    }
    out->port = (unsigned int)port;
    return true;
}

/* host, host:port, [address], [address]:port */
static bool take_host(struct arena *a, struct str text, struct mariadb_url *out,
                      struct str *problem)
{
    struct str port = text;
    struct str host = str_cut(&port, ':');
    if (str_starts(text, STR("["))) {
        port = (struct str){text.p + 1, text.n - 1};
        host = str_cut(&port, ']');
        port = str_starts(port, STR(":")) ? (struct str){port.p + 1, port.n - 1} : STR_NULL;
    }
    out->host = decode(a, host);
    return take_port(port, out, problem);
}

static bool take_mode(const char *mode, struct mariadb_url *out)
{
    static const struct {
        const char *name;
        enum mariadb_tls tls;
    } modes[] = {{"disabled", MARIADB_TLS_NONE},
                 {"required", MARIADB_TLS_REQUIRED},
                 {"verify", MARIADB_TLS_VERIFY},
                 {"verify-identity", MARIADB_TLS_VERIFY}};
    for (size_t i = 0; mode != NULL && i < COUNT_OF(modes); i++) {
        if (strcmp(mode, modes[i].name) == 0) {
            out->tls = modes[i].tls;
            return true;
        }
    }
    return false;
}

static bool take_option(struct arena *a, struct str name, struct str text, struct mariadb_url *out,
                        struct str *problem)
{
    const char *value = decode(a, text);
    const struct {
        struct str name;
        const char **to;
    } paths[] = {{STR("socket"), &out->socket},
                 {STR("ssl-ca"), &out->ca},
                 {STR("ssl-cert"), &out->certificate},
                 {STR("ssl-key"), &out->key}};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (str_eq(name, paths[i].name)) {
            *paths[i].to = value;
            return true;
        }
    }
    if (!str_eq(name, STR("ssl-mode"))) {
        *problem = arena_printf(a,
                                "The option %.*s in DATABASE_URL is none of socket, ssl-mode, "
                                "ssl-ca, ssl-cert and ssl-key.",
                                STR_ARG(name));
        return false;
    }
    if (!take_mode(value, out)) {
        *problem = STR("The option ssl-mode in DATABASE_URL is none of disabled, required and "
                       "verify-identity.");
        return false;
    }
    return true;
}

static bool take_options(struct arena *a, struct str options, struct mariadb_url *out,
                         struct str *problem)
{
    bool has_mode = false;
    while (options.n > 0) {
        struct str value = str_cut(&options, '&');
        struct str name = str_cut(&value, '=');
        if (name.n > 0 && !take_option(a, name, value, out, problem)) {
            return false;
        }
        has_mode = has_mode || str_eq(name, STR("ssl-mode"));
    }
    if (out->ca != NULL && !has_mode) {
        out->tls = MARIADB_TLS_VERIFY;
    }
    return true;
}

bool mariadb_url_parse(struct arena *a, struct str url, struct mariadb_url *out,
                       struct str *problem)
{
    struct str rest = url;
    *out = (struct mariadb_url){0};
    (void)str_cut(&rest, ':');
    if (!str_starts(rest, STR("//"))) {
        *problem = STR("DATABASE_URL is not mysql://user:password@host/database.");
        return false;
    }
    rest = (struct str){rest.p + 2, rest.n - 2};
    struct str before_options = str_cut(&rest, '?');
    struct str database = before_options;
    struct str password = cut_last(&database, '@'); /* a password may hold a slash */
    struct str user = str_cut(&password, ':');
    struct str host = str_cut(&database, '/');
    out->user = decode(a, user);
    out->password = decode(a, password);
    out->database = decode(a, database);
    if (out->database == NULL) {
        *problem = STR("DATABASE_URL names no database behind the host.");
        return false;
    }
    return take_host(a, host, out, problem) && take_options(a, rest, out, problem);
}
