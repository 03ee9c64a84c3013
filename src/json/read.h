/* JSON from clients: strict (RFC 8259), read by jansson into a tree, with limits of our own before
 * it. What is wrong is told in the manner of Python's json module, which clients of the original
 * know from "JSON parse error - ...". Not for our own output: that is json/write.h. Any thread. */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"

enum { JSON_DEPTH_MAX = 32 }; /* lists and objects inside each other */

/* Reads one value of any kind (lists and scalars are the caller's business). ERR_PARSE: `problem`
 * says why, in the arena, without a full stop: "Expecting value: line 1 column 18 (char 17)".
 * Of a key that is there twice the last one counts. U+0000 is allowed in values, since the check
 * of the field answers it. Numbers must fit int64_t or double. The caller gives *root back with
 * json_decref; it is NULL on failure. ERR_INTERNAL: out of memory. */
enum err json_read(struct arena *a, struct str text, json_t **root, struct str *problem) CHECKED;

/* `value` as compact JSON in the arena, keys in their order, numbers as Python prints them: 0.1 and
 * 12.0 stay what they were. STR_NULL: deeper than JSON_DEPTH_MAX, or longer than 16 MiB. */
struct str json_dump_compact(struct arena *a, const json_t *value);
