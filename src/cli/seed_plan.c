#include "cli/seed_plan.h"

#include "base/clock.h"

/* 2025-01-01T00:00:00Z; conversations begin a minute apart, messages a second, a month later. */
static const int64_t start_us = INT64_C(1735689600) * US_PER_SECOND;
enum { MINUTE_S = 60, MONTH_S = 30 * 24 * 60 * 60 };
enum { WORDS_MIN = 3, WORDS_MAX = 20, LONG_EVERY = 20, FIRST_USER_EVERY = 10, HOST_EVERY = 10 };

static const char *const words[] = {
    "the",  "room",  "is",    "ready", "when",  "will",    "you",    "come", "we",
    "can",  "bring", "bread", "and",   "fresh", "flowers", "before", "noon", "please",
    "ring", "twice", "at",    "door",  "many",  "thanks",  "until",  "then",
};

/* SplitMix64: a step of fixed size, and mixing. */
static uint64_t next(struct seed_rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static uint32_t below(struct seed_rng *rng, int64_t n)
{
    return (uint32_t)(next(rng) % (uint64_t)n);
}

static struct uuid make_id(struct seed_rng *rng, int64_t time_us)
{
    uint8_t random[10];
    uint64_t high = next(rng);
    uint64_t low = next(rng);
    memcpy(random, &high, sizeof(high));
    memcpy(random + sizeof(high), &low, sizeof(random) - sizeof(high));
    return uuid_v7(time_us / 1000, random);
}

static bool is_in(const struct seed_conversation *c, uint32_t person)
{
    for (size_t i = 0; i < c->group_size; i++) {
        if (c->group[i] == person) {
            return true;
        }
    }
    return false;
}

static void choose_group(struct seed_plan *plan, struct seed_conversation *c, bool with_first)
{
    int64_t most = plan->size.users < SEED_GROUP_MAX ? plan->size.users : SEED_GROUP_MAX;
    size_t wanted = 2 + below(&plan->rng, most - 1);
    while (c->group_size < wanted) {
        uint32_t person = below(&plan->rng, plan->size.users);
        if (!is_in(c, person)) {
            c->group[c->group_size++] = person;
        }
    }
    if (with_first && !is_in(c, 0)) {
        c->group[0] = 0;
    }
}

static void make_people(struct seed_plan *plan)
{
    plan->admin = (struct seed_person){make_id(&plan->rng, start_us), start_us};
    for (int64_t n = 0; n < plan->size.users; n++) {
        int64_t at = start_us + n * US_PER_SECOND;
        plan->people[n] = (struct seed_person){make_id(&plan->rng, at), at};
    }
}

static void make_conversations(struct seed_plan *plan)
{
    for (int64_t n = 0; n < plan->size.conversations; n++) {
        struct seed_conversation *c = &plan->conversations[n];
        c->created_us = start_us + n * MINUTE_S * US_PER_SECOND;
        c->updated_us = c->created_us;
        c->id = make_id(&plan->rng, c->created_us);
        choose_group(plan, c, n % FIRST_USER_EVERY == 0);
    }
}

/* Whoever writes has read up to there. */
static void make_messages(struct seed_plan *plan)
{
    for (int64_t n = 0; n < plan->size.messages; n++) {
        struct seed_message *m = &plan->messages[n];
        uint32_t at = n % LONG_EVERY == 0 ? 0 : below(&plan->rng, plan->size.conversations);
        struct seed_conversation *c = &plan->conversations[at];
        m->conversation = at;
        m->member = (uint8_t)below(&plan->rng, (int64_t)c->group_size);
        m->seq = ++c->last_seq;
        c->updated_us = seed_plan_sent_us((size_t)n);
        c->read_seq[m->member] = m->seq;
    }
}

/* One in two has been there since he wrote, and has read everything. */
static void read_the_rest(struct seed_plan *plan)
{
    for (int64_t n = 0; n < plan->size.conversations; n++) {
        struct seed_conversation *c = &plan->conversations[n];
        for (size_t i = 0; i < c->group_size; i++) {
            if (below(&plan->rng, 2) == 0) {
                c->read_seq[i] = c->last_seq;
            }
        }
    }
}

void seed_plan_make(struct seed_plan *plan, const struct seed_size *size, struct arena *a)
{
    *plan = (struct seed_plan){.size = *size, .rng = {(uint64_t)size->seed}};
    plan->people = ARENA_ARRAY(a, struct seed_person, (size_t)size->users);
    plan->conversations = ARENA_ARRAY(a, struct seed_conversation, (size_t)size->conversations);
    plan->messages = ARENA_ARRAY(a, struct seed_message, (size_t)size->messages);
    make_people(plan);
    make_conversations(plan);
    make_messages(plan);
    read_the_rest(plan);
}

bool seed_plan_is_host(uint32_t person)
{
    return person % HOST_EVERY == HOST_EVERY - 1;
}

int64_t seed_plan_sent_us(size_t message)
{
    return start_us + (MONTH_S + (int64_t)message) * US_PER_SECOND;
}

struct uuid seed_plan_next_id(struct seed_plan *plan, int64_t time_us)
{
    return make_id(&plan->rng, time_us);
}

size_t seed_plan_next_text(struct seed_plan *plan, char out[SEED_TEXT_MAX])
{
    size_t n = 0;
    uint32_t count = WORDS_MIN + below(&plan->rng, WORDS_MAX - WORDS_MIN + 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *word = words[below(&plan->rng, COUNT_OF(words))];
        size_t length = strlen(word);
        if (n > 0) {
            out[n++] = ' ';
        }
        memcpy(out + n, word, length);
        n += length;
    }
    return n;
}
