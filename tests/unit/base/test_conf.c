#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf_env.h"
#include "base/conf_private.h"

enum { ARGS_MAX = 16 };

/* Each test runs in an empty folder of its own. */
struct fixture {
    char folder[64];
    int home;
    struct arena a;
    struct buf error;
    struct conf conf;
    char *args[ARGS_MAX];
    int argc;
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc_zero(sizeof(*f));
    (void)strcpy(f->folder, "/tmp/confab-conf-XXXXXX");
    f->home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->home < 0 || mkdtemp(f->folder) == NULL || chdir(f->folder) != 0) {
        return -1;
    }
    arena_init(&f->a);
    buf_init(&f->error, 4096);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)unlink(".env");
    (void)unlink("other.env");
    int failed = fchdir(f->home) != 0 || rmdir(f->folder) != 0;
    (void)close(f->home);
    arena_fini(&f->a);
    buf_fini(&f->error);
    free(f);
    return failed;
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

#define ENV(...) ((char *[]){__VA_ARGS__, NULL})

/* `flags`: separated by blanks. `env`: NULL or NAME=value list. */
static bool load(struct fixture *f, const char *flags, char *const *env)
{
    static char none[] = "confab";
    f->args[0] = none;
    f->argc = 1;
    char *copy = arena_alloc(&f->a, strlen(flags) + 1);
    (void)strcpy(copy, flags);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL && f->argc < ARGS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        f->args[f->argc++] = word;
    }
    buf_reset(&f->error);
    return conf_load(&f->conf, &f->a, &f->argc, f->args, env, &f->error);
}

static void assert_loads(struct fixture *f, const char *flags, char *const *env)
{
    if (!load(f, flags, env)) {
        fail_msg("%.*s", STR_ARG(buf_view(&f->error)));
    }
}

static void assert_refuses(struct fixture *f, const char *flags, char *const *env,
                           const char *sentence)
{
    assert_false(load(f, flags, env));
    buf_char(&f->error, '\0');
    assert_string_equal(f->error.p, sentence);
}

static void has_defaults(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "", NULL);
    assert_string_equal(f->conf.host, "127.0.0.1");
    assert_int_equal(f->conf.port, 8000);
    assert_string_equal(f->conf.database_path, "./data/confab.sqlite3");
    assert_string_equal(f->conf.allowed_hosts, "localhost,127.0.0.1,[::1]");
    assert_string_equal(f->conf.secret_key, "");
    assert_int_equal(f->conf.password_iterations, 600000);
    assert_int_equal(f->conf.throttle_login.requests, 20);
    assert_int_equal(f->conf.throttle_login.per_seconds, 60);
    assert_int_equal(f->conf.throttle_anon.requests, 0);
    assert_true(f->conf.auto_migrate);
    assert_false(f->conf.debug);
    assert_string_equal(f->conf.log_level, "info");
    assert_string_equal(conf_source(&f->conf, "PORT"), "default");
    assert_null(conf_source(&f->conf, "PORTS"));
}

/* Every row reads its own default, and says it as it is written. */
static void table_is_sound(void **state)
{
    struct fixture *f = *state;
    conf_init(&f->conf);
    for (size_t i = 0; i < conf_table_count; i++) {
        const struct conf_setting *setting = &conf_table[i];
        struct conf_problem problem;
        struct buf value;
        buf_init(&value, 1000);
        assert_true(conf_set(&f->conf, setting, &f->a, str_of(setting->initial), &problem));
        conf_value_text(&f->conf, setting, &value);
        assert_true(str_eq(buf_view(&value), str_of(setting->initial)));
        assert_ptr_equal(conf_find(str_of(setting->name)), setting);
        assert_true(strlen(setting->name) + 3 <= CONF_FLAG_MAX);
        assert_true(setting->help[strlen(setting->help) - 1] != '.');
        assert_true(setting->type != CONF_LIST || setting->problem != NULL);
        assert_true(setting->problem == NULL || setting->advice != NULL);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(setting->name, conf_table[k].name);
            assert_int_not_equal(setting->offset, conf_table[k].offset);
        }
        buf_fini(&value);
    }
}

