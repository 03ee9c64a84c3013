#include "crypto/tls.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/arena.h"

enum { PIECE = 16384, WAITING_MAX = 1 << 20, PROBLEM_MAX = 160 };

struct tls {
    SSL_CTX *context;
    SSL *ssl;
    struct buf waiting; /* to be said after the handshake */
    struct buf heard;
    char problem[PROBLEM_MAX];
};

static bool set_up(struct tls *tls, const char *host)
{
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_default_verify_paths(tls->context) != 1) {
        return false;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    tls->ssl = SSL_new(tls->context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || in == NULL || out == NULL) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    SSL_set_bio(tls->ssl, in, out);
    SSL_set_connect_state(tls->ssl);
    (void)SSL_set_mode(tls->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host) == 1) {
        return true;
    }
    return SSL_set1_host(tls->ssl, host) == 1 && SSL_set_tlsext_host_name(tls->ssl, host) == 1;
}

static void note_problem(struct tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    unsigned long code = ERR_get_error();
    const char *text = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                       : code != 0           ? ERR_reason_error_string(code)
                                             : NULL;
    (void)snprintf(tls->problem, sizeof(tls->problem), "TLS: %s",
                   text != NULL ? text : "the other side has ended it");
    ERR_clear_error();
}

/* False: it failed. True with *done false: it has to wait for bytes. */
static bool judge(struct tls *tls, int result, bool *done)
{
    int code = result > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, result);
    *done = code == SSL_ERROR_NONE;
    if (*done || code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
        return true;
    }
    note_problem(tls);
    return false;
}

static bool say_what_waits(struct tls *tls)
{
    bool done = false;
    if (tls->waiting.n == 0) {
        return true;
    }
    ERR_clear_error();
    int result = SSL_write(tls->ssl, tls->waiting.p, (int)tls->waiting.n);
    if (!judge(tls, result, &done)) {
        return false;
    }
    if (done) {
        buf_reset(&tls->waiting);
    }
    return true;
}

static bool hear_what_came(struct tls *tls)
{
    char piece[PIECE];
    bool more = true;
    while (more) {
        ERR_clear_error();
        int n = SSL_read(tls->ssl, piece, sizeof(piece));
        if (!judge(tls, n, &more)) {
            return false;
        }
        if (more) {
            buf_add(&tls->heard, piece, (size_t)n);
        }
    }
    return !tls->heard.failed;
}

/* As far as the bytes go that are there. */
static bool go_on(struct tls *tls)
{
    bool done = false;
    ERR_clear_error();
    if (!judge(tls, SSL_do_handshake(tls->ssl), &done)) {
        return false;
    }
    return !done || (say_what_waits(tls) && hear_what_came(tls));
}

struct tls *tls_client_new(const char *host)
{
    struct tls *tls = mem_alloc_zero(sizeof(*tls));
    buf_init(&tls->waiting, WAITING_MAX);
    buf_init(&tls->heard, WAITING_MAX);
    bool done = false;
    if (!set_up(tls, host) || !judge(tls, SSL_do_handshake(tls->ssl), &done)) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        SSL_CTX_free(tls->context);
        buf_fini(&tls->waiting);
        buf_fini(&tls->heard);
        free(tls);
    }
}

bool tls_feed(struct tls *tls, struct str wire)
{
    int n = BIO_write(SSL_get_rbio(tls->ssl), wire.p, (int)wire.n);
    return n == (int)wire.n && go_on(tls);
}

bool tls_say(struct tls *tls, struct str text)
{
    buf_str(&tls->waiting, text);
    return !tls->waiting.failed && go_on(tls);
}

void tls_hear(struct tls *tls, struct buf *out)
{
    buf_str(out, buf_view(&tls->heard));
    buf_reset(&tls->heard);
}

void tls_take_wire(struct tls *tls, struct buf *out)
{
    char *bytes = NULL;
    BIO *wire = SSL_get_wbio(tls->ssl);
    long n = BIO_get_mem_data(wire, &bytes);
    if (n > 0) {
        buf_add(out, bytes, (size_t)n);
        (void)BIO_reset(wire);
    }
}

const char *tls_problem(const struct tls *tls)
{
    return tls->problem;
}
