/* GET /api/schema/: the OpenAPI document, made when it is first asked for. */
#include <pthread.h>
#include <stdlib.h>

#include "serve/app.h"
#include "web/assets.h"
#include "web/openapi.h"
#include "json/yaml.h"

struct document {
    struct buf text;
    struct str etag; /* in the arena */
};

struct openapi {
    const struct conf *conf;
    pthread_mutex_t lock; /* of what follows; it stays as it is once made */
    bool is_made;
    struct arena arena;
    struct document json;
    struct document yaml;
};

struct openapi *openapi_new(const struct conf *conf)
{
    struct openapi *openapi = mem_alloc_zero(sizeof(*openapi));
    openapi->conf = conf;
    pthread_mutex_init(&openapi->lock, NULL);
    arena_init(&openapi->arena);
    buf_init(&openapi->json.text, OPENAPI_BYTES_MAX);
    buf_init(&openapi->yaml.text, OPENAPI_BYTES_MAX);
    return openapi;
}

static void make(struct openapi *openapi)
{
    pthread_mutex_lock(&openapi->lock);
    if (!openapi->is_made) {
        openapi_write(openapi->conf, &openapi->json.text);
        yaml_from_json(&openapi->yaml.text, buf_view(&openapi->json.text));
        openapi->json.etag = asset_etag(&openapi->arena, buf_view(&openapi->json.text));
        openapi->yaml.etag = asset_etag(&openapi->arena, buf_view(&openapi->yaml.text));
        openapi->is_made = true;
    }
    pthread_mutex_unlock(&openapi->lock);
}

void openapi_free(struct openapi *openapi)
{
    if (openapi != NULL) {
        buf_fini(&openapi->json.text);
        buf_fini(&openapi->yaml.text);
        arena_fini(&openapi->arena);
        pthread_mutex_destroy(&openapi->lock);
        free(openapi);
    }
}

/* ------- the route ------- */

static const struct renderer yaml_renderers[] = {
    RENDERER("application/yaml", "yaml"),
    RENDERER("application/vnd.oai.openapi", "openapi"),
};

static enum err show_schema(struct req *r)
{
    struct openapi *openapi = r->app->openapi;
    make(openapi);
    const struct document *document = r->render != NULL ? &openapi->yaml : &openapi->json;
    if (r->render != NULL) {
        r->content_type_out = r->render->media_type.p;
    }
    if (r->wants_page) { /* which is another text than that of the ETag */
        buf_str(&r->x->out, buf_view(&document->text));
    } else {
        asset_answer(r, buf_view(&document->text), document->etag);
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