static void flags_win_over_environment_over_file(void **state)
{
    struct fixture *f = *state;
    write_file(".env", "# ports\nPORT=1\nHOST=10.0.0.1\nDEBUG=on\n");
    assert_loads(f, "", ENV("UNRELATED=1"));
    assert_int_equal(f->conf.port, 1);
    assert_true(f->conf.debug);
    assert_string_equal(conf_source(&f->conf, "PORT"), ".env line 2");

    assert_loads(f, "", ENV("PORT=2"));
    assert_int_equal(f->conf.port, 2);
    assert_string_equal(conf_source(&f->conf, "PORT"), "the environment");

    assert_loads(f, "--port 3", ENV("PORT=2"));
    assert_int_equal(f->conf.port, 3);
    assert_string_equal(conf_source(&f->conf, "PORT"), "the flag --port");
    assert_string_equal(f->conf.host, "10.0.0.1");
    assert_string_equal(conf_source(&f->conf, "HOST"), ".env line 3");
}

static void leaves_what_is_not_a_setting(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "serve --port=3 --plan --debug --email a@b --no-auto-migrate 0002 -- --port 9",
                 NULL);
    static const char *const left[] = {"confab", "serve", "--plan", "--email", "a@b",
                                       "0002",   "--",    "--port", "9"};
    assert_int_equal(f->argc, COUNT_OF(left));
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        assert_string_equal(f->args[i], left[i]);
    }
    assert_int_equal(f->conf.port, 3);
    assert_true(f->conf.debug);
    assert_false(f->conf.auto_migrate);
    assert_string_equal(conf_source(&f->conf, "AUTO_MIGRATE"), "the flag --no-auto-migrate");
}

static void switches_take_a_value_too(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "--auto-migrate=no --debug=YES --debug", NULL);
    assert_false(f->conf.auto_migrate);
    assert_true(f->conf.debug);
    assert_refuses(f, "--no-debug=1", NULL,
                   "DEBUG (from the flag --no-debug): the value is one too many. "
                   "Set it to true or false; the default is false.");
}

static void says_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    write_file(".env", "\n\nPORT=abc\n");
    assert_refuses(f, "", NULL,
                   "PORT (from .env line 3): \"abc\" is not a whole number from 0 to 65535. "
                   "Set it to a free port such as 8000.");
    assert_refuses(f, "", ENV("PORT=65536"),
                   "PORT (from the environment): \"65536\" is not a whole number from 0 to 65535. "
                   "Set it to a free port such as 8000.");
    assert_refuses(f, "--port", NULL,
                   "PORT (from the flag --port): the value is missing. "
                   "Set it to a free port such as 8000.");
    assert_refuses(f, "--port --debug", NULL,
                   "PORT (from the flag --port): the value is missing. "
                   "Set it to a free port such as 8000.");
    assert_refuses(f, "--port 1 --slow-threads 17", NULL,
                   "SLOW_THREADS (from the flag --slow-threads): \"17\" is not a whole number from "
                   "1 to 16. Set it to a whole number from 1 to 16; the default is 1.");
    assert_refuses(f, "--port 1 --debug=maybe", NULL,
                   "DEBUG (from the flag --debug): \"maybe\" is not true or false. "
                   "Set it to true or false; the default is false.");
    assert_refuses(f, "--port 1 --log-level verbose", NULL,
                   "LOG_LEVEL (from the flag --log-level): \"verbose\" is not debug, info, warning "
                   "or error. Set it to debug, info, warning or error; the default is info.");
    assert_refuses(f, "--port 1 --throttle-user 5/month", NULL,
                   "THROTTLE_USER (from the flag --throttle-user): \"5/month\" is not a rate such "
                   "as 20/min (s, min, hour, day). Set it to a rate such as 20/min (s, min, hour, "
                   "day), or leave it empty.");
    assert_refuses(f, "--port 1", ENV("METRICS_ALLOW=127.0.0.1, 10.0.0.0/33"),
                   "METRICS_ALLOW (from the environment): \"10.0.0.0/33\" is not an address or a "
                   "network. Name addresses or networks, such as 127.0.0.1,10.0.0.0/8.");
    assert_refuses(f, "--port 1", ENV("HOST=\x1b[2J"),
                   "HOST (from the environment): the value has a control character or something "
                   "else in it that is not text. "
                   "Set it to an address of this machine such as 127.0.0.1 or 0.0.0.0.");
}

