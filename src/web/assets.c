#include "web/assets.h"

#include <assert.h>
#include <stdio.h>
#define ZLIB_CONST
#include <zlib.h>

#include "crypto/hash.h"
#include "serve/app.h"
#include "web/embedded.h"

enum { GZIP_WINDOW = 15 + 16 };

static const struct embedded_asset *find(struct str path)
{
    size_t low = 0;
    size_t high = embedded_assets_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct str name = str_of(embedded_assets[middle].path);
        size_t n = name.n < path.n ? name.n : path.n;
        int order = memcmp(path.p, name.p, n);
        if (order == 0 && path.n == name.n) {
            return &embedded_assets[middle];
        }
        if (order < 0 || (order == 0 && path.n < name.n)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static struct str unpack(struct arena *a, const struct embedded_asset *asset)
{
    char *out = arena_alloc(a, asset->size + 1);
    z_stream stream = {.next_in = (const Bytef *)asset->gzip,
                       .avail_in = (uInt)asset->gzip_size,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)asset->size + 1};
    bool whole =
        inflateInit2(&stream, GZIP_WINDOW) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END;
    inflateEnd(&stream);
    assert(whole && stream.total_out == asset->size);
    (void)whole;
    return (struct str){out, asset->size};
}

/* Swagger UI is npm's: nobody changes it here, and it is not in ASSETS_DIR. */
static bool is_on_disk(const struct req *r, const struct embedded_asset *asset)
{
    return r->app->conf->assets_dir[0] != '\0' &&
           !str_starts(str_of(asset->path), STR("swagger-ui/"));
}

/* Only of what is inside the program too: a path from outside names nothing else. */
static bool read_file(struct req *r, const struct embedded_asset *asset, struct str *out)
{
    struct str path = arena_printf(r->arena, "%s/%s", r->app->conf->assets_dir, asset->path);
    FILE *file = fopen(path.p, "rb");
    if (file == NULL) {
        return false;
    }
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    rewind(file);
    char *bytes = arena_alloc(r->arena, size > 0 ? (size_t)size : 1);
    *out = (struct str){bytes, fread(bytes, 1, size > 0 ? (size_t)size : 0, file)};
    (void)fclose(file);
    return true;
}

static bool read_text(struct req *r, const struct embedded_asset *asset, struct str *out)
{
    if (is_on_disk(r, asset)) {
        return read_file(r, asset, out);
    }
    *out = unpack(r->arena, asset);
    return true;
}

bool asset_is_there(const char *path)
{
    return find(str_of(path)) != NULL;
}

bool asset_text(struct req *r, const char *path, struct str *out)
{
    const struct embedded_asset *asset = find(str_of(path));
    assert(asset != NULL);
    return asset != NULL && read_text(r, asset, out);
}

/* ------- /static/ ------- */

static bool is_zero(struct str quality)
{
    size_t i = 0;
    while (i < quality.n && (quality.p[i] == '0' || quality.p[i] == '.')) {
        i++;
    }
    return quality.n > 0 && i == quality.n;
}

/* RFC 9110, 12.5.3, as far as it matters here: gzip is named, and not with q=0. */
static bool takes_gzip(struct req *r)
{
    struct str rest = http_request_header_all(r->x, "Accept-Encoding");
    while (rest.p != NULL) {
        struct str params = str_cut(&rest, ',');
        struct str coding = str_trim(str_cut(&params, ';'));
        if (str_eq_nocase(coding, STR("gzip"))) {
            (void)str_cut(&params, '=');
            return !is_zero(str_trim(params));
        }
    }
    return false;
}

/* RFC 9110, 13.1.2. */
static bool is_known(struct req *r, struct str etag)
{
    struct str rest = http_request_header_all(r->x, "If-None-Match");
    while (rest.p != NULL) {
        struct str tag = str_trim(str_cut(&rest, ','));
        if (str_starts(tag, STR("W/"))) {
            tag = (struct str){tag.p + 2, tag.n - 2};
        }
        if (str_eq(tag, etag) || str_eq(tag, STR("*"))) {
            return true;
        }
    }
    return false;
}

void asset_answer(struct req *r, struct str content, struct str etag)
{
    http_add_header(r->x, "ETag", etag.p);
    http_add_header(r->x, "Cache-Control", "no-cache"); /* asked again, answered by 304 */
    if (is_known(r, etag)) {
        r->status = 304;
    } else {
        buf_str(&r->x->out, content);
    }
}

struct str asset_etag(struct arena *a, struct str content)
{
    uint8_t hash[SHA256_SIZE];
    sha256(content, hash);
    struct str text = base64url_encode(a, str_of_bytes(hash, sizeof(hash)));
    return arena_printf(a, "\"%.*s\"", STR_ARG(text));
}

static enum err answer_asset(struct req *r, const struct embedded_asset *asset)
{
    bool from_disk = is_on_disk(r, asset);
    struct str content;
    r->content_type_out = asset->media_type;
    http_add_header(r->x, "Vary", "Accept-Encoding");
    if (!from_disk && takes_gzip(r)) {
        http_add_header(r->x, "Content-Encoding", "gzip");
        content = (struct str){asset->gzip, asset->gzip_size};
        asset_answer(r, content, arena_printf(r->arena, "\"%s-gzip\"", asset->etag));
        return ERR_OK;
    }
    if (!read_text(r, asset, &content)) {
        return ERR_NOT_FOUND;
    }
    asset_answer(r, content,
                 from_disk ? asset_etag(r->arena, content)
                           : arena_printf(r->arena, "\"%s\"", asset->etag));
    return ERR_OK;
}

static enum err show_asset(struct req *r)
{
    static const struct str folder = {"/static/", 8};
    struct str path = {r->path.p + folder.n, r->path.n - folder.n};
    const struct embedded_asset *asset = find(path);
    bool is_hidden = asset == NULL || str_starts(path, STR("pages/"));
    return is_hidden ? ERR_NOT_FOUND : answer_asset(r, asset);
}

const struct resource web_asset_resource = {
    .name = "Asset",
    .description = "What the pages load.",
    .paths = {"/static/*"},
    .methods = {{.method = "GET",
                 .access = ACCESS_IGNORE,
                 .throttle = THROTTLE_NEVER,
                 .handle = show_asset,
                 .status = 200,
                 .one_form = true}},
};

/* Browsers ask for it of themselves where no page names an icon: beside JSON. They look into it for
 * what it is, whatever its name says. */
static enum err show_icon(struct req *r)
{
    const struct embedded_asset *asset = find(STR("img/icon.svg"));
    return asset != NULL ? answer_asset(r, asset) : ERR_NOT_FOUND;
}

const struct resource web_icon_resource = {
    .name = "Icon",
    .description = "The icon of the site.",
    .paths = {"/favicon.ico"},
    .methods = {{.method = "GET",
                 .access = ACCESS_IGNORE,
                 .throttle = THROTTLE_NEVER,
                 .handle = show_icon,
                 .status = 200,
                 .one_form = true}},
};
