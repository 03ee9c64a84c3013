#include "chat/audit.h"

#include "store/system.h"

void chat_audit_note(struct call *c, const char *action, struct uuid object_id)
{
    c->noted = (struct chat_noted){action, object_id};
}

static enum err add_row(struct call *c, const char *action, struct uuid object_id,
                        struct str detail)
{
    return store_audit_add(c->db, c->now_us, c->me->id, action, object_id, detail);
}

/* It stays noted: the writer may have to do it again. */
enum err chat_audit_noted(struct call *c)
{
    const struct chat_noted *noted = &c->noted;
    return noted->action != NULL ? add_row(c, noted->action, noted->object_id, STR("{}")) : ERR_OK;
}

enum err chat_audit_add(struct call *c, const char *action, struct uuid object_id,
                        struct str detail)
{
    c->noted = (struct chat_noted){NULL, {{0}}};
    return add_row(c, action, object_id, detail);
}
