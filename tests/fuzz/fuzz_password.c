/* password_verify() on any stored hash, password_check() on any password and attributes. The input
 * is three texts with a line end between: password, stored hash, attribute. */
#include <stdlib.h>

#include "base/utf8.h"
#include "crypto/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Valid, but it would take its time. */
static bool is_slow(struct str encoded)
{
    int64_t iterations = 0;
    (void)str_cut(&encoded, '$');
    return str_to_i64(str_cut(&encoded, '$'), &iterations) && iterations > 100 &&
           iterations <= PASSWORD_ITERATIONS_MAX;
}

static void check_hashes(struct arena *a, struct str password, struct str encoded)
{
    int64_t iterations = -1;
    if (!is_slow(encoded)) {
        bool same = password_verify(password, encoded, &iterations);
        must(iterations >= 0 && iterations <= 100);
        must(!same || iterations > 0);
    }
    must(password_verify(password, password_hash(a, password, 2), &iterations));
    must(iterations == 2);
}

static void count(void *ctx, const char *text)
{
    int *problems = ctx;
    must(strlen(text) > 0);
    (*problems)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    int problems = 0;
    struct str rest = {(const char *)data, size};
    arena_init(&a);
    struct str password = str_cut(&rest, '\n');
    struct str encoded = rest.p == NULL ? STR_NULL : str_cut(&rest, '\n');
    const struct password_like like[] = {{"username", rest}, {"password", password}};
    check_hashes(&a, password, encoded);
    password_check(password, like, COUNT_OF(like), count, &problems);
    must(problems >= 0 && problems <= 4);
    /* whatever is not empty is too similar to itself */
    must(password.n == 0 || !utf8_valid(password, NULL) || problems >= 1);
    arena_fini(&a);
    return 0;
}
