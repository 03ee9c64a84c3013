/* What `confab seed-demo` writes, worked out before anything is written: the same numbers and the
 * same seed give the same plan, ids included. No database here.
 *
 * The shape is that of the demo data of the Django app this server is measured against: two to five
 * people in a conversation, user 0 in every tenth, each twentieth message in the first one. */
#pragma once

#include "base/arena.h"
#include "base/uuid.h"

enum { SEED_GROUP_MAX = 5 };

struct seed_size {
    int64_t users; /* beside the admin */
    int64_t conversations;
    int64_t messages;
    int64_t seed;
};

struct seed_rng {
    uint64_t state;
};

struct seed_person {
    struct uuid id;
    int64_t created_us;
};

struct seed_conversation {
    struct uuid id;
    int64_t created_us;
    int64_t updated_us;
    int64_t last_seq;
    size_t group_size;
    uint32_t group[SEED_GROUP_MAX];   /* people; the first is the owner */
    int64_t read_seq[SEED_GROUP_MAX]; /* how far each has read */
};

struct seed_message {
    uint32_t conversation;
    uint8_t member; /* of its group: the sender */
    int64_t seq;
};

struct seed_plan {
    struct seed_size size;
    struct seed_person admin;
    struct seed_person *people;
    struct seed_conversation *conversations;
    struct seed_message *messages; /* in order of time */
    struct seed_rng rng;           /* for ids and texts of messages, drawn in that order */
};

/* In `a`. At least two users if there are conversations, and one conversation if there are
 * messages. */
void seed_plan_make(struct seed_plan *plan, const struct seed_size *size, struct arena *a);

/* A host is every tenth. */
bool seed_plan_is_host(uint32_t person);
int64_t seed_plan_sent_us(size_t message);
struct uuid seed_plan_next_id(struct seed_plan *plan, int64_t time_us);

enum { SEED_TEXT_MAX = 256 };
/* Three to twenty words; returns the length. */
size_t seed_plan_next_text(struct seed_plan *plan, char out[SEED_TEXT_MAX]);
