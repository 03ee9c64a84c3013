/* admin/notifications/: what one user has not read. Nobody stores notifications: they follow from his
 * read positions, so that there is no list of everybody's. */
#include "api/admin.h"
#include "api/notifications.h"
#include "chat/account.h"
#include "chat/audit.h"

static const struct field list_query[] = {
    PAGE_FIELDS,
    {.name = "user",
     .type = FIELD_USER,
     .required = true,
     .help = "Whose, by id, username or e-mail."},
    CONVERSATION_FIELD,
};

static enum err list_notifications(struct req *r)
{
    struct call *c = &r->call;
    const struct value *ref = req_filter(r, "user");
    struct user user;
    struct unread *unread = ARENA_ARRAY(c->arena, struct unread, 1);
    size_t count = 0;
    bool found = false;
    if (!value_is_set(ref)) {
        return req_problem(r, "user", STR("This field is required."));
    }
    enum err e = chat_account_find(c, ref->text, &user, &found);
    if (e == ERR_OK && found) {
        e = store_unread_list(c->db, c->arena, user.id, c->now_us, &unread, &count);
    }
    if (e == ERR_OK) {
        e = api_answer_notifications(r, unread, count);
    }
    if (e == ERR_OK && found) {
        chat_audit_note(c, "notification.list", user.id);
    }
    return e;
}

const struct resource api_admin_notification_list_resource = {
    .name = "Admin Notification List",
    .description = "What one user has not read in conversations that he has not muted.",
    .paths = {"admin/notifications/"},
    .methods = {ADMIN_LIST_ROUTE(list_query, list_notifications, shape_notification_page)},
};
