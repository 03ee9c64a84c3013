/* Numbers about the process that are told in more than one place. */
#pragma once

#include "serve/req.h"

/* Since the server was started, microseconds. */
int64_t api_up_us(const struct app *app, int64_t now_us);
/* Of the database's write-ahead log, where it is a file; else 0. */
int64_t api_log_bytes(struct req *r);
/* Memory that the process holds; 0: not to be told. */
int64_t api_resident_bytes(void);
/* Processor time that it has taken, microseconds. */
int64_t api_cpu_us(void);
