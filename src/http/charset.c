#include "http/charset.h"

#include <iconv.h>

#include "base/utf8.h"

enum { NAME_MAX_BYTES = 24 };

/* Names are compared without case and punctuation: "ISO_8859-1" is "iso88591". */
static size_t plain_name(struct str name, char out[NAME_MAX_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c >= 'A' && c <= 'Z') {
            c = (unsigned char)(c + ('a' - 'A'));
        }
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            if (n == NAME_MAX_BYTES - 1) {
                return 0;
            }
            out[n++] = (char)c;
        } else if (strchr("-_:. ", c) == NULL || c == '\0') {
            return 0;
        }
    }
    out[n] = '\0';
    return n;
}

/* The sets that iconv is asked for, by iconv's names. Not every one that it knows: its converters
 * are loaded by name, some have hung or crashed on wrong input before, and nobody sends those. */
static const struct {
    const char *plain;
    const char *iconv_name;
} converters[] = {
    {"iso88592", "ISO-8859-2"},
    {"latin2", "ISO-8859-2"},
    {"iso88593", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},
    {"iso88595", "ISO-8859-5"},
    {"iso88596", "ISO-8859-6"},
    {"iso88597", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},
    {"iso88599", "ISO-8859-9"},
    {"latin5", "ISO-8859-9"},
    {"iso885910", "ISO-8859-10"},
    {"iso885913", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"},
    {"iso885915", "ISO-8859-15"},
    {"latin9", "ISO-8859-15"},
    {"iso885916", "ISO-8859-16"},
    {"windows1250", "WINDOWS-1250"},
    {"cp1250", "WINDOWS-1250"},
    {"windows1251", "WINDOWS-1251"},
    {"cp1251", "WINDOWS-1251"},
    {"windows1252", "WINDOWS-1252"},
    {"cp1252", "WINDOWS-1252"},
    {"windows1253", "WINDOWS-1253"},
    {"cp1253", "WINDOWS-1253"},
    {"windows1254", "WINDOWS-1254"},
    {"cp1254", "WINDOWS-1254"},
    {"windows1255", "WINDOWS-1255"},
    {"cp1255", "WINDOWS-1255"},
    {"windows1256", "WINDOWS-1256"},
    {"cp1256", "WINDOWS-1256"},
    {"windows1257", "WINDOWS-1257"},
    {"cp1257", "WINDOWS-1257"},
    {"windows1258", "WINDOWS-1258"},
    {"cp1258", "WINDOWS-1258"},
    {"koi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"shiftjis", "SHIFT_JIS"},
    {"sjis", "SHIFT_JIS"},
    {"windows31j", "CP932"},
    {"cp932", "CP932"},
    {"eucjp", "EUC-JP"},
    {"euckr", "EUC-KR"},
    {"gb2312", "GB2312"},
    {"gbk", "GBK"},
    {"gb18030", "GB18030"},
    {"big5", "BIG5"},
    {"tis620", "TIS-620"},
    {"utf16", "UTF-16"},
    {"utf16le", "UTF-16LE"},
    {"utf16be", "UTF-16BE"},
};

static bool is_one_of(const char *plain, const char *list)
{
    return str_in_list(str_of(plain), list);
}

static enum err from_ascii(struct arena *a, struct str text, struct str *out, struct str *problem)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x80) {
            *problem = arena_printf(a,
                                    "'ascii' codec can't decode byte 0x%02x in position %zu: "
                                    "ordinal not in range(128)",
                                    c, i);
            return ERR_PARSE;
        }
    }
    *out = text;
    return ERR_OK;
}

static struct str from_latin1(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, 2 * text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x80) {
            out[n++] = (char)c;
        } else {
            out[n++] = (char)(0xC0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 0x3F));
        }
    }
    return (struct str){out, n};
}

