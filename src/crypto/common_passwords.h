/* The passwords that everybody tries first. Internal to crypto/. */
#pragma once

#include "base/str.h"

/* `lower`: folded to lower case, no blanks around. */
bool password_is_common(struct str lower);
