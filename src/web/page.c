#include "web/page.h"

#include <assert.h>

#include "web/assets.h"

/* Where `what` begins in s at or behind `from`; s.n if nowhere. */
static size_t find(struct str s, size_t from, const char what[2])
{
    for (size_t i = from; i + 1 < s.n; i++) {
        if (s.p[i] == what[0] && s.p[i + 1] == what[1]) {
            return i;
        }
    }
    return s.n;
}

static struct str text_of(const struct slot *slots, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, str_of(slots[i].name))) {
            return slots[i].text;
        }
    }
    assert(false && "a name that is no slot");
    return STR("");
}

void page_fill(struct buf *out, struct str template, const struct slot *slots, size_t count)
{
    size_t at = 0;
    while (at < template.n) {
        size_t open = find(template, at, "{{");
        size_t close = find(template, open, "}}");
        buf_add(out, template.p + at, open - at);
        if (close == template.n) {
            buf_add(out, template.p + open, template.n - open);
            return;
        }
        struct str name = {template.p + open + 2, close - open - 2};
        buf_html(out, text_of(slots, count, name));
        at = close + 2;
    }
}

void page_write(struct req *r, const char *path, const struct slot *slots, size_t count,
                struct buf *out)
{
    struct str template;
    if (asset_text(r, path, &template)) {
        page_fill(out, template, slots, count);
    }
}

struct str page_user(const struct req *r)
{
    return r->call.me != NULL ? r->call.me->username : STR("");
}

enum err page_ask_nothing(struct req *r)
{
    (void)r;
    return ERR_OK;
}
