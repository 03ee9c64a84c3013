/* The rows as the program knows them. Text lives in the arena that was given to the function that
 * read the row. Times are microseconds since 1970; 0 means "not" (NULL). */
#pragma once

#include "base/arena.h"
#include "base/uuid.h"

enum role { ROLE_GUEST, ROLE_HOST, ROLE_ADMIN };
enum part { PART_MEMBER, PART_MODERATOR, PART_OWNER }; /* role in a conversation; higher may more */

extern const char *const role_names[]; /* "guest", "host", "admin" */
extern const char *const part_names[]; /* "member", "moderator", "owner" */

/* False: no such name. */
bool role_from(struct str name, enum role *out) CHECKED;
bool part_from(struct str name, enum part *out) CHECKED;

struct user {
    struct uuid id;
    struct str username;
    struct str email;
    struct str first_name;
    struct str last_name;
    struct str phone_number;
    enum role role;
    struct str metadata; /* a JSON object */
    bool is_active;
    int64_t created_at;
    int64_t last_seen_at;
    int64_t deleted_at;
};

/* How it began: by log-in for JWTs, as a long-lived Token, as a browser session. */
enum session_kind { SESSION_JWT, SESSION_TOKEN, SESSION_BROWSER };
extern const char *const session_kind_names[];
#define SESSION_KIND_CHOICES "jwt,token,browser" /* the same, for tables of fields */

struct session {
    struct uuid id;
    struct uuid user_id;
    enum session_kind kind;
    int64_t generation; /* of the refresh token that is valid */
    int64_t issued_at;  /* when that was issued */
    int64_t refresh_ended_at;
    int64_t created_at;
    int64_t expires_at;
    int64_t last_used_at;
    struct str user_agent;
    struct str address;
    int64_t revoked_at;
};

struct conversation {
    struct uuid id;
    struct str title;
    struct str metadata;
    bool direct;
    struct uuid created_by;
    int64_t created_at;
    int64_t updated_at;
    int64_t closed_at;
    int64_t deleted_at;
    int64_t last_seq;
    int64_t message_count;
    int64_t participant_count;
    int64_t rev;
    int64_t stamp; /* of the last change of it, or of anything in it */
};

struct participant {
    struct uuid conversation_id;
    struct uuid user_id;
    enum part role;
    int64_t joined_at;
    int64_t left_at;
    int64_t read_seq;
    int64_t muted_until;
    bool archived;
    bool pinned;
    int64_t rev;
    int64_t stamp;
    int64_t joined_stamp; /* of the commit in which it began, or began again */
};

struct message {
    struct uuid conversation_id;
    int64_t seq;
    struct uuid id;
    struct uuid sender_id;
    struct str body;
    struct str metadata;
    struct uuid reply_to;  /* zero: none */
    struct uuid client_id; /* zero: none */
    int64_t sent_at;
    int64_t edited_at;
    int64_t deleted_at;
    int64_t pinned_at;
    int64_t rev;
    bool is_read;       /* for the one who asked */
    struct user sender; /* where the query reads it too */
};

/* A part of a sorted list. Sort key: a number (time, seq) and an id that makes it unique, or a text
 * that is unique by itself. It holds the values, not the row: that may change or go meanwhile. */
struct list_key {
    int64_t n;
    struct uuid id;
    struct str text;
};

struct window {
    bool descending;       /* direction of reading */
    struct list_key after; /* only what comes behind this in that direction; see window_start */
    int64_t offset;
    int64_t limit;
};

/* The key before everything, in either direction. */
struct list_key window_start(bool descending);
