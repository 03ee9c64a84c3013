/* What the text of a setting must look like; each check returns what is wrong, or NULL. */
#include <arpa/inet.h>

#include "base/conf_private.h"
#include "base/redis_url.h"
#include "base/web_origin.h"

const char *conf_present_problem(struct str text)
{
    return text.n == 0 ? "is empty" : NULL;
}

/* Behind "http://" or "https://"; absent if there is neither. */
static struct str behind_scheme(struct str url)
{
    for (size_t n = 7; n <= 8 && n < url.n; n++) {
        struct str scheme = {url.p, n};
        if (str_eq_nocase(scheme, STR("http://")) || str_eq_nocase(scheme, STR("https://"))) {
            return (struct str){url.p + n, url.n - n};
        }
    }
    return STR_NULL;
}

static bool has_any_of(struct str text, const char *bytes)
{
    for (const char *c = bytes; *c != '\0'; c++) {
        if (str_contains_byte(text, *c)) {
            return true;
        }
    }
    return false;
}

/* RFC 3986, 3.3; percent signs with their two digits. */
static bool is_path(struct str text)
{
    static const char hex[] = "0123456789abcdefABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_plain = c > ' ' && c < 0x7F && strchr("\"%<>?#\\^`{|}", c) == NULL;
        bool is_escape = c == '%' && text.n - i > 2 && text.p[i + 1] != '\0' &&
                         strchr(hex, text.p[i + 1]) != NULL && text.p[i + 2] != '\0' &&
                         strchr(hex, text.p[i + 2]) != NULL;
        if (!is_plain && !is_escape) {
            return false;
        }
    }
    return true;
}

const char *conf_public_url_problem(struct str text)
{
    struct web_origin origin;
    struct str path;
    if (text.n == 0 || (web_origin_parse(text, &origin, &path) && is_path(path))) {
        return NULL;
    }
    return "is not an http:// or https:// address (host in ASCII, port, path; no user, no query)";
}

const char *conf_origin_problem(struct str text)
{
    if (str_eq(text, STR("*"))) {
        return NULL;
    }
    struct str rest = behind_scheme(text);
    bool is_origin = rest.n > 0 && !has_any_of(rest, "/?#@* \"<>\\");
    return is_origin ? NULL : "is not an origin (scheme and host without a path)";
}

const char *conf_host_pattern_problem(struct str text)
{
    if (str_eq(text, STR("*"))) {
        return NULL;
    }
    bool is_ipv6 = text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    bool is_bad = has_any_of(text, is_ipv6 ? "/*?#@ \"" : "/*?#@ \":[]");
    return is_bad || str_eq(text, STR(".")) ? "is not a host name" : NULL;
}

/* An address, or an address and how many of its bits count. */
const char *conf_network_problem(struct str text)
{
    static const char what[] = "is not an address or a network";
    struct str bits = text;
    struct str address = str_cut(&bits, '/');
    char zero_terminated[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];
    if (address.n == 0 || address.n >= sizeof(zero_terminated)) {
        return what;
    }
    memcpy(zero_terminated, address.p, address.n);
    zero_terminated[address.n] = '\0';
    int64_t bits_max = 0;
    if (inet_pton(AF_INET, zero_terminated, bytes) == 1) {
        bits_max = 32;
    } else if (inet_pton(AF_INET6, zero_terminated, bytes) == 1) {
        bits_max = 128;
    }
    int64_t n = 0;
    if (bits_max == 0 || (bits.p != NULL && (!str_to_i64(bits, &n) || n < 0 || n > bits_max))) {
        return what;
    }
    return NULL;
}

struct str conf_cut_scheme(struct str *url)
{
    struct str rest = *url;
    struct str scheme = str_cut(&rest, ':');
    if (rest.p == NULL || !str_starts(rest, STR("//"))) {
        return STR_NULL;
    }
    *url = (struct str){rest.p + 2, rest.n - 2};
    return scheme;
}

const char *conf_database_problem(struct str url)
{
    if (url.n == 0) {
        return NULL;
    }
    if (conf_is_server_url(url)) {
        return NULL;
    }
    struct str scheme = conf_cut_scheme(&url);
    if (!str_eq_nocase(scheme, STR("sqlite"))) {
        return "is neither the address of an SQLite file nor postgres://... nor mysql://...";
    }
    if (url.n == 0 || str_eq(url, STR("/")) || str_eq(url, STR(":memory:")) ||
        str_eq(url, STR("/:memory:"))) {
        return "would keep the messages in memory only";
    }
    if (url.p[0] != '/') {
        return "has two slashes, but needs three before a relative path and four before an "
               "absolute one";
    }
    if (has_any_of(url, "?#")) {
        return "has options or a fragment, which are not supported";
    }
    return NULL;
}

