/* What a Redis server says (RESP, version 3), as far as the bus needs it: one value after the other, in
 * memory that somebody else owns. Strict and bounded: what no server of good will would say is bad, and
 * the connection is to be closed. Pure functions; any thread. */
#pragma once

#include "base/str.h"

enum { RESP_SIZE_MAX = 256 * 1024, RESP_ITEMS = 3 };

enum resp_kind {
    RESP_TEXT,
    RESP_ERROR, /* `text` is what the server has to say */
    RESP_NUMBER,
    RESP_OTHER, /* null, a truth value, a fraction */
    RESP_LIST,  /* also a map or a set */
    RESP_PUSH,  /* a list that answers nothing: a message of a channel */
};

struct resp {
    enum resp_kind kind;
    struct str text; /* absent but with texts and errors */
    int64_t number;
    size_t count; /* of a list: its items, a map's keys and values each */
    /* The first items of a list; absent: a list itself, a null, or there are not so many. Numbers as
     * they are written. */
    struct str items[RESP_ITEMS];
};

enum resp_result { RESP_OK, RESP_MORE, RESP_BAD };

/* Reads the value at the beginning of `in`; RESP_OK: *used bytes are it. RESP_MORE: it is not all there
 * yet (never if `in` has RESP_SIZE_MAX bytes). What is in *out points into `in`. */
enum resp_result resp_read(struct str in, struct resp *out, size_t *used) CHECKED;
