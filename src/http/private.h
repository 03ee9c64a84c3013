/* What the files of the HTTP server share: server.c (start and stop), exchange.c (the library's
 * callbacks, from request line to answer), stream.c (answers without an end), listener.c (new
 * connections), patrol.c (requests that come too slowly). Nobody else includes this. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/server.h"

enum { STATE_READING, STATE_HANDLING, STATE_DEFERRED, STATE_CONTINUED, STATE_REPLIED };

/* What a connection is at; see patrol.c. */
enum link_phase {
    LINK_IDLE,    /* no request line yet */
    LINK_READING, /* the rest of a request */
    LINK_BUSY,    /* its answer */
    LINK_TAKEN,   /* it has left HTTP */
};

/* One for each connection, as its socket context: what is under way on it. */
struct http_link {
    struct http_link *next; /* guarded by links_lock */
    struct http_link **at;
    struct http_exchange *exchange; /* the HTTP thread's */
    struct http_stream *stream;     /* guarded by links_lock; the answer, if it is one */
    int fd;
    atomic_int phase;
    atomic_int_fast64_t since_us; /* the phase; IDLE: the first byte of a request line; 0: none */
    atomic_int_fast64_t received; /* bytes of the body under way */
    atomic_int_fast64_t requests; /* that were answered */
    int64_t seen_requests;        /* the patrol's own, as the next one */
    int64_t seen_bytes;
};

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    int listener; /* -1 once nothing is accepted any more */
    int port;
    pthread_t listener_thread;
    atomic_int_fast64_t active;  /* requests under way */
    atomic_int_fast64_t reading; /* those of them that have not come wholly yet */
    atomic_int_fast64_t bodies;  /* their bytes in memory */
    atomic_int_fast64_t answers; /* the same */

    pthread_mutex_t links_lock; /* guards the fields below; held to link and unlink, and for a round
                                   of the patrol */
    pthread_cond_t links_changed;
    pthread_cond_t room;
    struct http_link *links;
    int64_t open; /* connections, and the one that is waited for */
    bool listener_stopping;
    bool patrol_stopping;
    pthread_t patrol;
};

/* exchange.c: the callbacks of the library; `context` is the server. */
void *exchange_on_request_line(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_on_access(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_size, void **state);
void exchange_on_completed(void *context, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode code);
/* The connection has gone with it. */
void exchange_free(struct http_exchange *x);

/* stream.c: the answer's body; the connection's reference becomes the response's. NULL: failed, the
 * reference is still the caller's. */
struct MHD_Response *stream_response(struct http_stream *stream);
struct http_stream *stream_ref(struct http_stream *stream);
/* The client has closed its side, which a connection that sleeps does not notice. Any thread. */
void stream_break(struct http_stream *stream);
/* The connection's end, where no response was made. Gives the connection's reference back. */
void stream_lost(struct http_stream *stream);

/* listener.c. ERR_UNAVAILABLE: *problem says what to do. */
enum err listener_open(struct http_server *server, struct arena *a, struct str *problem) CHECKED;
void listener_start(struct http_server *server);
/* From now on connections are refused. */
void listener_stop(struct http_server *server);
/* One connection less. links_lock is held. */
void listener_note_closed(struct http_server *server);

/* patrol.c */
void patrol_start(struct http_server *server);
void patrol_stop(struct http_server *server);
void patrol_on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);
void link_set_phase(struct http_link *link, enum link_phase phase);
void link_set_stream(struct http_server *server, struct http_link *link,
                     struct http_stream *stream);