static void keeps_secrets(void **state)
{
    struct fixture *f = *state;
    static const char secret[] = "hush";
    assert_false(load(f, "--secret-key hush", NULL));
    assert_null(memmem(f->error.p, f->error.n, secret, 4));
    assert_false(load(f, "", ENV("SECRET_KEY=hush\n")));
    assert_null(memmem(f->error.p, f->error.n, secret, 4));
    assert_false(load(f, "", ENV("SECRET_KEY=$hush")));
    assert_null(memmem(f->error.p, f->error.n, secret, 4));
    assert_false(load(f, "", ENV("DATABASE_URL=oracle://user:hush@db/x")));
    assert_null(memmem(f->error.p, f->error.n, secret, 4));

    assert_loads(f, "", ENV("SECRET_KEY= hush ", "DATABASE_URL=postgres://user:hush@db/x"));
    assert_string_equal(f->conf.secret_key, " hush ");
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    conf_print_values(&f->conf, out);
    assert_int_equal(fclose(out), 0);
    assert_null(strstr(text, secret));
    assert_non_null(strstr(text, "SECRET_KEY=(set)  # the environment\n"));
    assert_non_null(strstr(text, "DATABASE_URL=postgres://user@db/x  # the environment\n"));
    assert_non_null(strstr(text, "\nTHROTTLE_LOGIN=20/min  # default\n"));
    free(text);
}

static void reads_true_and_false(void **state)
{
    struct fixture *f = *state;
    static char *const yes[] = {"DEBUG=true", "DEBUG=On", "DEBUG=OK", "DEBUG=y",
                                "DEBUG=YES",  "DEBUG=1",  "DEBUG= 1 "};
    static char *const no[] = {"DEBUG=false", "DEBUG=Off", "DEBUG=n",
                               "DEBUG=No",    "DEBUG=0",   "DEBUG="};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        assert_loads(f, "", ENV(yes[i]));
        assert_true(f->conf.debug);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        assert_loads(f, "", ENV(no[i]));
        assert_false(f->conf.debug);
    }
    assert_false(load(f, "", ENV("DEBUG=tru")));
    assert_false(load(f, "", ENV("DEBUG=2")));
}

static void reads_units(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "--access-token-lifetime 15m --body-size-max 2M --refresh-token-lifetime 7d",
                 NULL);
    assert_int_equal(f->conf.access_token_lifetime, 900);
    assert_int_equal(f->conf.refresh_token_lifetime, 604800);
    assert_int_equal(f->conf.body_size_max, 2097152);
    assert_false(load(f, "--access-token-lifetime m", NULL));
    assert_false(load(f, "--access-token-lifetime 9223372036854775807d", NULL));
    assert_false(load(f, "--read-timeout-ms 5s", NULL));
    assert_false(load(f, "--access-token-lifetime -5", NULL));
}

static void reads_rates(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t requests;
        int64_t per_seconds;
    } cases[] = {
        {"20/min", true, 20, 60},
        {"5/s", true, 5, 1},
        {"5/second", true, 5, 1},
        {"1000/day", true, 1000, 86400},
        {" 7 / Hour ", true, 7, 3600},
        {"7/m", true, 7, 60},
        {"7/minutes", true, 7, 60},
        {"", true, 0, 0},
        {"0", true, 0, 0},
        {"0/min", true, 0, 0},
        {"20", false, 0, 0},
        {"/min", false, 0, 0},
        {"20/", false, 0, 0},
        {"20/month", false, 0, 0},
        {"-1/min", false, 0, 0},
        {"a/min", false, 0, 0},
        {"1/2/min", false, 0, 0},
        {"1.5/min", false, 0, 0},
        {"99999999999/s", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rate rate = {-1, -1};
        assert_int_equal(conf_parse_rate(str_of(cases[i].text), &rate), cases[i].ok);
        assert_int_equal(rate.requests, cases[i].ok ? cases[i].requests : -1);
        assert_int_equal(rate.per_seconds, cases[i].ok ? cases[i].per_seconds : -1);
    }
}

