/* Log lines to standard error, one write each:
 *     2026-11-21T08:00:00.123456Z info listening address=127.0.0.1:8000
 * Never give it a secret (password, token, key, cookie). Any thread. */
#pragma once

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Lines below this level are dropped. Call before threads start. Default: LOG_INFO. */
void log_set_level(enum log_level level);
/* Control characters in the formatted text are written as '?', so one call is one line. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
