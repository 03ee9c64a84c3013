/* The hub's own frames. Each returns one reference, the caller's. Inside live/. */
#pragma once

#include "live/cursor.h"
#include "live/frame.h"

/* "synced" or "ping": a literal. */
struct live_frame *notice_cursor(const char *type, const struct cursor *cursor, int shards);
struct live_frame *notice_drain(void);
struct live_frame *notice_mark(const struct cursor *cursor, int shards);
