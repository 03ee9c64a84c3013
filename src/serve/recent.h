/* Sessions that a database server has known to be good within the last minute. What one of them writes goes to
 * the writer at once, which looks itself; only how often somebody may ask is counted before. So nothing
 * of who may do what rests on it: a session that was revoked meanwhile can still use up its user's
 * requests, for that minute.
 *
 * A table without locks: of sessions that share a row the last one stays. Any thread. */
#pragma once

#include <stdatomic.h>

#include "base/uuid.h"

enum { RECENT_SESSIONS = 4096, RECENT_S = 60 };

struct recent {
    /* 32 bits of the id, and the second of the steady clock. */
    atomic_uint_fast64_t rows[RECENT_SESSIONS];
};

void recent_note(struct recent *recent, struct uuid session_id);
bool recent_has(const struct recent *recent, struct uuid session_id);
