#include "base/redis_url.h"

enum { PORT_DEFAULT = 6379, PORT_MAX = 65535, DB_MAX = 65535, PATH_LENGTH_MAX = 107 };

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* False: a percent sign without two digits. */
static bool decode(struct arena *a, struct str text, struct str *out)
{
    char *bytes = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bytes[n] = text.p[i];
        if (text.p[i] == '%') {
            int high = text.n - i > 2 ? hex_digit(text.p[i + 1]) : -1;
            int low = text.n - i > 2 ? hex_digit(text.p[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            bytes[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    *out = (struct str){bytes, n};
    return true;
}

/* Cuts "user:password@" off; the last '@' counts, since a password may have one. */
static bool cut_login(struct arena *a, struct str *rest, struct redis_url *out)
{
    const char *end = rest->n > 0 ? memrchr(rest->p, '@', rest->n) : NULL;
    if (end == NULL) {
        return true;
    }
    size_t n = (size_t)(end - rest->p);
    struct str password = {rest->p, n};
    struct str user = str_cut(&password, ':');
    *rest = (struct str){end + 1, rest->n - n - 1};
    if (password.n == 0 || !decode(a, user, &out->user) || !decode(a, password, &out->password)) {
        return false;
    }
    out->user = out->user.n > 0 ? out->user : STR_NULL;
    return true;
}

static bool read_number(struct str text, int64_t min, int64_t max, int64_t *out)
{
    return str_to_i64(text, out) && *out >= min && *out <= max;
}

static bool read_host(struct arena *a, struct str text, struct redis_url *out)
{
    struct str db = text;
    struct str port = str_cut(&db, '/');
    struct str host;
    if (str_starts(port, STR("["))) {
        port = (struct str){port.p + 1, port.n - 1};
        host = str_cut(&port, ']');
        if (port.p == NULL || (port.n > 0 && port.p[0] != ':')) {
            return false;
        }
        port = port.n > 0 ? (struct str){port.p + 1, port.n - 1} : STR_NULL;
    } else {
        host = str_cut(&port, ':');
    }
    out->host = arena_copy(a, host).p;
    return host.n > 0 && (port.p == NULL || read_number(port, 1, PORT_MAX, &out->port)) &&
           (db.n == 0 || read_number(db, 0, DB_MAX, &out->db));
}

static bool read_path(struct arena *a, struct str text, struct redis_url *out)
{
    struct str options = text;
    struct str path = str_cut(&options, '?');
    if (path.n < 2 || path.p[0] != '/' || path.n > PATH_LENGTH_MAX) {
        return false;
    }
    out->path = arena_copy(a, path).p;
    if (options.p == NULL) {
        return true;
    }
    struct str number = options;
    return str_eq(str_cut(&number, '='), STR("db")) && read_number(number, 0, DB_MAX, &out->db);
}

bool redis_url_parse(struct arena *a, struct str text, struct redis_url *out)
{
    static const struct scheme {
        const char *prefix;
        bool is_tls;
        bool is_path;
    } schemes[] = {
        {"redis://", false, false},
        {"rediss://", true, false},
        {"redis+unix://", false, true},
        {"unix://", false, true},
    };
    *out = (struct redis_url){.port = PORT_DEFAULT};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        struct str prefix = str_of(schemes[i].prefix);
        if (str_starts(text, prefix)) {
            struct str rest = {text.p + prefix.n, text.n - prefix.n};
            out->is_tls = schemes[i].is_tls;
            return cut_login(a, &rest, out) &&
                   (schemes[i].is_path ? read_path(a, rest, out) : read_host(a, rest, out));
        }
    }
    return false;
}