/* None of the sets needs more than four bytes of UTF-8 for one of its own. */
static bool run_iconv(iconv_t converter, struct arena *a, struct str text, struct str *out,
                      size_t *bad_at)
{
    size_t room = 4 * text.n + 16;
    char *start = arena_alloc(a, room);
    char *to = start;
    char *from = (char *)(uintptr_t)text.p; /* iconv only reads, but takes no const */
    size_t left = text.n;
    bool is_ok = iconv(converter, &from, &left, &to, &room) != (size_t)-1 &&
                 iconv(converter, NULL, NULL, &to, &room) != (size_t)-1;
    *bad_at = text.n - left;
    *out = (struct str){start, (size_t)(to - start)};
    return is_ok;
}

static enum err from_other(struct arena *a, const char *iconv_name, struct str text,
                           struct str *out, struct str *problem)
{
    size_t bad_at;
    iconv_t converter = iconv_open("UTF-8", iconv_name);
    if (converter == (iconv_t)-1) {
        *problem = arena_printf(a, "unknown encoding: %s", iconv_name);
        return ERR_PARSE;
    }
    bool is_ok = text.n == 0 || run_iconv(converter, a, text, out, &bad_at);
    (void)iconv_close(converter);
    if (!is_ok) {
        *problem = arena_printf(a, "'%s' codec can't decode the bytes from position %zu on",
                                iconv_name, bad_at);
        return ERR_PARSE;
    }
    return ERR_OK;
}

enum err charset_to_utf8(struct arena *a, struct str charset, struct str text, struct str *out,
                         struct str *problem)
{
    char plain[NAME_MAX_BYTES];
    *out = text;
    *problem = STR_NULL;
    if (str_trim(charset).n == 0) {
        return ERR_OK;
    }
    if (plain_name(str_trim(charset), plain) > 0) {
        if (is_one_of(plain, "utf8,u8")) {
            return ERR_OK;
        }
        if (is_one_of(plain, "usascii,ascii,646")) {
            return from_ascii(a, text, out, problem);
        }
        if (is_one_of(plain, "latin1,iso88591,88591,l1,cp819")) {
            *out = from_latin1(a, text);
            return ERR_OK;
        }
        for (size_t i = 0; i < COUNT_OF(converters); i++) {
            if (strcmp(plain, converters[i].plain) == 0) {
                return from_other(a, converters[i].iconv_name, text, out, problem);
            }
        }
    }
    *problem = arena_printf(a, "unknown encoding: %.*s", STR_ARG(charset_repair(a, charset)));
    return ERR_PARSE;
}

/* Of a sequence that is wrong: how many bytes are the start of a right one? At least the first
 * counts, so that there is one U+FFFD for each such start (Unicode 15, table 3-8). */
static size_t wrong_bytes(struct str s)
{
    unsigned char lead = (unsigned char)s.p[0];
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    for (size_t keep = length - 1; keep > 1; keep--) {
        char completed[4] = {'\x80', '\x80', '\x80', '\x80'};
        if (keep > s.n) {
            continue;
        }
        memcpy(completed, s.p, keep);
        if (utf8_valid((struct str){completed, length}, NULL)) {
            return keep;
        }
    }
    return 1;
}

struct str charset_repair(struct arena *a, struct str s)
{
    size_t bad_at;
    if (utf8_valid(s, &bad_at)) {
        return s;
    }
    char *out = arena_alloc(a, 3 * s.n + 1);
    size_t n = 0;
    while (!utf8_valid(s, &bad_at)) {
        memcpy(out + n, s.p, bad_at);
        n += bad_at;
        memcpy(out + n, "\xEF\xBF\xBD", 3);
        n += 3;
        size_t used = bad_at + wrong_bytes((struct str){s.p + bad_at, s.n - bad_at});
        s = (struct str){s.p + used, s.n - used};
    }
    if (s.n > 0) {
        memcpy(out + n, s.p, s.n);
    }
    return (struct str){out, n + s.n};
}
