#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "crypto/random.h"

enum { SECRET_BYTES = 32, SECRET_MIN = 32, SECRET_MAX = 1024 };

int cli_fail(int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("confab: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

const char *cli_database_url(struct cli *cli)
{
    const struct conf *conf = cli->conf;
    return conf->database_path != NULL
               ? arena_printf(cli->arena, "sqlite:%s", conf->database_path).p
               : conf->database_url;
}

bool cli_data_dir(struct cli *cli, struct str *problem)
{
    const char *dir = cli->conf->data_dir;
    if (mkdir(dir, 0700) == 0 || errno == EEXIST) {
        return true;
    }
    *problem =
        arena_printf(cli->arena, "DATA_DIR: cannot make the folder %s: %s.", dir, strerror(errno));
    return false;
}

static bool read_secret(struct cli *cli, const char *path, struct str *out)
{
    char text[SECRET_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    *out = arena_copy(cli->arena, str_trim((struct str){text, n > 0 ? (size_t)n : 0}));
    return true;
}

/* Written beside and linked into place, so that of two first starts one wins and both agree. */
static bool make_secret(struct cli *cli, const char *path)
{
    struct str secret = random_hex(cli->arena, SECRET_BYTES);
    struct str beside = arena_printf(cli->arena, "%s.%lld", path, (long long)getpid());
    int fd = open(beside.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    bool good = write(fd, secret.p, secret.n) == (ssize_t)secret.n && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    good = good && (link(beside.p, path) == 0 || errno == EEXIST);
    (void)unlink(beside.p);
    return good;
}

bool cli_secret_key(struct cli *cli, struct str *out, struct str *problem)
{
    if (cli->conf->secret_key[0] != '\0') {
        *out = str_of(cli->conf->secret_key);
        return true;
    }
    const char *path = arena_printf(cli->arena, "%s/secret_key", cli->conf->data_dir).p;
    if (!read_secret(cli, path, out) &&
        (errno != ENOENT || !make_secret(cli, path) || !read_secret(cli, path, out))) {
        *problem = arena_printf(cli->arena, "Cannot keep the secret key in %s: %s.", path,
                                strerror(errno));
        return false;
    }
    if (out->n < SECRET_MIN) {
        *problem = arena_printf(cli->arena,
                                "The secret key in %s is too short; remove the file to get a new "
                                "one (everybody has to log in again).",
                                path);
        return false;
    }
    return true;
}

bool cli_replica_fits(const struct conf *conf, struct str *problem)
{
    struct str url = conf->database_path == NULL ? str_of(conf->database_url) : STR("");
    if (conf->database_replica_url[0] == '\0' || str_starts(url, STR("postgres"))) {
        return true;
    }
    *problem = STR("DATABASE_REPLICA_URL is set, but the database is not PostgreSQL: only that has "
                   "a replica here. Leave it empty.");
    return false;
}
