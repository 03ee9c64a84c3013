/* Who is to get what: from an id (conversation, user) to the clients that are linked to it. A link is
 * part of something that the client owns. Belongs to one loop. */
#pragma once

#include "live/map.h"

struct live_client;

struct link {
    struct index_group *group; /* NULL: not linked */
    struct link *prev;
    struct link *next;
    struct live_client *client;
};

/* All links of one id; exists while there are any. */
struct index_group {
    struct map_node node;
    struct link *first;
};

struct index {
    struct map groups;
};

void index_init(struct index *index);
/* Nothing is linked any more. */
void index_fini(struct index *index);
void index_add(struct index *index, struct uuid id, struct link *link, struct live_client *client);
/* Of a link that is not linked: nothing. */
void index_remove(struct index *index, struct link *link);
/* The first link of an id, the others by `next`; NULL: none. */
struct link *index_first(const struct index *index, struct uuid id);
static inline struct uuid index_id(const struct link *link)
{
    return link->group->node.key;
}
