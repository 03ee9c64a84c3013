/* What is kept beside the messages of a conversation that comes from another program: how many there
 * are, and how far each member has read. No database here. */
#pragma once

#include "base/arena.h"
#include "base/uuid.h"

struct import_member {
    struct uuid id;
    bool has_left;    /* he has sent something, and is no participant */
    int64_t sent_seq; /* his newest message; 0: none */
    int64_t sent_us;  /* its time */
};

struct import_plan {
    struct arena *arena;
    struct import_member *members; /* sorted by id */
    size_t count;
    size_t room;
    int64_t last_seq;
    int64_t last_us;          /* time of the newest message; 0: there is none */
    int64_t unread_seq;       /* the first message that is not marked as read; 0: none */
    struct uuid unread_by;    /* who has sent that */
    int64_t other_unread_seq; /* the first such message of anybody else */
};

/* `ids` in any order; the plan lives in `a`. */
void import_plan_init(struct import_plan *plan, struct arena *a, const struct uuid *ids,
                      size_t count);
/* The next message, in order of time. */
void import_plan_add(struct import_plan *plan, struct uuid sender, int64_t sent_us, bool is_read);
/* Nothing that is marked as unread lies before it, but for what stands before one's own message: who
 * writes has read. */
int64_t import_plan_read_seq(const struct import_plan *plan, const struct import_member *member);