static void reads_lists(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "",
                 ENV("ALLOWED_HOSTS= .Example.COM , chat.example.org,,[::1]", "PORT=0",
                     "TRUSTED_PROXIES=10.0.0.0/8,::1, fd00::/8",
                     "CORS_ALLOWED_ORIGINS=https://App.example.com:8443, http://x"));
    assert_string_equal(f->conf.allowed_hosts, ".example.com,chat.example.org,[::1]");
    assert_string_equal(f->conf.trusted_proxies, "10.0.0.0/8,::1,fd00::/8");
    assert_string_equal(f->conf.cors_allowed_origins, "https://app.example.com:8443,http://x");
    assert_loads(f, "--allowed-hosts * --cors-allowed-origins *", NULL);
    assert_string_equal(f->conf.allowed_hosts, "*");
    assert_loads(f, "--allowed-hosts=", NULL);
    assert_string_equal(f->conf.allowed_hosts, "");
    static char *const bad[] = {
        "ALLOWED_HOSTS=https://example.com",
        "ALLOWED_HOSTS=example.com:80",
        "ALLOWED_HOSTS=.",
        "ALLOWED_HOSTS=*.example.com",
        "TRUSTED_PROXIES=localhost",
        "TRUSTED_PROXIES=10.0.0.0/",
        "TRUSTED_PROXIES=10.0.0.0/-1",
        "TRUSTED_PROXIES=::1/129",
        "TRUSTED_PROXIES=1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
        "CORS_ALLOWED_ORIGINS=example.com",
        "CORS_ALLOWED_ORIGINS=https://example.com/",
        "CORS_ALLOWED_ORIGINS=https://",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(load(f, "", ENV(bad[i])));
    }
}

static void reads_text(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "--public-url https://chat.example.com// --contacts-visible MEMBERS", NULL);
    assert_string_equal(f->conf.public_url, "https://chat.example.com");
    assert_string_equal(f->conf.contacts_visible, "members");
    assert_loads(f, "--public-url HTTPS://Chat.Example.com:443/App/", NULL);
    assert_string_equal(f->conf.public_url, "https://chat.example.com/App");
    static const char *const bad[] = {
        "chat.example.com", "https:///x", "https://x/?a",    "https://x/a%2", "https://x/a^b",
        "https://x:99999",  "https://",   "https://me@host", "https://x#y",   "ftp://x",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char flags[64];
        (void)snprintf(flags, sizeof(flags), "--public-url %s", bad[i]);
        assert_false(load(f, flags, NULL));
    }
    assert_false(load(f, "--host=", NULL));
    assert_false(load(f, "--contacts-visible=", NULL));
}

static void finds_the_database(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *flags;
        const char *path;
    } good[] = {
        {"--data-dir /var/lib/confab/", "/var/lib/confab/confab.sqlite3"},
        {"--data-dir /", "/confab.sqlite3"},
        {"--database-url sqlite:///db.sqlite3", "db.sqlite3"},
        {"--database-url sqlite:///a/b%20c+d%2", "a/b c d%2"},
        {"--database-url SQLite:////srv/db.sqlite3", "/srv/db.sqlite3"},
        {"--database-url sqlite:///a%00b", "a%00b"},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_loads(f, good[i].flags, NULL);
        assert_string_equal(f->conf.database_path, good[i].path);
    }
    static const char *const bad[] = {
        "db.sqlite3",           "sqlite:db",         "sqlite://",
        "sqlite:///",           "sqlite://:memory:", "sqlite:///:memory:",
        "sqlite://data/db.sql", "file:///x",         "sqlite:///x?timeout=20",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(load(f, arena_printf(&f->a, "--database-url %s", bad[i]).p, NULL));
    }
    assert_refuses(
        f, "", ENV("DATABASE_URL=oracle://u:p@h/db"),
        "DATABASE_URL (from the environment): \"oracle://\" is neither the address of an "
        "SQLite file nor postgres://... nor mysql://.... Set it to "
        "sqlite:////path/to/confab.sqlite3, postgres://user:password@host/name or "
        "mysql://user:password@host/name, or leave it empty for DATA_DIR/confab.sqlite3.");
}

static void finds_the_database_server(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *url;
        const char *name; /* without the password */
    } good[] = {
        {"postgres://u:p@h/db", "postgres://u@h/db"},
        {"postgresql://h:5433/db", "postgresql://h:5433/db"},
        {"postgres://u:a@b:c@h/db", "postgres://u@h/db"},
        {"postgres:///db?host=/run/postgresql&password=p", "postgres:///db"},
        {"postgres://", "postgres://"},
        {"mysql://u:p@h:3306/db?socket=/s", "mysql://u@h:3306/db"},
        {"mariadb://u:a@b:c@h/db", "mariadb://u@h/db"},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_loads(f, arena_printf(&f->a, "--database-url %s", good[i].url).p, NULL);
        assert_null(f->conf.database_path);
        assert_string_equal(f->conf.database_url, good[i].url);
        assert_string_equal(f->conf.database_name, good[i].name);
    }
}

