/* GET /api/schema/: the OpenAPI document, made once at the start. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "serve/app.h"
#include "serve/route.h"
#include "web/openapi.h"
#include "json/yaml.h"

enum { DOCUMENT_MAX = 16 * 1024 * 1024 };

struct document {
    struct buf text;
    struct str etag; /* in the arena */
};

struct openapi {
    struct arena arena;
    struct document json;
    struct document yaml;
};

static void set_etag(struct openapi *openapi, struct document *document)
{
    uint8_t hash[SHA256_SIZE];
    sha256(buf_view(&document->text), hash);
    struct str text = base64url_encode(&openapi->arena, str_of_bytes(hash, sizeof(hash)));
    document->etag = arena_printf(&openapi->arena, "\"%.*s\"", STR_ARG(text));
}

struct openapi *openapi_new(const struct conf *conf)
{
    struct openapi *openapi = mem_alloc_zero(sizeof(*openapi));
    arena_init(&openapi->arena);
    buf_init(&openapi->json.text, DOCUMENT_MAX);
    buf_init(&openapi->yaml.text, DOCUMENT_MAX);
    openapi_write(conf, &openapi->json.text);
    yaml_from_json(&openapi->yaml.text, buf_view(&openapi->json.text));
    set_etag(openapi, &openapi->json);
    set_etag(openapi, &openapi->yaml);
    return openapi;
}

void openapi_free(struct openapi *openapi)
{
    if (openapi != NULL) {
        buf_fini(&openapi->json.text);
        buf_fini(&openapi->yaml.text);
        arena_fini(&openapi->arena);
        free(openapi);
    }
}

/* ------- the route ------- */

static const struct renderer yaml_renderers[] = {
    RENDERER("application/yaml", "yaml"),
    RENDERER("application/vnd.oai.openapi", "openapi"),
};

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

static enum err show_schema(struct req *r)
{
    bool as_yaml = r->accept.index > 0;
    const struct openapi *openapi = r->app->openapi;
    const struct document *document = as_yaml ? &openapi->yaml : &openapi->json;
    if (as_yaml) {
        r->content_type_out = yaml_renderers[r->accept.index - 1].media_type.p;
    }
    http_add_header(r->x, "ETag", document->etag.p);
    http_add_header(r->x, "Cache-Control", "no-cache"); /* asked again, answered by 304 */
    if (is_known(r, document->etag)) {
        r->status = 304;
    } else {
        buf_str(&r->x->out, buf_view(&document->text));
    }
    return ERR_OK;
}

static const struct shape_field schema_fields[] = {
    {.name = "openapi", .type = SHAPE_STRING},
    {.name = "info", .type = SHAPE_JSON_OBJECT},
    {.name = "paths", .type = SHAPE_JSON_OBJECT},
    {.name = "components", .type = SHAPE_JSON_OBJECT},
};
static const struct shape shape_schema = {.name = "OpenAPI", FIELDS(schema_fields), .open = true};

static const struct field schema_headers[] = {
    {.name = "If-None-Match", .type = FIELD_TEXT, .help = "The ETag of what you have."},
};

const struct resource web_schema_resource = {
    .name = "Schema",
    .description = "This document: OpenAPI 3.1, as JSON or YAML.",
    .paths = {"schema/"},
    .methods = {{.method = "GET",
                 .access = ACCESS_IGNORE,
                 .handle = show_schema,
                 .out = &shape_schema,
                 .status = 200,
                 .also = 304,
                 .renders = FIELDS(yaml_renderers),
                 .headers = FIELDS(schema_headers)}},
};
