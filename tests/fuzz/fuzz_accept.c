/* Negotiation and character sets. Lines: Accept, format, Content-Type; the rest is a body. */
#include <stdlib.h>

#include "base/utf8.h"
#include "http/accept.h"
#include "http/charset.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_accept(struct str accept, struct str format)
{
    const struct renderer list[] = {
        {STR("application/json"), STR("json")},
        {STR("text/html"), STR("api")},
    };
    struct accept_choice choice;
    enum err e = accept_choose(accept, format, list, COUNT_OF(list), &choice);
    must(e == ERR_OK || e == ERR_NOT_ACCEPTABLE || e == ERR_NOT_FOUND);
    must(choice.index < COUNT_OF(list) && choice.indent >= 0 && choice.indent <= 8);
    if (e == ERR_OK && format.n > 0) {
        must(str_eq(list[choice.index].format, format));
    }
}

static void check_charset(struct arena *a, struct str content_type, struct str body)
{
    struct media_type type;
    struct str text;
    struct str problem;
    media_type_parse(a, content_type, &type);
    if (charset_to_utf8(a, type.charset, body, &text, &problem) != ERR_OK) {
        must(problem.n > 0 && utf8_valid(problem, NULL));
    } else if (text.p != body.p) {
        must(utf8_valid(text, NULL));
    }
    must(utf8_valid(charset_repair(a, body), NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str rest = {(const char *)data, size};
    struct str accept = str_cut(&rest, '\n');
    struct str format = str_cut(&rest, '\n');
    struct str content_type = str_cut(&rest, '\n');
    arena_init(&a);
    check_accept(accept, format);
    check_charset(&a, content_type, rest);
    arena_fini(&a);
    return 0;
}
