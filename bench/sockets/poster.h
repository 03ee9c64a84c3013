/* One keep-alive connection that POSTs messages, in the loop. */
#pragma once

#include "loop.h"

enum { POSTER_ANSWER_MAX = 65536 };

struct poster {
    struct watch watch; /* first */
    struct loop *loop;
    int64_t answered_ns; /* when its last question was answered; 0: not yet */
    char answer[POSTER_ANSWER_MAX];
    size_t answer_n;
};

void poster_open(struct poster *poster, struct loop *loop, uint16_t port);
/* Sends body to path; poster->answered_ns is set when a 201 has come. Any other answer fails. */
void poster_send(struct poster *poster, const char *path, const char *token, const char *body);
void poster_close(struct poster *poster);
