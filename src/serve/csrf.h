/* Requests that another site makes a browser send. A browser signs them with the session cookie by
 * itself, so what changes something must also show a token that only our own pages can read, and come
 * from one of them by Origin or Referer (RFC 6454, RFC 9110 10.1.3). The answers are Django's. */
#pragma once

#include "serve/req.h"

/* The token that this browser must show: made of its session; before it has signed in, the one in its
 * cookie, or a new one. In the request's arena. */
struct str csrf_token(struct req *r);

/* The token of a session that begins with this answer. */
struct str csrf_token_of(struct req *r, struct uuid session_id);

/* Does the request come from a page of ours and show the token, in X-CSRFToken or in `field`? ERR_CSRF
 * with r->detail; ERR_TOO_LARGE: the field was in a form over the limit. */
enum err csrf_check(struct req *r, struct str field) CHECKED;
/* The same without a token, for what changes nothing but is not kept apart by the browser either: a
 * WebSocket. */
enum err csrf_check_origin(struct req *r) CHECKED;
/* The form field csrfmiddlewaretoken of a body that is a form; else absent. */
struct str csrf_field(struct req *r);

/* Set-Cookie (RFC 6265). `secret`: scripts cannot read it. `age_s` 0: it is taken away. */
struct str cookie_line(const struct req *r, const char *name, struct str value, int64_t age_s,
                       bool secret);
/* The answer gives the browser its token, if it has another one. */
void csrf_give_cookie(struct req *r);
