/* jwt_check() on anything. The first byte chooses: the rest as a token, or as "head|body" under a
 * good signature of ours, without which nothing would get as far as the parsers. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/token.h"

#define KEY STR("fuzz-key-of-40-bytes-0123456789-abcdefgh")

static const int64_t now_s = 1850000000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static struct str join(struct arena *a, struct str x, struct str y)
{
    return arena_printf(a, "%.*s.%.*s", STR_ARG(x), STR_ARG(y));
}

static struct str sign(struct arena *a, struct str input)
{
    uint8_t mac[SHA256_SIZE];
    struct str body = input;
    struct str head = str_cut(&body, '|');
    if (body.p == NULL) {
        body = head;
        head = STR("{\"alg\":\"HS256\"}");
    }
    struct str text = join(a, base64url_encode(a, head), base64url_encode(a, body));
    hmac_sha256(KEY, text, mac);
    return join(a, text, base64url_encode(a, str_of_bytes(mac, sizeof(mac))));
}

/* What passes says the same when it is read again, when it is issued again, and not for ever. */
static void check_passed(struct arena *a, struct str token, const struct jwt_claims *claims)
{
    struct jwt_claims again;
    must(claims->exp > now_s);
    must(jwt_check(a, KEY, token, claims->exp, &again) == JWT_INVALID);
    must(jwt_check(a, STR("another"), token, now_s, &again) == JWT_INVALID);
    struct str issued = jwt_issue(a, KEY, claims);
    must(jwt_check(a, KEY, issued, now_s, &again) == JWT_OK);
    must(again.token_type == claims->token_type && again.exp == claims->exp);
    must(uuid_eq(again.user_id, claims->user_id) && uuid_eq(again.sid, claims->sid));
    must(uuid_eq(again.jti, claims->jti) && again.iat == claims->iat);
    must(again.has_gen == claims->has_gen && again.gen == claims->gen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct jwt_claims claims;
    struct jwt_claims cached;
    if (size == 0) {
        return 0;
    }
    arena_init(&a);
    bool is_signed = data[0] % 2 == 1;
    struct str input = str_of_bytes(data + 1, size - 1);
    struct str token = is_signed ? sign(&a, input) : input;
    enum jwt_result result = jwt_check(&a, KEY, token, now_s, &claims);
    must(jwt_check(&a, KEY, token, now_s, &cached) == result);
    must(result != JWT_OK || token.n <= JWT_SIZE_MAX);
    if (result == JWT_OK) {
        check_passed(&a, token, &claims);
    }
    struct str bytes;
    if (base64url_decode(&a, input, &bytes)) {
        must(str_eq(base64url_encode(&a, bytes), input));
    }
    arena_fini(&a);
    return 0;
}
