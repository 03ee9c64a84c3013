/* Background work: erasing what was deleted, ending roles, dropping what is over. It looks every few seconds, in
 * a snapshot of its own, and where there is something to do gives it to the writer as one piece of
 * bounded work after the other, so that requests stand at most one piece behind it. It keeps
 * nothing: what is to be erased stands in the database, and a new process goes on with it.
 *
 * One thread. Nothing waits for it, and no request depends on how soon it comes. */
#pragma once

#include "serve/app.h"

struct jobs;

struct jobs *jobs_start(struct app *app);
/* Waits for the piece under way. Before exec_stop(). NULL: nothing happens. */
void jobs_stop(struct jobs *jobs);
