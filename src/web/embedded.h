/* The files of web/ inside the program; scripts/embed.py makes the list, sorted by path. */
#pragma once

#include <stddef.h>

struct embedded_asset {
    const char *path; /* "css/confab.css" */
    const char *media_type;
    const char *etag; /* of what it is uncompressed; without quotes */
    const char *gzip; /* RFC 1952 */
    size_t gzip_size;
    size_t size; /* uncompressed */
};

extern const struct embedded_asset embedded_assets[];
extern const size_t embedded_assets_count;
