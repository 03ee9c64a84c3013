/* The address of a MySQL or MariaDB database:
 *
 *     mysql://user:password@host:port/database?socket=/path&ssl-ca=/path&ssl-mode=verify
 *
 * or mariadb://...; what is reserved in a URL is written as percent and two digits. */
#pragma once

#include "base/arena.h"

enum mariadb_tls {
    MARIADB_TLS_NONE,
    MARIADB_TLS_REQUIRED, /* whoever answers */
    MARIADB_TLS_VERIFY    /* who answers has a certificate for the host's name */
};

/* Zero-terminated texts; NULL: not given. */
struct mariadb_url {
    const char *user;
    const char *password;
    const char *host;
    unsigned int port; /* 0: the usual one */
    const char *database;
    const char *socket;
    const char *ca; /* PEM files */
    const char *certificate;
    const char *key;
    enum mariadb_tls tls;
};

/* Texts live in `a`. False: *problem is a sentence, which has no secret in it. */
bool mariadb_url_parse(struct arena *a, struct str url, struct mariadb_url *out,
                       struct str *problem) CHECKED;
