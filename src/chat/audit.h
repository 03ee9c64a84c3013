/* The audit log: what admins did with their power over others, and what of others they were shown. */
#pragma once

#include "chat/call.h"

/* Notes that he was shown what is not his; for chat_audit_noted(). `action` is a literal; `object_id`
 * zero: no one in particular. */
void chat_audit_note(struct call *c, const char *action, struct uuid object_id);
/* Writes the row of what was noted, if anything was. As the last thing of a request that succeeds. */
enum err chat_audit_noted(struct call *c) CHECKED;

/* Writes a row now, which makes needless what was noted. `detail`: a JSON object. */
enum err chat_audit_add(struct call *c, const char *action, struct uuid object_id,
                        struct str detail) CHECKED;
