#include "chat/letter.h"

#include <utf8proc.h>

size_t letter_next(struct str text, uint32_t *point)
{
    utf8proc_int32_t found = -1;
    utf8proc_ssize_t bytes =
        utf8proc_iterate((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n, &found);
    *point = (uint32_t)found;
    return bytes > 0 ? (size_t)bytes : 1;
}

static bool is_letter_or_digit(uint32_t point)
{
    switch (utf8proc_category((utf8proc_int32_t)point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return false;
    }
}

bool letter_is_name(uint32_t point)
{
    return point == '_' || is_letter_or_digit(point);
}

bool letter_is_word(uint32_t point)
{
    switch (utf8proc_category((utf8proc_int32_t)point)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC: return true;
    default: return is_letter_or_digit(point);
    }
}
