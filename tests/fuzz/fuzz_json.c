/* JSON from clients: never a crash, always a reason, and what was read survives being written. */
#include <stdlib.h>

#include "base/utf8.h"
#include "json/read.h"
#include "json/write.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_same(struct arena *a, struct str text, const json_t *root)
{
    json_t *again;
    struct str problem;
    must(json_read(a, text, &again, &problem) == ERR_OK);
    must(json_equal((json_t *)(uintptr_t)root, again));
    json_decref(again);
}

static void check_good(struct arena *a, const json_t *root)
{
    struct buf indented;
    struct str text = json_dump_compact(a, root);
    must(text.p != NULL);
    check_same(a, text, root);
    buf_init(&indented, 16 * 1024 * 1024);
    for (int spaces = 0; spaces <= 8; spaces += 4) {
        buf_reset(&indented);
        json_indent(&indented, text, spaces);
        must(!indented.failed);
        check_same(a, buf_view(&indented), root);
    }
    buf_fini(&indented);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str problem;
    struct buf any;
    json_t *root;
    struct str text = {(const char *)data, size};
    arena_init(&a);
    if (json_read(&a, text, &root, &problem) == ERR_OK) {
        check_good(&a, root);
        json_decref(root);
    } else {
        must(root == NULL && problem.n > 0 && utf8_valid(problem, NULL));
    }
    buf_init(&any, 64 * 1024); /* laying out what is no JSON must end too */
    json_indent(&any, text, 2);
    buf_fini(&any);
    arena_fini(&a);
    return 0;
}
