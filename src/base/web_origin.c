#include "base/web_origin.h"

#include <arpa/inet.h>
#include <inttypes.h>

enum { PORT_MAX = 65535, HTTP_PORT = 80, HTTPS_PORT = 443 };

static bool cut_scheme(struct str *url, bool *is_secure)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t n = schemes[i].n;
        if (url->n >= n && str_eq_nocase((struct str){url->p, n}, schemes[i])) {
            *is_secure = i == 1;
            *url = (struct str){url->p + n, url->n - n};
            return true;
        }
    }
    return false;
}

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels between dots, none of them empty; a dot may end it. */
static bool read_name(struct str name, char *out)
{
    bool may_end = false;
    if (name.n == 0 || name.n > WEB_HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        if (c == '.' ? !may_end : !is_of_name(out[i])) {
            return false;
        }
        may_end = c != '.';
    }
    out[name.n] = '\0';
    return true;
}

/* Without its brackets. */
static bool read_ipv6(struct str text, char *out)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.n >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (strlen(copy) != text.n || inet_pton(AF_INET6, copy, &address) != 1) {
        return false;
    }
    inet_ntop(AF_INET6, &address, out + 1, INET6_ADDRSTRLEN);
    size_t n = strlen(out + 1);
    out[0] = '[';
    out[n + 1] = ']';
    out[n + 2] = '\0';
    return true;
}

/* Digits alone; none are the scheme's own port. */
static bool read_port(struct str digits, int64_t *port)
{
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') {
            return false;
        }
    }
    return digits.n == 0 || (str_to_i64(digits, port) && *port >= 1 && *port <= PORT_MAX);
}

static bool read_authority(struct str text, struct web_origin *out)
{
    struct str port = text;
    if (!str_starts(text, STR("["))) {
        struct str name = str_cut(&port, ':');
        return read_name(name, out->host) && read_port(port, &out->port);
    }
    port = (struct str){text.p + 1, text.n - 1};
    struct str address = str_cut(&port, ']');
    if (port.p == NULL || (port.n > 0 && port.p[0] != ':')) {
        return false;
    }
    port = port.n > 0 ? (struct str){port.p + 1, port.n - 1} : port;
    return read_ipv6(address, out->host) && read_port(port, &out->port);
}

bool web_origin_parse(struct str url, struct web_origin *out, struct str *rest)
{
    size_t n = 0;
    *out = (struct web_origin){0};
    if (!cut_scheme(&url, &out->is_secure)) {
        return false;
    }
    while (n < url.n && url.p[n] != '/' && url.p[n] != '?' && url.p[n] != '#') {
        n++;
    }
    *rest = (struct str){url.p + n, url.n - n};
    out->port = out->is_secure ? HTTPS_PORT : HTTP_PORT;
    return read_authority((struct str){url.p, n}, out);
}

bool web_origin_eq(const struct web_origin *a, const struct web_origin *b)
{
    return a->is_secure == b->is_secure && a->port == b->port && strcmp(a->host, b->host) == 0;
}

struct str web_origin_format(struct arena *a, const struct web_origin *origin)
{
    const char *scheme = origin->is_secure ? "https" : "http";
    if (origin->port == (origin->is_secure ? HTTPS_PORT : HTTP_PORT)) {
        return arena_printf(a, "%s://%s", scheme, origin->host);
    }
    return arena_printf(a, "%s://%s:%" PRId64, scheme, origin->host, origin->port);
}
