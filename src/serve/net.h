/* Addresses, networks, host names: the lists of ALLOWED_HOSTS, TRUSTED_PROXIES, METRICS_ALLOW. */
#pragma once

#include "base/arena.h"

/* Is it a numeric address, without a port? */
bool net_is_address(struct str text);

/* Is the numeric address in the comma-separated list of addresses and networks ("10.0.0.0/8")? */
bool net_address_in(struct str address, const char *list);

/* Is a Host header allowed by Django's rules: exact, ".example.com" with subdomains, "*"? Port and
 * case do not count. Malformed hosts never are. */
bool net_host_allowed(struct str host, const char *list);

/* Whose turn it is (db/exec.h), by address: a hash, of an IPv6 address its network of 64 bits,
 * which one client has to itself. `seed` keeps others from choosing one. */
uint64_t net_turn(struct str address, uint64_t seed);
