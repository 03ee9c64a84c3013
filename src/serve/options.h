/* OPTIONS: DRF's metadata of a resource, made from the input tables. */
#pragma once

#include "serve/route.h"

/* Writes the body. r->call.db is in a transaction (POST and PUT are shown where the caller may). */
void options_write(struct req *r);