const char *conf_replica_problem(struct str url)
{
    struct str scheme = conf_cut_scheme(&url);
    bool is_good = scheme.p == NULL ? url.n == 0 : str_in_list(scheme, "postgres,postgresql");
    return is_good ? NULL : "is not the address of a PostgreSQL database, postgres://...";
}

bool conf_is_server_url(struct str url)
{
    struct str scheme = conf_cut_scheme(&url);
    return scheme.p != NULL && str_in_list(scheme, "postgres,postgresql,mysql,mariadb");
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* Behind `before`, unless it is empty; as RFC 3986, 2.3 has it. */
static void add_encoded(struct buf *out, const char *before, const char *text)
{
    if (text[0] != '\0') {
        buf_str(out, str_of(before));
        for (const char *c = text; *c != '\0'; c++) {
            if (is_unreserved(*c)) {
                buf_char(out, *c);
            } else {
                buf_printf(out, "%%%02X", (unsigned char)*c);
            }
        }
    }
}

struct str conf_mysql_url(struct arena *a, const struct conf *conf)
{
    enum { URL_MAX = 4096 };
    struct buf out;
    bool is_socket = conf->mysql_host[0] == '/'; /* as Django has it */
    buf_init(&out, URL_MAX);
    buf_lit(&out, "mysql://");
    add_encoded(&out, "", conf->mysql_user);
    add_encoded(&out, ":", conf->mysql_password);
    buf_char(&out, '@');
    buf_str(&out, is_socket ? STR("localhost") : str_of(conf->mysql_host));
    buf_printf(&out, ":%lld", (long long)conf->mysql_port);
    add_encoded(&out, "/", conf->mysql_database);
    if (is_socket) {
        add_encoded(&out, "?socket=", conf->mysql_host);
    }
    return buf_end(&out, a);
}

bool conf_has_login(struct str url)
{
    struct str rest = url;
    struct str scheme = conf_cut_scheme(&rest);
    return conf_is_server_url(url) || conf_is_one_of(scheme, "redis,rediss,redis+unix,unix");
}

const char *conf_redis_problem(struct str url)
{
    struct redis_url parsed;
    struct arena a;
    arena_init(&a);
    bool is_good = url.n == 0 || redis_url_parse(&a, url, &parsed);
    arena_fini(&a);
    return is_good ? NULL : "is not the address of a Redis server";
}

/* The password stands between the first ':' behind the scheme and the last '@' before the path; libpq
 * takes it from the options behind '?' as well. */
struct str conf_without_password(struct arena *a, struct str url)
{
    struct str rest = url;
    struct str scheme = conf_cut_scheme(&rest);
    struct str host = str_cut(&rest, '?');
    const char *at = host.n > 0 ? memrchr(host.p, '@', host.n) : NULL;
    struct str user = STR("");
    if (at != NULL) {
        struct str login = {host.p, (size_t)(at - host.p)};
        struct str name = str_cut(&login, ':');
        user = arena_printf(a, "%.*s@", STR_ARG(name));
        host = (struct str){at + 1, host.n - (size_t)(at + 1 - host.p)};
    }
    return arena_printf(a, "%.*s://%.*s%.*s", STR_ARG(scheme), STR_ARG(user), STR_ARG(host));
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)((at - digits) % 16);
}

/* Percent signs and plus signs are read as django-environ reads them (unquote_plus). */
struct str conf_database_path(struct arena *a, struct str url)
{
    (void)conf_cut_scheme(&url);
    char *out = arena_alloc(a, url.n + 1);
    size_t n = 0;
    for (size_t i = 1; i < url.n; i++) { /* not the slash that ends the host */
        char c = url.p[i];
        if (c == '%' && url.n - i > 2) {
            int high = hex_digit(url.p[i + 1]);
            int low = hex_digit(url.p[i + 2]);
            int byte = high * 16 + low;
            if (high >= 0 && low >= 0 && byte >= 0x20 && byte != 0x7F) {
                out[n++] = (char)byte;
                i += 2;
                continue;
            }
        }
        out[n++] = c == '+' ? ' ' : c;
    }
    return (struct str){out, n};
}

const char *conf_database(struct arena *a, struct str url, struct conf_database *out)
{
    const char *problem = url.n == 0 ? "is empty" : conf_database_problem(url);
    if (problem != NULL) {
        return problem;
    }
    if (conf_is_server_url(url)) {
        *out = (struct conf_database){.url = arena_copy(a, url).p,
                                      .name = conf_without_password(a, url).p};
        return NULL;
    }
    const char *path = conf_database_path(a, url).p;
    *out = (struct conf_database){
        .url = arena_printf(a, "sqlite:%s", path).p, .path = path, .name = path};
    return NULL;
}