static void takes_the_variables_of_django(void **state)
{
    struct fixture *f = *state;
    assert_loads(f, "",
                 ENV("MYSQL_DATABASE=chat", "MYSQL_USER=me", "MYSQL_PASSWORD=a/b@c",
                     "MYSQL_HOST=db", "MYSQL_PORT=3307"));
    assert_string_equal(f->conf.database_url, "mysql://me:a%2Fb%40c@db:3307/chat");
    assert_string_equal(f->conf.database_name, "mysql://me@db:3307/chat");
    assert_null(f->conf.database_path);
    assert_loads(f, "", ENV("MYSQL_DATABASE=chat", "MYSQL_HOST=/run/my.sock"));
    assert_string_equal(f->conf.database_url,
                        "mysql://@localhost:3306/chat?socket=%2Frun%2Fmy.sock");
    assert_loads(f, "", ENV("MYSQL_DATABASE=chat", "DATABASE_URL=postgres://h/db"));
    assert_string_equal(f->conf.database_url, "postgres://h/db");
    assert_loads(f, "", ENV("MYSQL_USER=me"));
    assert_non_null(f->conf.database_path);
}

static void uses_the_named_file(void **state)
{
    struct fixture *f = *state;
    write_file(".env", "PORT=1\n");
    write_file("other.env", "PORT=x\n");
    assert_refuses(f, "", ENV("ENV_FILE=other.env"),
                   "PORT (from other.env line 1): \"x\" is not a whole number from 0 to 65535. "
                   "Set it to a free port such as 8000.");
    assert_loads(f, "--env-file=", ENV("ENV_FILE=other.env"));
    assert_int_equal(f->conf.port, 1);
    assert_refuses(f, "--env-file none.env", NULL,
                   "ENV_FILE (from the flag --env-file): \"none.env\" cannot be read (No such file "
                   "or directory). Set it to a file that can be read, or leave it empty.");
    assert_refuses(f, "--env-file /", NULL,
                   "ENV_FILE (from the flag --env-file): \"/\" cannot be read (it is not a file). "
                   "Set it to a file that can be read, or leave it empty.");
}

static void follows_proxied_values(void **state)
{
    struct fixture *f = *state;
    write_file(".env", "PORT=$WEB_PORT\nWEB_PORT=$PORT_OF_HOST\nDATA_DIR=\\$data\n"
                       "LOG_LEVEL=$LOG_LEVEL\n");
    assert_loads(f, "--host=$x", ENV("PORT_OF_HOST=8123", "LOG_LEVEL=debug"));
    assert_int_equal(f->conf.port, 8123);
    assert_string_equal(f->conf.data_dir, "$data");
    assert_string_equal(f->conf.host, "$x"); /* a shell has its own '$' */
    assert_refuses(
        f, "", ENV("LOG_LEVEL=info"),
        "PORT (from .env line 1): the value begins with $ and so names another variable, "
        "which is not set (a value that begins with $ is written \\$). "
        "Set it to a free port such as 8000.");
    assert_refuses(f, "--port 1", NULL,
                   "LOG_LEVEL (from .env line 4): the value names a variable that leads to itself. "
                   "Set it to debug, info, warning or error; the default is info.");
}

static void the_last_line_counts(void **state)
{
    struct fixture *f = *state;
    write_file(".env", "PORT=1\nPORT=2\n");
    assert_loads(f, "", NULL);
    assert_int_equal(f->conf.port, 2);
}

