/* Query strings: what is read is valid text, and a link that we build reads back as the same. */
#include <stdlib.h>

#include "base/utf8.h"
#include "http/query.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void rebuild(struct buf *out, const struct query *q)
{
    const struct query_pair changes[] = {
        {STR("page"), STR("2")},
        {STR("cursor"), STR_NULL},
    };
    query_rebuild(out, q, changes, COUNT_OF(changes));
    must(!out->failed);
}

static void check_link(struct arena *a, const struct query *q)
{
    struct buf first;
    struct buf second;
    struct query again;
    buf_init(&first, 1024 * 1024);
    buf_init(&second, 1024 * 1024);
    rebuild(&first, q);
    enum err e = query_parse(a, buf_view(&first), &again);
    must(e == ERR_OK || q->count == QUERY_PAIRS_MAX); /* page was the one too many */
    if (e == ERR_OK) {
        must(str_eq(query_get(&again, STR("page")), STR("2")));
        must(query_get(&again, STR("cursor")).p == NULL);
        rebuild(&second, &again);
        must(str_eq(buf_view(&first), buf_view(&second)));
    }
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct query q;
    arena_init(&a);
    if (query_parse(&a, (struct str){(const char *)data, size}, &q) == ERR_OK) {
        for (size_t i = 0; i < q.count; i++) {
            must(utf8_valid(q.pairs[i].name, NULL) && utf8_valid(q.pairs[i].value, NULL));
        }
        check_link(&a, &q);
    }
    arena_fini(&a);
    return 0;
}
