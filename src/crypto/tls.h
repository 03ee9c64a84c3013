/* The client's side of TLS (1.2 and later) without any I/O of its own: bytes go in and come out in
 * memory. The server's certificate must be one for the host's name by the system's authorities
 * (SSL_CERT_FILE and SSL_CERT_DIR count). One thread at a time. */
#pragma once

#include "base/buf.h"

struct tls;

/* `host`: a name or an address. NULL: the library is out of order. */
struct tls *tls_client_new(const char *host);
void tls_free(struct tls *tls); /* NULL is fine */

/* Bytes from the network. False: the connection is no good any more; tls_problem() says why. */
bool tls_feed(struct tls *tls, struct str wire) CHECKED;
/* Text for the other side; waits inside until the handshake is over. False: as above. */
bool tls_say(struct tls *tls, struct str text) CHECKED;
/* Adds what has been received to `out`. */
void tls_hear(struct tls *tls, struct buf *out);
/* Adds what is to be sent over the network to `out`; to be asked after each of the calls above, and once at
 * the beginning. */
void tls_take_wire(struct tls *tls, struct buf *out);
const char *tls_problem(const struct tls *tls);
