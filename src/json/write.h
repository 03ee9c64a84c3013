/* JSON for clients, written straight into a buf: no tree, no blanks, commas set by themselves. A
 * document is one value; whether it went well is in the buf (`failed`), which also fails when the
 * nesting is wrong or deeper than JSON_OUT_DEPTH_MAX. Text must be valid UTF-8.
 *
 *     struct json_out o;
 *     json_out_init(&o, &buf);
 *     json_open_object(&o);
 *     json_field_uuid(&o, "id", message->id);
 *     json_field_str(&o, "content", message->content);
 *     json_close_object(&o);
 *
 * Two names differ from the pattern because jansson owns json_null and json_real, and a shared
 * library would call ours: json_put_null and json_double. */
#pragma once

#include "base/buf.h"
#include "base/uuid.h"

enum { JSON_OUT_DEPTH_MAX = 32 };

struct json_out {
    struct buf *b;
    uint64_t filled; /* bit n: nesting level n has an item, so that a comma is due */
    unsigned depth;
    bool after_key; /* the next value belongs to a key that is written */
};

void json_out_init(struct json_out *o, struct buf *b);
/* All closed, and the buf did not fail. */
bool json_out_done(const struct json_out *o);

void json_open_object(struct json_out *o);
void json_close_object(struct json_out *o);
void json_open_array(struct json_out *o);
void json_close_array(struct json_out *o);

/* The key as a literal that needs no escape: it is quoted by the compiler. */
#define json_key(o, name) json_key_quoted((o), ",\"" name "\":", sizeof(",\"" name "\":") - 1)
/* A key that is only known at run time. */
void json_key_str(struct json_out *o, struct str name);

void json_str(struct json_out *o, struct str s); /* absent counts as empty */
void json_str_or_null(struct json_out *o, struct str s);
void json_i64(struct json_out *o, int64_t n);
void json_bool(struct json_out *o, bool yes);
void json_put_null(struct json_out *o);
/* As Python's repr: the shortest digits that read back the same. Not finite: null. */
void json_double(struct json_out *o, double d);
void json_uuid(struct json_out *o, struct uuid id);
void json_uuid_or_null(struct json_out *o, struct uuid id); /* all zero: null */
void json_time(struct json_out *o, int64_t us);
void json_time_or_null(struct json_out *o, int64_t us); /* 0: null */
/* One value that is JSON already. */
void json_raw(struct json_out *o, struct str json);

#define json_field_str(o, name, s) (json_key(o, name), json_str((o), (s)))
#define json_field_str_or_null(o, name, s) (json_key(o, name), json_str_or_null((o), (s)))
#define json_field_i64(o, name, n) (json_key(o, name), json_i64((o), (n)))
#define json_field_bool(o, name, yes) (json_key(o, name), json_bool((o), (yes)))
#define json_field_null(o, name) (json_key(o, name), json_put_null(o))
#define json_field_double(o, name, d) (json_key(o, name), json_double((o), (d)))
#define json_field_uuid(o, name, id) (json_key(o, name), json_uuid((o), (id)))
#define json_field_uuid_or_null(o, name, id) (json_key(o, name), json_uuid_or_null((o), (id)))
#define json_field_time(o, name, us) (json_key(o, name), json_time((o), (us)))
#define json_field_time_or_null(o, name, us) (json_key(o, name), json_time_or_null((o), (us)))
#define json_field_raw(o, name, json) (json_key(o, name), json_raw((o), (json)))
#define json_field_open_object(o, name) (json_key(o, name), json_open_object(o))
#define json_field_open_array(o, name) (json_key(o, name), json_open_array(o))

/* Compact JSON laid out as Python's json.dumps(indent=spaces) does: a line for each item, ": "
 * behind keys, {} and [] when empty. `compact` is ours and valid; there is no check. */
void json_indent(struct buf *out, struct str compact, int spaces);

/* For json_key: `text` is ,"name": and the comma is left out where none is due. */
static inline void json_key_quoted(struct json_out *o, const char *text, size_t n)
{
    uint64_t level = UINT64_C(1) << o->depth;
    size_t skip = (o->filled & level) != 0 ? 0 : 1;
    o->filled |= level;
    o->after_key = true;
    buf_add(o->b, text + skip, n - skip);
}
