/* Compact JSON as YAML 1.2 in block style, for people: the same values in the same order. Keys and
 * texts stand without quotes only where every reader of YAML takes them as text. */
#pragma once

#include "base/buf.h"

/* Appends the document. `compact` is ours and valid; there is no check. */
void yaml_from_json(struct buf *out, struct str compact);
