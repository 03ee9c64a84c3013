#include "serve/net.h"

#include <arpa/inet.h>

enum { HOST_MAX = 260 };

struct address {
    uint8_t b[16]; /* IPv4 as ::ffff:a.b.c.d */
};

static bool parse_address(struct str text, struct address *out, bool *is_v4)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    char copy[INET6_ADDRSTRLEN];
    if (text.n == 0 || text.n >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    memcpy(out->b, mapped, sizeof(mapped));
    *is_v4 = inet_pton(AF_INET, copy, out->b + 12) == 1;
    return *is_v4 || inet_pton(AF_INET6, copy, out->b) == 1;
}

static bool same_bits(const struct address *a, const struct address *b, int64_t bits)
{
    size_t whole = (size_t)bits / 8;
    unsigned rest = (unsigned)bits % 8;
    if (memcmp(a->b, b->b, whole) != 0) {
        return false;
    }
    return rest == 0 || (a->b[whole] ^ b->b[whole]) >> (8 - rest) == 0;
}

static bool in_network(const struct address *address, struct str network)
{
    struct address base;
    bool is_v4 = false;
    struct str prefix = network;
    struct str text = str_cut(&prefix, '/');
    if (!parse_address(text, &base, &is_v4)) {
        return false;
    }
    int64_t bits = is_v4 ? 32 : 128;
    if (prefix.p != NULL && (!str_to_i64(prefix, &bits) || bits < 0 || bits > (is_v4 ? 32 : 128))) {
        return false;
    }
    return same_bits(address, &base, is_v4 ? bits + 96 : bits);
}

bool net_is_address(struct str text)
{
    struct address address;
    bool is_v4;
    return parse_address(text, &address, &is_v4);
}

bool net_address_in(struct str text, const char *list)
{
    struct address address;
    bool is_v4;
    struct str rest = str_of(list);
    if (rest.n == 0 || !parse_address(text, &address, &is_v4)) {
        return false;
    }
    while (rest.p != NULL) {
        if (in_network(&address, str_trim(str_cut(&rest, ',')))) {
            return true;
        }
    }
    return false;
}

/* Without port and the dot at the end; false: not a host name or address. */
static bool bare_host(struct str host, struct str *out)
{
    size_t end = 0;
    if (host.n > 0 && host.p[0] == '[') {
        while (end < host.n && host.p[end] != ']') {
            end++;
        }
        end++;
    } else {
        while (end < host.n && host.p[end] != ':') {
            end++;
        }
    }
    if (end == 0 || end > host.n || end + 1 == host.n || host.n > HOST_MAX) {
        return false; /* "localhost:" too, as Django has it */
    }
    for (size_t i = end; i < host.n; i++) {
        bool fits = i == end ? host.p[i] == ':' : host.p[i] >= '0' && host.p[i] <= '9';
        if (!fits) {
            return false;
        }
    }
    for (size_t i = 0; i < end; i++) {
        char c = host.p[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr(".-_:[]", c) != NULL;
        if (c == '\0' || !fits) {
            return false;
        }
    }
    *out = (struct str){host.p, end - (host.p[end - 1] == '.' ? 1 : 0)};
    return out->n > 0;
}

static bool host_matches(struct str host, struct str pattern)
{
    if (str_eq(pattern, STR("*")) || str_eq_nocase(host, pattern)) {
        return true;
    }
    if (pattern.n < 2 || pattern.p[0] != '.') {
        return false;
    }
    struct str domain = {pattern.p + 1, pattern.n - 1};
    if (str_eq_nocase(host, domain)) {
        return true;
    }
    return host.n > pattern.n &&
           str_eq_nocase((struct str){host.p + (host.n - pattern.n), pattern.n}, pattern);
}

bool net_host_allowed(struct str text, const char *list)
{
    struct str host;
    struct str rest = str_of(list);
    if (!bare_host(text, &host)) {
        return false;
    }
    while (rest.p != NULL) {
        if (host_matches(host, str_trim(str_cut(&rest, ',')))) {
            return true;
        }
    }
    return false;
}

uint64_t net_turn(struct str text, uint64_t seed)
{
    struct {
        uint64_t seed;
        struct address address;
    } key = {.seed = seed};
    bool is_v4 = false;
    if (parse_address(text, &key.address, &is_v4) && !is_v4) {
        memset(key.address.b + 8, 0, 8);
    }
    return str_hash((struct str){(const char *)&key, sizeof(key)});
}
