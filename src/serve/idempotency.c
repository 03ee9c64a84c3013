#include "serve/idempotency.h"

#include "crypto/hash.h"
#include "store/idempotency.h"

enum { KEY_MAX = 255 };

static bool applies(const struct req *r)
{
    return r->route->may_replay != NULL && r->idempotency_key.p != NULL && r->call.me != NULL;
}

static void digests(const struct req *r, uint8_t request[SHA256_SIZE], uint8_t body[SHA256_SIZE])
{
    struct digest d;
    digest_init(&d);
    digest_add(&d, r->x->method);
    digest_add(&d, r->path);
    digest_add(&d, r->idempotency_key);
    digest_end(&d, request);
    sha256(r->x->body, body);
}

enum err idempotency_find(struct req *r, bool *replayed)
{
    uint8_t request[SHA256_SIZE];
    uint8_t body[SHA256_SIZE];
    struct kept_answer kept;
    bool found = false;
    *replayed = false;
    if (!applies(r)) {
        return ERR_OK;
    }
    if (r->idempotency_key.n == 0 || r->idempotency_key.n > KEY_MAX) {
        return req_problem(r, "Idempotency-Key",
                           STR("Ensure this header has 1 to 255 characters."));
    }
    digests(r, request, body);
    enum err e = store_idempotency_get(r->call.db, r->arena, r->user.id,
                                       str_of_bytes(request, sizeof(request)), &kept, &found);
    if (e != ERR_OK || !found) {
        return e;
    }
    if (!str_eq(kept.body_digest, str_of_bytes(body, sizeof(body)))) {
        return ERR_IDEMPOTENCY;
    }
    r->created = kept.object_id;
    e = r->route->may_replay(r);
    if (e != ERR_OK) {
        return e;
    }
    r->status = (int)kept.status;
    r->replay = true;
    *replayed = true;
    buf_str(&r->x->out, kept.answer);
    return ERR_OK;
}

enum err idempotency_keep(struct req *r)
{
    uint8_t request[SHA256_SIZE];
    uint8_t body[SHA256_SIZE];
    if (!applies(r) || r->status >= 300) {
        return ERR_OK;
    }
    digests(r, request, body);
    struct kept_answer kept = {
        .body_digest = str_of_bytes(body, sizeof(body)),
        .status = r->status,
        .object_id = r->created,
        .answer = buf_view(&r->x->out),
    };
    return store_idempotency_add(r->call.db, r->user.id, str_of_bytes(request, sizeof(request)),
                                 &kept, r->call.now_us);
}
