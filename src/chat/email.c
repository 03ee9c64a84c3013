#include "chat/email.h"

#include <arpa/inet.h>

#include "base/utf8.h"
#include "chat/letter.h"

enum { LABEL_MAX = 63, TOP_LABEL_MIN = 2 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* One word of the dot-atom form (RFC 5322, 3.2.3). */
static bool is_atom(struct str word)
{
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == '\0' || (!is_alnum(c) && strchr("-!#$%&'*+/=?^_`{}|~", c) == NULL)) {
            return false;
        }
    }
    return word.n > 0;
}

static bool is_dot_atom(struct str local)
{
    while (local.p != NULL) {
        if (!is_atom(str_cut(&local, '.'))) {
            return false;
        }
    }
    return true;
}

/* Django's second form: "..." around ASCII without blanks, a backslash before what needs one. */
static bool is_quoted(struct str local)
{
    if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i < local.n - 1; i++) {
        unsigned char c = (unsigned char)local.p[i];
        bool escaped = c == '\\';
        if (escaped) {
            if (++i == local.n - 1) {
                return false;
            }
            c = (unsigned char)local.p[i];
        }
        if (c == '\0' || c == '\n' || c == '\r' || c > 0x7F ||
            (!escaped && (c == '"' || c == '\t' || c == ' '))) {
            return false;
        }
    }
    return true;
}

/* [127.0.0.1] or [::1] */
static bool is_address_literal(struct str domain)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (domain.n < 3 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']' ||
        domain.n - 2 >= sizeof(text)) {
        return false;
    }
    memcpy(text, domain.p + 1, domain.n - 2);
    text[domain.n - 2] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Letters, digits and inner hyphens; in other scripts what Unicode calls letter, mark or digit. */
static bool is_label(struct str label)
{
    if (label.n == 0 || utf8_length(label) > LABEL_MAX || label.p[0] == '-' ||
        label.p[label.n - 1] == '-') {
        return false;
    }
    while (label.n > 0) {
        uint32_t point;
        size_t bytes = letter_next(label, &point);
        bool good = point < 0x80 ? is_alnum((char)point) || point == '-' : letter_is_word(point);
        if (!good) {
            return false;
        }
        label = (struct str){label.p + bytes, label.n - bytes};
    }
    return true;
}

static bool is_domain(struct str domain)
{
    size_t labels = 0;
    struct str label = STR("");
    if (str_eq(domain, STR("localhost"))) {
        return true;
    }
    while (domain.p != NULL) {
        label = str_cut(&domain, '.');
        labels++;
        if (!is_label(label)) {
            return false;
        }
    }
    return labels > 1 && utf8_length(label) >= TOP_LABEL_MIN;
}

/* The index of the last '@'; email.n if there is none. */
static size_t last_at(struct str email)
{
    size_t i = email.n;
    while (i > 0) {
        if (email.p[--i] == '@') {
            return i;
        }
    }
    return email.n;
}

static struct str behind(struct str email, size_t at)
{
    return at == email.n ? STR("") : (struct str){email.p + at + 1, email.n - at - 1};
}

bool email_valid(struct str email)
{
    size_t at = last_at(email);
    struct str local = {email.p, at};
    struct str domain = behind(email, at);
    return at < email.n && utf8_valid(email, NULL) && (is_dot_atom(local) || is_quoted(local)) &&
           (is_domain(domain) || is_address_literal(domain));
}

struct str email_normalise(struct arena *a, struct str email)
{
    size_t at = last_at(email);
    if (at == email.n) {
        return email;
    }
    struct str domain = utf8_fold(a, behind(email, at));
    return arena_printf(a, "%.*s@%.*s", (int)at, email.p, STR_ARG(domain));
}

struct str email_key(struct arena *a, struct str email)
{
    return utf8_fold(a, email);
}

struct str email_local_part(struct str email)
{
    return (struct str){email.p, last_at(email)};
}
