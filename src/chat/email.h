/* What an e-mail address may look like, and in which form it is kept. No mail is sent here. */
#pragma once

#include "base/arena.h"

enum { EMAIL_LENGTH_MAX = 254 };

/* As Django's EmailValidator judges. A domain in another script is taken as it is written: its
 * labels may have letters, marks and digits of any script. */
bool email_valid(struct str email);

/* As Django stores it: the domain folded, what stands before the '@' as it was typed. In `a`. */
struct str email_normalise(struct arena *a, struct str email);

/* What is unique: folded as a whole. In `a`. */
struct str email_key(struct arena *a, struct str email);

/* What stands before the last '@'. A view into `email`. */
struct str email_local_part(struct str email);
