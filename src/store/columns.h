/* Column lists that several queries share, and the functions that read them. */
#pragma once

#include "db/db.h"
#include "store/model.h"

/* 12 columns of account under the alias `u` (a literal). */
#define USER_COLUMNS(u)                                                                            \
    u ".id, " u ".username, " u ".email, " u ".first_name, " u ".last_name, " u                    \
      ".phone_number, " u ".role, " u ".metadata, " u ".is_active, " u ".created_at, " u           \
      ".last_seen_at, " u ".deleted_at"
enum { USER_COLUMN_COUNT = 12 };

/* Reads USER_COLUMNS from `column` on; text is copied into the arena. */
void store_read_user(struct db_rows *rows, int column, struct arena *a, struct user *out);

/* 12 columns of session under the alias `s`; store/session.c reads them. */
#define SESSION_COLUMNS(s)                                                                         \
    s ".id, " s ".user_id, " s ".kind, " s ".generation, " s ".issued_at, " s                      \
      ".refresh_ended_at, " s ".created_at, " s ".expires_at, " s ".last_used_at, " s              \
      ".user_agent, " s ".address, " s ".revoked_at"
enum { SESSION_COLUMN_COUNT = 12 };

/* 14 columns of conversation under the alias `c`. */
#define CONVERSATION_COLUMNS(c)                                                                    \
    c ".id, " c ".title, " c ".metadata, " c ".direct_key IS NOT NULL, " c ".created_by, " c       \
      ".created_at, " c ".updated_at, " c ".closed_at, " c ".deleted_at, " c ".last_seq, " c       \
      ".message_count, " c ".participant_count, " c ".rev, " c ".stamp"
enum { CONVERSATION_COLUMN_COUNT = 14 };

void store_read_conversation(struct db_rows *rows, int column, struct arena *a,
                             struct conversation *out);

/* 12 columns of participant under the alias `p`. */
#define PARTICIPANT_COLUMNS(p)                                                                     \
    p ".conversation_id, " p ".user_id, " p ".role, " p ".joined_at, " p ".left_at, " p            \
      ".read_seq, " p ".muted_until, " p ".archived, " p ".pinned, " p ".rev, " p ".stamp, " p     \
      ".joined_stamp"
enum { PARTICIPANT_COLUMN_COUNT = 12 };

void store_read_participant(struct db_rows *rows, int column, struct participant *out);

/* 13 columns of message under the alias m; store/message_row.h reads them. */
#define MESSAGE_COLUMNS                                                                            \
    "m.conversation_id, m.seq, m.id, m.sender_id, m.body, m.metadata, m.reply_to, m.client_id,"    \
    " m.sent_at, m.edited_at, m.deleted_at, m.pinned_at, m.rev"
enum { MESSAGE_COLUMN_COUNT = 13 };

/* What MySQL and MariaDB want in other words ({a}{b}, db/dialect.h). */

/* Behind VALUES: a row that is there already stays as it is. `column`: of the primary key. */
#define OR_KEEP(column) " {ON CONFLICT DO NOTHING}{ON DUPLICATE KEY UPDATE " column " = " column "}"
/* Behind an UPDATE: the columns as they are now, of the row(s) that `from` names again. */
#define RETURNING(columns, from) " {RETURNING " columns "}{; SELECT " columns " FROM " from "}"
/* Behind DELETE ... WHERE: the rows of the primary key `key` that `rows` (with LIMIT) selects. */
#define FIRST_OF(key, table, rows)                                                                 \
    " {(" key ") IN (SELECT " key " FROM " table " WHERE " rows ")}{" rows "}"
/* Rows beyond a place in the order of two columns; `op` is < or >. They go along an index there by the
 * first column alone. */
#define BEYOND(first, second, op, x, y)                                                            \
    " AND (" first ", " second ") " op " (" x ", " y "){}{ AND " first " " op "= " x "}"
/* Does the text, folded, contain the needle, which is? */
#define LOCATED(text, needle) "LOCATE(" needle ", X_FOLD " text " X_FOLDED) > 0"
#define CONTAINS(text, needle) "{contains(" text ", " needle ")}{" LOCATED(text, needle) "}"
