#include "chat/name.h"

#include "base/utf8.h"
#include "base/uuid.h"
#include "chat/email.h"
#include "chat/letter.h"

/* Room for digits behind a username that is made of an e-mail address. */
enum { USERNAME_BASE_MAX = 130 };

static bool is_username_point(uint32_t point)
{
    return letter_is_name(point) || point == '.' || point == '+' || point == '-';
}

static bool is_uuid(struct str text)
{
    struct uuid id;
    return uuid_parse(text, &id);
}

bool username_valid(struct str name)
{
    size_t length = utf8_valid(name, NULL) ? utf8_length(name) : 0;
    if (length == 0 || length > USERNAME_LENGTH_MAX || is_uuid(name)) {
        return false;
    }
    while (name.n > 0) {
        uint32_t point;
        size_t bytes = letter_next(name, &point);
        if (!is_username_point(point)) {
            return false;
        }
        name = (struct str){name.p + bytes, name.n - bytes};
    }
    return true;
}

struct str username_key(struct arena *a, struct str name)
{
    return utf8_fold(a, name);
}

struct str username_from_email(struct arena *a, struct str email)
{
    struct str local = email_local_part(email);
    char *out = arena_alloc(a, local.n + 1);
    size_t n = 0;
    for (size_t points = 0; local.n > 0 && points < USERNAME_BASE_MAX;) {
        uint32_t point;
        size_t bytes = letter_next(local, &point);
        if (is_username_point(point)) {
            memcpy(out + n, local.p, bytes);
            n += bytes;
            points++;
        }
        local = (struct str){local.p + bytes, local.n - bytes};
    }
    struct str name = {out, n};
    return username_valid(name) ? name : STR("user");
}

/* As many bytes of `word` as whole characters make of WORD_BYTES_MAX. */
static struct str cut_word(struct str word)
{
    if (word.n > WORD_BYTES_MAX) {
        word.n = WORD_BYTES_MAX;
        while (word.n > 0 && ((unsigned char)word.p[word.n] & 0xC0) == 0x80) {
            word.n--;
        }
    }
    return word;
}

size_t name_words(struct arena *a, struct str text, struct str *words, size_t max)
{
    struct str rest = utf8_fold(a, text);
    struct str word = {rest.p, 0};
    size_t count = 0;
    while (rest.n > 0 && count < max) {
        uint32_t point;
        size_t bytes = letter_next(rest, &point);
        rest = (struct str){rest.p + bytes, rest.n - bytes};
        if (letter_is_word(point)) {
            word.n += bytes;
        }
        if (word.n > 0 && (!letter_is_word(point) || rest.n == 0)) {
            words[count++] = cut_word(word);
            word.n = 0;
        }
        if (word.n == 0) {
            word.p = rest.p;
        }
    }
    return count;
}
