/* Messages as JSON. */
#pragma once

#include "serve/route.h"
#include "store/message.h"

void api_write_message(struct req *r, const struct message *message);

/* For many of them: few people write most of a page, and what is written of them is kept. */
enum { SENDERS_KEPT = 8 };

struct message_writer {
    struct req *r;
    struct {
        struct uuid id;
        struct str json;
    } senders[SENDERS_KEPT];
    size_t sender_count;
};

/* `struct message_writer w = {.r = r};`, then this for each. */
void api_write_listed_message(struct message_writer *w, const struct message *message);

void api_write_version(struct req *r, const struct message_version *version);

extern const struct shape shape_message;
extern const struct shape shape_message_page;
extern const struct shape shape_message_array; /* a bare list */
extern const struct shape shape_message_version_page;
