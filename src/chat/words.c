#include "chat/words.h"

#include "base/utf8.h"

static bool next_word(struct str *rest, struct str *word)
{
    const struct str breaks = STR(" ,\t\n\v\f\r");
    while (rest->n > 0) {
        size_t n = 0;
        while (n < rest->n && !str_contains_byte(breaks, rest->p[n])) {
            n++;
        }
        *word = utf8_trim((struct str){rest->p, n});
        size_t passed = n < rest->n ? n + 1 : n;
        *rest = (struct str){rest->p + passed, rest->n - passed};
        if (word->n > 0) {
            return true;
        }
    }
    return false;
}

enum err chat_search_words(struct call *call, struct str text, struct db_val *words, size_t most,
                           size_t *count)
{
    struct str word;
    *count = 0;
    while (next_word(&text, &word)) {
        if (*count == most) {
            problems_add(call->problems, "search",
                         arena_printf(call->arena, "Search for at most %zu words.", most));
            return ERR_INVALID;
        }
        words[(*count)++] = V_TEXT(utf8_fold(call->arena, word));
    }
    return ERR_OK;
}
