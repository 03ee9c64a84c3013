/* Why a text is no JSON, in the words of Python's json module and at its position. Only for texts
 * that jansson has refused: nothing is decided here, so a gap costs a good text and no more. */
#pragma once

#include "base/arena.h"

/* In the arena. STR_NULL: no fault found here. The text must be nested no deeper than
 * JSON_DEPTH_MAX. */
struct str json_explain(struct arena *a, struct str text);

/* ": line 1 column 18 (char 17)" behind `words`. Positions count characters, as Python's do. */
struct str json_problem_at(struct arena *a, struct str words, struct str text, size_t byte);
