#include "live/index.h"

#include <stdlib.h>

#include "base/arena.h"

void index_init(struct index *index)
{
    map_init(&index->groups);
}

void index_fini(struct index *index)
{
    map_fini(&index->groups);
}

void index_add(struct index *index, struct uuid id, struct link *link, struct live_client *client)
{
    struct index_group *group = (struct index_group *)map_find(&index->groups, id);
    if (group == NULL) {
        group = mem_alloc_zero(sizeof(*group));
        group->node.key = id;
        map_add(&index->groups, &group->node);
    }
    *link = (struct link){.group = group, .next = group->first, .client = client};
    if (group->first != NULL) {
        group->first->prev = link;
    }
    group->first = link;
}

void index_remove(struct index *index, struct link *link)
{
    struct index_group *group = link->group;
    if (group == NULL) {
        return;
    }
    if (link->prev != NULL) {
        link->prev->next = link->next;
    } else {
        group->first = link->next;
    }
    if (link->next != NULL) {
        link->next->prev = link->prev;
    }
    link->group = NULL;
    if (group->first == NULL) {
        map_remove(&index->groups, &group->node);
        free(group);
    }
}

struct link *index_first(const struct index *index, struct uuid id)
{
    struct index_group *group = (struct index_group *)map_find(&index->groups, id);
    return group != NULL ? group->first : NULL;
}
