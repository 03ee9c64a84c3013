#include "store/tables.h"

#define COLUMNS(table) static const struct table_column table##_columns[]

COLUMNS(account) = {
    {"id", DB_UUID},         {"username", DB_TEXT},     {"username_key", DB_TEXT},
    {"email", DB_TEXT},      {"email_key", DB_TEXT},    {"first_name", DB_TEXT},
    {"last_name", DB_TEXT},  {"phone_number", DB_TEXT}, {"role", DB_TEXT},
    {"password", DB_TEXT},   {"metadata", DB_TEXT},     {"is_active", DB_BOOL},
    {"created_at", DB_TIME}, {"last_seen_at", DB_TIME}, {"deleted_at", DB_TIME},
    {"stamp", DB_INT},
};

COLUMNS(account_word) = {{"word", DB_TEXT}, {"user_id", DB_UUID}, {"is_private", DB_BOOL}};

COLUMNS(session) = {
    {"id", DB_UUID},         {"user_id", DB_UUID},          {"kind", DB_TEXT},
    {"token_hash", DB_BLOB}, {"generation", DB_INT},        {"issued_at", DB_TIME},
    {"created_at", DB_TIME}, {"refresh_ended_at", DB_TIME}, {"expires_at", DB_TIME},
    {"user_agent", DB_TEXT}, {"last_used_at", DB_TIME},     {"address", DB_TEXT},
    {"revoked_at", DB_TIME},
};

COLUMNS(conversation) = {
    {"id", DB_UUID},         {"title", DB_TEXT},        {"metadata", DB_TEXT},
    {"direct_key", DB_BLOB}, {"created_by", DB_UUID},   {"created_at", DB_TIME},
    {"updated_at", DB_TIME}, {"closed_at", DB_TIME},    {"deleted_at", DB_TIME},
    {"last_seq", DB_INT},    {"message_count", DB_INT}, {"participant_count", DB_INT},
    {"rev", DB_INT},         {"stamp", DB_INT},
};

COLUMNS(participant) = {
    {"conversation_id", DB_UUID},
    {"user_id", DB_UUID},
    {"role", DB_TEXT},
    {"joined_at", DB_TIME},
    {"left_at", DB_TIME},
    {"read_seq", DB_INT},
    {"muted_until", DB_TIME},
    {"archived", DB_BOOL},
    {"pinned", DB_BOOL},
    {"rev", DB_INT},
    {"stamp", DB_INT},
    {"joined_stamp", DB_INT},
};

COLUMNS(message) = {
    {"conversation_id", DB_UUID}, {"seq", DB_INT},        {"id", DB_UUID},
    {"sender_id", DB_UUID},       {"body", DB_TEXT},      {"metadata", DB_TEXT},
    {"reply_to", DB_UUID},        {"client_id", DB_UUID}, {"fingerprint", DB_BLOB},
    {"sent_at", DB_TIME},         {"edited_at", DB_TIME}, {"deleted_at", DB_TIME},
    {"pinned_at", DB_TIME},       {"rev", DB_INT},        {"stamp", DB_INT},
    {"sent_stamp", DB_INT},
};

COLUMNS(message_history) = {
    {"message_id", DB_UUID}, {"n", DB_INT},          {"body", DB_TEXT},
    {"written_at", DB_TIME}, {"editor_id", DB_UUID},
};

COLUMNS(idempotency) = {
    {"user_id", DB_UUID}, {"request", DB_BLOB},    {"body", DB_BLOB},      {"status", DB_INT},
    {"answer", DB_TEXT},  {"created_at", DB_TIME}, {"object_id", DB_UUID},
};

COLUMNS(erasure) = {
    {"kind", DB_TEXT}, {"id", DB_UUID},    {"requested_at", DB_TIME},
    {"done", DB_INT},  {"error", DB_TEXT}, {"failed_at", DB_TIME},
};

COLUMNS(demotion) = {
    {"user_id", DB_UUID}, {"requested_at", DB_TIME}, {"error", DB_TEXT}, {"failed_at", DB_TIME},
};

COLUMNS(audit) = {
    {"id", DB_UUID},     {"at", DB_TIME},        {"actor_id", DB_UUID},
    {"action", DB_TEXT}, {"object_id", DB_UUID}, {"detail", DB_TEXT},
};

COLUMNS(ws_ticket) = {{"id", DB_UUID}, {"expires_at", DB_TIME}};

COLUMNS(change_log) = {
    {"shard", DB_INT},
    {"stamp", DB_INT},
    {"n", DB_INT},
    {"kind", DB_INT},
    {"conversation_id", DB_UUID},
    {"object_id", DB_UUID},
    {"rev", DB_INT},
    {"at", DB_TIME},
};

COLUMNS(incarnation) = {
    {"n", DB_INT},      {"id", DB_UUID},         {"identity", DB_TEXT},
    {"began", DB_TEXT}, {"created_at", DB_TIME},
};

COLUMNS(shard) = {
    {"id", DB_INT},       {"stamp", DB_INT}, {"users", DB_INT}, {"conversations", DB_INT},
    {"messages", DB_INT},
};

#define TABLE(table, key_columns)                                                                  \
    {                                                                                              \
#table, key_columns, table##_columns, COUNT_OF(table##_columns)                            \
    }

const struct table store_tables[TABLE_COUNT] = {
    [TABLE_ACCOUNT] = TABLE(account, 1),
    [TABLE_ACCOUNT_WORD] = TABLE(account_word, 2),
    [TABLE_SESSION] = TABLE(session, 1),
    [TABLE_CONVERSATION] = TABLE(conversation, 1),
    [TABLE_PARTICIPANT] = TABLE(participant, 2),
    [TABLE_MESSAGE] = TABLE(message, 2),
    [TABLE_MESSAGE_HISTORY] = TABLE(message_history, 2),
    [TABLE_IDEMPOTENCY] = TABLE(idempotency, 2),
    [TABLE_ERASURE] = TABLE(erasure, 2),
    [TABLE_DEMOTION] = TABLE(demotion, 1),
    [TABLE_AUDIT] = TABLE(audit, 1),
    [TABLE_WS_TICKET] = TABLE(ws_ticket, 1),
    [TABLE_CHANGE_LOG] = TABLE(change_log, 3),
    [TABLE_INCARNATION] = TABLE(incarnation, 1),
    [TABLE_SHARD] = TABLE(shard, 1),
};
