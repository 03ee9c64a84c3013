#include "base/conf_advice.h"

#include <inttypes.h>
#include <sys/stat.h>

/* As Django's security checks have it, and its default. */
enum { SECRET_KEY_LENGTH = 50, SECRET_KEY_DIFFERENT = 5, ITERATIONS_WISE = 600000 };

struct adviser {
    const struct conf *conf;
    struct arena *arena;
    void (*take)(void *context, const struct conf_advice *advice);
    void *context;
};

static void warn(const struct adviser *r, const char *code, const char *setting, const char *hint,
                 struct str text)
{
    const struct conf_advice advice = {code, setting, text, hint};
    r->take(r->context, &advice);
}

/* ------- settings that do not go together ------- */

static void advise_lifetimes(const struct adviser *r)
{
    const struct conf *conf = r->conf;
    if (conf->access_token_lifetime > conf->refresh_token_lifetime) {
        warn(r, "confab.W002", "ACCESS_TOKEN_LIFETIME", "Make it shorter than the other.",
             STR("ACCESS_TOKEN_LIFETIME is longer than REFRESH_TOKEN_LIFETIME: nobody would ever "
                 "refresh."));
    }
    if (conf->refresh_grace >= conf->refresh_token_lifetime) {
        warn(r, "confab.W003", "REFRESH_GRACE", "Set it to a minute or so.",
             STR("REFRESH_GRACE is not shorter than REFRESH_TOKEN_LIFETIME: a stolen refresh "
                 "token would not be noticed."));
    }
}

/* ------- where others can reach the server ------- */

static bool is_weak_key(const char *key)
{
    size_t different = 0;
    bool seen[256] = {false};
    for (const unsigned char *c = (const unsigned char *)key; *c != '\0'; c++) {
        different += seen[*c] ? 0 : 1;
        seen[*c] = true;
    }
    return strlen(key) < SECRET_KEY_LENGTH || different < SECRET_KEY_DIFFERENT ||
           str_starts(str_of(key), STR("django-insecure-"));
}

static bool is_open_to_others(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 && (file.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

static void advise_keys(const struct adviser *r)
{
    const struct conf *conf = r->conf;
    if (conf->debug) {
        warn(r, "confab.W010", "DEBUG", "Turn it off.",
             STR("DEBUG is on: failures show what should stay inside."));
    }
    if (conf->secret_key[0] != '\0' && is_weak_key(conf->secret_key)) {
        warn(r, "confab.W011", "SECRET_KEY", "Leave it empty to have one made.",
             arena_printf(r->arena,
                          "SECRET_KEY has less than %d characters, less than %d different ones, "
                          "or begins with 'django-insecure-': who guesses it can be anybody. Leave "
                          "it empty to have one made.",
                          SECRET_KEY_LENGTH, SECRET_KEY_DIFFERENT));
    }
    if (is_open_to_others(conf->data_dir)) {
        warn(r, "confab.W012", "DATA_DIR", "Take the rights of others away from that folder.",
             arena_printf(r->arena,
                          "DATA_DIR: other users of this machine may look into %s; run "
                          "`chmod -R go= %s`.",
                          conf->data_dir, conf->data_dir));
    }
}

static void advise_passwords(const struct adviser *r)
{
    const struct conf *conf = r->conf;
    if (conf->password_iterations < ITERATIONS_WISE) {
        warn(r, "confab.W013", "PASSWORD_ITERATIONS", "Leave it at its default.",
             arena_printf(r->arena,
                          "PASSWORD_ITERATIONS is %" PRId64 ": a stolen database would be cracked "
                          "sooner than with %d.",
                          conf->password_iterations, ITERATIONS_WISE));
    }
    if (conf->auth_basic) {
        warn(r, "confab.W014", "AUTH_BASIC", "Turn it off; let programs use Tokens.",
             STR("AUTH_BASIC is on: passwords travel with every request, and each costs a hash."));
    }
}

static bool is_loopback(const char *host)
{
    struct str name = str_of(host);
    return str_starts(name, STR("127.")) || str_in_list(name, "localhost,::1");
}

static void advise_hosts(const struct adviser *r)
{
    const struct conf *conf = r->conf;
    if (str_in_list(STR("*"), conf->allowed_hosts)) {
        warn(r, "confab.W020", "ALLOWED_HOSTS", "Name the hosts by which people reach the server.",
             STR("ALLOWED_HOSTS has \"*\": links in answers may lead to any host that a client "
                 "names."));
    }
    if (strcmp(conf_source(conf, "ALLOWED_HOSTS"), "default") == 0) {
        warn(r, "confab.W021", "ALLOWED_HOSTS", "Name the hosts by which people reach the server.",
             STR("ALLOWED_HOSTS is not set: only requests to this machine's own name are "
                 "answered."));
    }
    if (!str_starts(str_of(conf->public_url), STR("https://"))) {
        warn(r, "confab.W022", "PUBLIC_URL", "Set it to the https:// address of your proxy.",
             STR("PUBLIC_URL does not begin with https://: tokens travel in the clear, or links "
                 "lead to where they do."));
    }
    if (!is_loopback(conf->host) && conf->trusted_proxies[0] == '\0') {
        warn(r, "confab.W023", "TRUSTED_PROXIES",
             "Put a proxy with TLS in front, and name it here.",
             STR("HOST is open to the network without TRUSTED_PROXIES: the server speaks plain "
                 "HTTP; put a proxy with TLS in front of it."));
    }
    if (strcmp(conf->cors_allowed_origins, "*") == 0) {
        warn(r, "confab.W024", "CORS_ALLOWED_ORIGINS", "Name the origins of your own pages.",
             STR("CORS_ALLOWED_ORIGINS is \"*\": any web page may call the API."));
    }
}

static void advise_limits(const struct adviser *r)
{
    const struct conf *conf = r->conf;
    if (conf->throttle_login.requests == 0) {
        warn(r, "confab.W030", "THROTTLE_LOGIN", "Leave it at its default.",
             STR("THROTTLE_LOGIN is off: passwords can be guessed at leisure."));
    }
    if (conf->throttle_register.requests == 0 && conf->throttle_anon.requests == 0) {
        warn(r, "confab.W031", "THROTTLE_REGISTER", "Set it to something like 20/hour.",
             STR("THROTTLE_REGISTER and THROTTLE_ANON are off: anybody can make accounts without "
                 "end."));
    }
    if (conf->throttle_user.requests == 0) {
        warn(r, "confab.W032", "THROTTLE_USER", "Set it to something like 1000/min.",
             STR("THROTTLE_USER is off: one user can keep the server busy."));
    }
    if (conf->connections_per_address_max == 0) {
        warn(r, "confab.W033", "CONNECTIONS_PER_ADDRESS_MAX", "Leave it at its default.",
             STR("CONNECTIONS_PER_ADDRESS_MAX is 0: one address can take all connections."));
    }
}

void conf_advise(const struct conf *conf, bool deploy, struct arena *a,
                 void (*take)(void *context, const struct conf_advice *advice), void *context)
{
    const struct adviser r = {conf, a, take, context};
    advise_lifetimes(&r);
    if (deploy) {
        advise_keys(&r);
        advise_passwords(&r);
        advise_hosts(&r);
        advise_limits(&r);
    }
}
