/* Who is calling: `Authorization` by itself decides; if it is bad, 401. Without it, a browser's session
 * cookie, which for what changes something must come with a CSRF token (serve/csrf.h). */
#pragma once

#include "serve/route.h"

enum scheme { SCHEME_NONE, SCHEME_BEARER, SCHEME_TOKEN, SCHEME_BASIC };

/* Which scheme the header names; others count as none, as DRF's authenticators pass them over. */
enum scheme identify_scheme(const struct req *r);

/* Has he shown a ticket, on a route that takes one? */
bool identify_by_ticket(const struct req *r);

/* Does it need r->call.db? */
bool identify_reads(const struct req *r);

/* Foresees (db_foresee()) what identify() will ask and, with r->reads_surely, what the route will: as far as
 * the token alone says it. Once for a request. */
void identify_foresee(struct req *r);

/* Does he show an access token whose session was good a moment ago (serve/recent.h)? */
bool identify_was_recent(struct req *r) CHECKED;

/* Sets r->user, r->session, r->call.me, r->auth_expires_us. Anonymous is no error here. r->call.db
 * must be in a transaction; where it is NULL (serve/inner.h, identify_was_recent()) the ids alone are set and
 * r->is_unread. Basic takes as long as a password hash: on the pool for hashes only. */
enum err identify(struct req *r) CHECKED;

/* Is the caller still who he was when the request was queued? In the transaction that writes; the first to
 * look where r->is_unread. */
enum err identify_again(struct req *r) CHECKED;
