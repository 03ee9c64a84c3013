/* Forms. The first line of the input is the Content-Type, the rest the body. */
#include <stdlib.h>

#include "base/utf8.h"
#include "http/form.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool lies_in(struct str part, struct str whole)
{
    uintptr_t start = (uintptr_t)whole.p;
    uintptr_t at = (uintptr_t)part.p;
    return at >= start && at - start <= whole.n && part.n <= whole.n - (at - start);
}

static void check_form(const struct form *form, struct str body)
{
    for (size_t i = 0; i < form->fields.count; i++) {
        must(utf8_valid(form->fields.pairs[i].name, NULL));
        must(utf8_valid(form->fields.pairs[i].value, NULL));
    }
    for (size_t i = 0; i < form->file_count; i++) {
        must(utf8_valid(form->files[i].name, NULL));
        must(form->files[i].filename.n > 0 && utf8_valid(form->files[i].filename, NULL));
        must(!str_contains_byte(form->files[i].filename, '/'));
        must(!str_contains_byte(form->files[i].filename, '\0'));
        must(lies_in(form->files[i].content, body));
    }
    must(form->fields.count + form->file_count <= FORM_PARTS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct form form;
    struct media_type type;
    struct str problem;
    struct str body = {(const char *)data, size};
    struct str header = str_cut(&body, '\n');
    if (body.p == NULL) {
        return 0;
    }
    arena_init(&a);
    media_type_parse(&a, header, &type);
    if (form_read(&a, &type, body, &form, &problem) == ERR_OK) {
        check_form(&form, body);
    } else {
        must(problem.n > 0 && utf8_valid(problem, NULL));
    }
    arena_fini(&a);
    return 0;
}
