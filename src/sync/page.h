/* Catching up: present state in bounded pages. SYNC.md, section 3.
 *
 * A round leads from a cursor C to the positions H of its first snapshot. It goes through the user's
 * conversations in order of id; of each that has changed after C: what is gone; the conversation; the
 * own membership; messages that are new or changed after C, by rev; read positions that moved after
 * C. More than PAGE_MESSAGES_MAX messages, or a membership that began after C: the conversation is
 * "limited", with its newest PAGE_LIMITED messages. Rights are those of the snapshot of each page. */
#pragma once

#include "live/hub.h"

enum { PAGE_MESSAGES_MAX = 100, PAGE_LIMITED = 20 };

/* Reads pull->page from the snapshot that db is in. `incarnation`: the present one, which new cursors
 * are of. Failures are in pull->page.failure. */
void page_read(struct live_pull *pull, struct db *db, struct position *seen);
