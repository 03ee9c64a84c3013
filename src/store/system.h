/* Counters, the audit log, what is to be erased. */
#pragma once

#include "db/db.h"
#include "store/model.h"

/* Kept counters, so that the `count` of an unfiltered list costs nothing: what is not deleted. */
enum tally { TALLY_USERS, TALLY_CONVERSATIONS, TALLY_MESSAGES };
enum err store_tally_add(struct db *db, enum tally which, int64_t n) CHECKED;
enum err store_tally_get(struct db *db, enum tally which, int64_t *out) CHECKED;

/* `detail`: a JSON object. `object_id` zero: none. */
enum err store_audit_add(struct db *db, int64_t now_us, struct uuid actor, const char *action,
                         struct uuid object_id, struct str detail) CHECKED;

/* What the background work wipes in batches; kind "user" or "conversation". */
enum err store_erasure_add(struct db *db, const char *kind, struct uuid id, int64_t now_us) CHECKED;
