/* Media types: which of our representations a client gets (Accept, ?format=), and what it sends
 * (Content-Type). The choice is Django REST Framework's: the more specific range wins, among equals
 * our own order decides, q is ignored. Unlike there, ?format= wins over Accept. Any thread. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* A representation that we can send. */
struct renderer {
    struct str media_type; /* "application/json" */
    struct str format;     /* for ?format= and suffixes: "json" */
};

struct accept_choice {
    size_t index;      /* of the renderer; 0 on failure, so that the error can be sent */
    int indent;        /* 1 to 8 blanks as "application/json; indent=2" wished; 0: compact */
    bool problem_json; /* errors are wanted as application/problem+json (RFC 9457) */
};

/* `accept`: the header, STR_NULL or empty where there is none (then anything goes). `format`:
 * STR_NULL or empty where there is none. ERR_NOT_ACCEPTABLE, or ERR_NOT_FOUND for a format that is
 * not in the list. `out` is filled in any case. */
enum err accept_choose(struct str accept, struct str format, const struct renderer *list,
                       size_t count, struct accept_choice *out) CHECKED;

/* A Content-Type (RFC 9110, 8.3). What is not there is STR_NULL. Compare with str_eq_nocase. */
struct media_type {
    struct str type; /* "multipart/form-data", without parameters */
    struct str boundary;
    struct str charset;
};

void media_type_parse(struct arena *a, struct str header, struct media_type *out);

/* The parameter `name` of a header value like  form-data; name="a \"b\""; filename=c  with quotes
 * undone, in the arena or in `header`. As Django, a backslash counts only before '"' and '\'.
 * STR_NULL: it is not there. */
struct str header_param(struct arena *a, struct str header, struct str name);
