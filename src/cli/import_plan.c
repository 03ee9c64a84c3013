#include "cli/import_plan.h"

#include <stdlib.h>

static int by_id(const void *a, const void *b)
{
    const struct import_member *x = a;
    const struct import_member *y = b;
    return uuid_compare(x->id, y->id);
}

/* Where he is, or where he would be. */
static size_t find(const struct import_plan *plan, struct uuid id)
{
    size_t low = 0;
    size_t high = plan->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uuid_compare(plan->members[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void import_plan_init(struct import_plan *plan, struct arena *a, const struct uuid *ids,
                      size_t count)
{
    *plan = (struct import_plan){.arena = a, .count = count, .room = count};
    plan->members = ARENA_ARRAY(a, struct import_member, count + 1);
    for (size_t i = 0; i < count; i++) {
        plan->members[i].id = ids[i];
    }
    qsort(plan->members, count, sizeof(plan->members[0]), by_id);
}

static struct import_member *insert(struct import_plan *plan, size_t at, struct uuid id)
{
    if (plan->count == plan->room) {
        size_t room = 2 * plan->room + 8;
        struct import_member *members = ARENA_ARRAY(plan->arena, struct import_member, room);
        memcpy(members, plan->members, plan->count * sizeof(*members));
        plan->members = members;
        plan->room = room;
    }
    struct import_member *member = &plan->members[at];
    memmove(member + 1, member, (plan->count - at) * sizeof(*member));
    *member = (struct import_member){.id = id, .has_left = true};
    plan->count++;
    return member;
}

static void note_unread(struct import_plan *plan, struct uuid sender)
{
    if (plan->unread_seq == 0) {
        plan->unread_seq = plan->last_seq;
        plan->unread_by = sender;
    } else if (plan->other_unread_seq == 0 && !uuid_eq(sender, plan->unread_by)) {
        plan->other_unread_seq = plan->last_seq;
    }
}

void import_plan_add(struct import_plan *plan, struct uuid sender, int64_t sent_us, bool is_read)
{
    size_t at = find(plan, sender);
    bool known = at < plan->count && uuid_eq(plan->members[at].id, sender);
    struct import_member *member = known ? &plan->members[at] : insert(plan, at, sender);
    plan->last_seq++;
    plan->last_us = sent_us;
    member->sent_seq = plan->last_seq;
    member->sent_us = sent_us;
    if (!is_read) {
        note_unread(plan, sender);
    }
}

int64_t import_plan_read_seq(const struct import_plan *plan, const struct import_member *member)
{
    bool own = uuid_eq(member->id, plan->unread_by);
    int64_t unread = own ? plan->other_unread_seq : plan->unread_seq;
    int64_t read = unread == 0 ? plan->last_seq : unread - 1;
    return read > member->sent_seq ? read : member->sent_seq;
}