static void reads_env_lines(void **state)
{
    const struct {
        struct str line;
        const char *name; /* NULL: not a pair */
        struct str value;
    } cases[] = {
        {STR("A=1"), "A", STR("1")},
        {STR("a_1=x=y"), "a_1", STR("x=y")},
        {STR("export A=1"), "A", STR("1")},
        {STR("export\t A = 1 "), "A", STR("1")},
        {STR("export=1"), "export", STR("1")},
        {STR("A="), "A", STR("")},
        {STR("A= # none"), "A", STR("")},
        {STR("A=#fff"), "A", STR("#fff")},
        {STR("A=p#ss"), "A", STR("p#ss")},
        {STR("A=b # comment"), "A", STR("b")},
        {STR("A=b\t# comment"), "A", STR("b")},
        {STR("A=two words"), "A", STR("two words")},
        {STR("A=''"), "A", STR("")},
        {STR("A='b # c'"), "A", STR("b # c")},
        {STR("A='b' # c"), "A", STR("b")},
        {STR("A='b'#c"), "A", STR("'b'#c")},
        {STR("A='it's'"), "A", STR("it's")},
        {STR("A='a\\nb\\'"), "A", STR("a\\nb\\")},
        {STR("A='\"b\"'"), "A", STR("b")},
        {STR("A='b"), "A", STR("'b")},
        {STR("A=\"b\""), "A", STR("b")},
        {STR("A=\"'b'\""), "A", STR("'b'")},
        {STR("A=\"b # c\" # d"), "A", STR("b # c")},
        {STR("A=\"a\\\"b\""), "A", STR("a\"b")},
        {STR("A=\"a\\nb\\t\\r\""), "A", STR("a\\nb\\t\\r")},
        {STR("A=\"a\\\\b\\$c\""), "A", STR("a\\b$c")},
        {STR("A=\"c:\\\""), "A", STR("c:\\")},
        {STR("A=\""), "A", STR("\"")},
        {STR("A=b\r"), "A", STR("b")},
        {STR("A"), NULL, STR_NULL},
        {STR("=1"), NULL, STR_NULL},
        {STR("A B=1"), NULL, STR_NULL},
        {STR("A-B=1"), NULL, STR_NULL},
        {STR("export =1"), "export", STR("1")},
    };
    struct arena a;
    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct env_reader reader;
        struct env_line line;
        env_init(&reader, cases[i].line);
        assert_true(env_next(&reader, &a, &line));
        assert_int_equal(line.kind, cases[i].name == NULL ? ENV_BAD : ENV_PAIR);
        if (!str_eq(line.name, str_of(cases[i].name)) || !str_eq(line.value, cases[i].value)) {
            fail_msg("%s: \"%.*s\"", cases[i].line.p, STR_ARG(line.value));
        }
        assert_false(env_next(&reader, &a, &line));
    }
    arena_fini(&a);
}

static void counts_env_lines(void **state)
{
    struct arena a;
    struct env_reader reader;
    struct env_line line;
    (void)state;
    arena_init(&a);
    env_init(&reader, STR("\xEF\xBB\xBF# head\r\n\r\nA=1\r\n  # indented\n B=2"));
    assert_true(env_next(&reader, &a, &line));
    assert_int_equal(line.line, 3);
    assert_true(env_next(&reader, &a, &line));
    assert_int_equal(line.line, 5);
    assert_true(str_eq(line.name, STR("B")));
    assert_false(env_next(&reader, &a, &line));
    env_init(&reader, STR_NULL);
    assert_false(env_next(&reader, &a, &line));
    arena_fini(&a);
}

static void prints_all_settings(void **state)
{
    char *text = NULL;
    size_t n = 0;
    (void)state;
    for (int markdown = 0; markdown < 2; markdown++) {
        FILE *out = open_memstream(&text, &n);
        assert_non_null(out);
        if (markdown == 1) {
            conf_print_markdown(out);
        } else {
            conf_print_help(out);
        }
        assert_int_equal(fclose(out), 0);
        for (size_t i = 0; i < conf_table_count; i++) {
            char flag[CONF_FLAG_MAX];
            conf_flag(&conf_table[i], flag);
            bool by_name = markdown == 1 || conf_table[i].is_secret;
            assert_non_null(strstr(text, by_name ? conf_table[i].name : flag));
        }
        free(text);
    }
}

#define CONF_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONF_TEST(has_defaults),
        CONF_TEST(table_is_sound),
        CONF_TEST(flags_win_over_environment_over_file),
        CONF_TEST(leaves_what_is_not_a_setting),
        CONF_TEST(switches_take_a_value_too),
        CONF_TEST(says_what_is_wrong),
        CONF_TEST(keeps_secrets),
        CONF_TEST(reads_true_and_false),
        CONF_TEST(reads_units),
        CONF_TEST(reads_lists),
        CONF_TEST(reads_text),
        CONF_TEST(finds_the_database),
        CONF_TEST(finds_the_database_server),
        CONF_TEST(takes_the_variables_of_django),
        CONF_TEST(uses_the_named_file),
        CONF_TEST(follows_proxied_values),
        CONF_TEST(the_last_line_counts),
        cmocka_unit_test(reads_rates),
        cmocka_unit_test(reads_env_lines),
        cmocka_unit_test(counts_env_lines),
        cmocka_unit_test(prints_all_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
