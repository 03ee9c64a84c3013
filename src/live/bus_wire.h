/* What nodes tell each other on the bus: a head (who speaks, the how manieth message of his it is), then
 * records. Binary, big-endian, of fixed lengths:
 *
 *     "CFB1" node[8] number[8]      the head; a message without records is a sign of life
 *     p                             something was committed
 *     a                             tell me everything: I am new, or have missed something
 *     s  e                          begin and end of all users that listen at this node
 *     +  user[16]                   a user listens there
 *     -  user[16] at_us[8]          his last client has left
 *     t  conversation[16] user[16]  somebody types
 *     c  key[8] n[4] left_ms[4]     requests of somebody who may not make many (serve/throttle.h)
 *
 * Reading is strict: a message that is not wholly as above does not count. Pure functions. */
#pragma once

#include "base/buf.h"
#include "base/uuid.h"

enum bus_kind {
    BUS_POKE = 'p',
    BUS_ASK = 'a',
    BUS_BEGIN = 's',
    BUS_END = 'e',
    BUS_HERE = '+',
    BUS_GONE = '-',
    BUS_TYPING = 't',
    BUS_COUNT = 'c',
};

/* Requests counted in a window of which so much is left. */
struct bus_count {
    uint64_t key; /* a keyed hash: names do not travel */
    uint32_t n;
    uint32_t left_ms; /* at most a day */
};

struct bus_record {
    enum bus_kind kind;
    struct uuid user_id;
    struct uuid conversation_id;
    int64_t at_us; /* wall clock */
    struct bus_count count;
};

struct bus_head {
    uint64_t node;
    uint64_t number; /* 1, 2, 3 ...: who has not seen them all asks */
};

enum { BUS_MESSAGE_MAX = 32 * 1024, BUS_RECORD_MAX = 40 };

void bus_wire_head(struct buf *out, const struct bus_head *head);
void bus_wire_add(struct buf *out, const struct bus_record *record);

/* *rest: its records. False: it is no message, or one of its records is wrong. */
bool bus_wire_open(struct str message, struct bus_head *head, struct str *rest) CHECKED;
/* The next record of a message that bus_wire_open() has taken; false: there is none. */
bool bus_wire_next(struct str *rest, struct bus_record *record) CHECKED;
