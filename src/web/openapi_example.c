/* Examples, by one table of names; what is not in it has the example of its type. */
#include "web/openapi_private.h"

#define USER_ID "\"01984c2e-6d1b-7a3f-9c55-0f2b8e7d4a10\""
#define CONVERSATION_ID "\"01984c2e-7f02-7c1e-8a41-5d3e9b6c2f21\""
#define MESSAGE_ID "\"01984c2e-8b9c-7d44-b0e7-1a2c3d4e5f32\""
#define OTHER_ID "\"01984c2e-9d37-7e58-a6f3-7b8c9d0e1f43\""
#define TIME "\"2025-07-27T18:01:41.482677Z\""
#define TOKEN "\"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiMDE5ODRjMmUifQ.c2lnbmF0dXJl\""

/* By field, or by shape and field. A value is taken where the type allows it. */
static const struct {
    const char *name;
    const char *json;
} by_name[] = {
    {"username", "\"ann\""},
    {"email", "\"ann@example.com\""},
    {"password", "\"correct-Horse-7\""},
    {"password_confirm", "\"correct-Horse-7\""},
    {"old_password", "\"correct-Horse-7\""},
    {"new_password", "\"better-Horse-8\""},
    {"first_name", "\"Ann\""},
    {"last_name", "\"Lee\""},
    {"full_name", "\"Ann Lee\""},
    {"phone_number", "\"+49 30 901820\""},
    {"avatar", "null"},
    {"metadata", "{\"booking\":4711}"},
    {"title", "\"Keys to the flat\""},
    {"participants", "\"ben\""},
    {"message_body", "\"The key is under the mat.\""},
    {"edited_at", "null"},
    {"reply_to", "null"},
    {"muted_until", "\"2030-01-01T00:00:00Z\""},
    {"user_id", USER_ID},
    {"sender_id", USER_ID},
    {"editor_id", USER_ID},
    {"created_by", USER_ID},
    {"conversation_id", CONVERSATION_ID},
    {"conversation", CONVERSATION_ID},
    {"message_id", MESSAGE_ID},
    {"notification_id", MESSAGE_ID},
    {"token", TOKEN},
    {"access", TOKEN},
    {"refresh", TOKEN},
    {"ticket", TOKEN},
    {"cursor", "\"AQGYTC5tG3o_nFUPK46X\""},
    {"user_agent", "\"Mozilla/5.0\""},
    {"address", "\"203.0.113.7\""},
    {"detail", "\"It is done.\""},
    {"Error.detail", "\"Not found.\""},
    {"Problem.type", "\"about:blank\""},
    {"Problem.title", "\"Not found.\""},
    {"Problem.detail", "\"Not found.\""},
    {"Problem.status", "404"},
    {"Problem.code", "\"not_found\""},
    {"seq", "3"},
    {"last_seq", "3"},
    {"read_seq", "2"},
    {"rev", "7"},
    {"message_count", "3"},
    {"participant_count", "2"},
    {"page_size", "20"},
    {"expires_in", "30"},
    {"next", "null"},
    {"previous", "null"},
};

static const char *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(by_name); i++) {
        if (strcmp(by_name[i].name, name) == 0) {
            return by_name[i].json;
        }
    }
    return NULL;
}

/* The example of the name, if it begins as JSON of the type does, else `usual`. */
static struct str choose(const char *name, char first, bool nullable, const char *usual)
{
    const char *json = find(name);
    bool fits = json != NULL && (json[0] == first || (json[0] == 'n' && nullable));
    return str_of(fits ? json : usual);
}

static struct str choose_int(const char *name)
{
    const char *json = find(name);
    return str_of(json != NULL && json[0] >= '0' && json[0] <= '9' ? json : "1");
}

static struct str first_choice(struct openapi_writer *w, const char *choices)
{
    struct str rest = str_of(choices);
    struct str first = str_cut(&rest, ',');
    return arena_printf(w->arena, "\"%.*s\"", STR_ARG(first));
}

/* ------- of bodies ------- */

static struct str field_example(struct openapi_writer *w, const struct field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_EMAIL:
    case FIELD_USER: return choose(field->name, '"', field->nullable, "\"text\"");
    case FIELD_UUID:
    case FIELD_PK: return choose(field->name, '"', field->nullable, OTHER_ID);
    case FIELD_INT: return choose_int(field->name);
    case FIELD_BOOL: return STR("true");
    case FIELD_TIME: return choose(field->name, '"', field->nullable, TIME);
    case FIELD_OBJECT: return choose(field->name, '{', field->nullable, "{}");
    case FIELD_CHOICE: return first_choice(w, field->choices);
    case FIELD_LIST: {
        struct str item = choose(field->name, '"', false, "\"text\"");
        return arena_printf(w->arena, "[%.*s]", STR_ARG(item));
    }
    }
    return STR("null");
}

void openapi_put_body_example(struct openapi_writer *w, const struct openapi_body *body)
{
    json_open_object(&w->o);
    for (size_t i = 0; i < body->count; i++) {
        json_key_str(&w->o, str_of(body->fields[i].name));
        json_raw(&w->o, field_example(w, &body->fields[i]));
    }
    json_close_object(&w->o);
}

/* ------- of answers ------- */

/* By which name the example is looked up. An "id" is that of what the next field names, as
 * "message_id". */
static const char *name_of(struct openapi_writer *w, const struct shape *shape, size_t i)
{
    const char *name = shape->fields[i].name;
    const char *full = arena_printf(w->arena, "%s.%s", shape->name, name).p;
    bool has_twin =
        strcmp(name, "id") == 0 && i + 1 < shape->count && shape->fields[i + 1].type == SHAPE_UUID;
    if (find(full) != NULL) {
        return full;
    }
    return has_twin ? shape->fields[i + 1].name : name;
}

static void put_field(struct openapi_writer *w, const struct shape *shape, size_t i)
{
    const struct shape_field *field = &shape->fields[i];
    const char *name = name_of(w, shape, i);
    struct json_out *o = &w->o;
    bool nullable = field->nullable;
    switch (field->type) {
    case SHAPE_STRING:
        json_raw(o, field->choices != NULL ? first_choice(w, field->choices)
                                           : choose(name, '"', nullable, "\"text\""));
        break;
    case SHAPE_INT: json_raw(o, choose_int(name)); break;
    case SHAPE_BOOL: json_bool(o, false); break;
    case SHAPE_UUID: json_raw(o, choose(name, '"', nullable, OTHER_ID)); break;
    case SHAPE_TIME: json_raw(o, choose(name, '"', nullable, TIME)); break;
    case SHAPE_JSON_OBJECT: json_raw(o, choose(name, '{', nullable, "{}")); break;
    case SHAPE_URL:
        json_raw(o, choose(name, '"', nullable, "\"http://127.0.0.1:8000/api/\""));
        break;
    case SHAPE_OBJECT: openapi_put_shape_example(w, field->of); break;
    case SHAPE_ARRAY:
        json_open_array(o);
        if (field->of != NULL && field->of->count > 0) {
            openapi_put_shape_example(w, field->of);
        }
        json_close_array(o);
        break;
    }
}

void openapi_put_shape_example(struct openapi_writer *w, const struct shape *shape)
{
    json_open_object(&w->o);
    for (size_t i = 0; i < shape->count; i++) {
        if (!shape->fields[i].optional) {
            json_key_str(&w->o, str_of(shape->fields[i].name));
            put_field(w, shape, i);
        }
    }
    json_close_object(&w->o);
}

void openapi_put_page_example(struct openapi_writer *w, const struct shape *shape)
{
    json_open_object(&w->o);
    json_field_i64(&w->o, "count", 1);
    json_field_null(&w->o, "next");
    json_field_null(&w->o, "previous");
    json_field_i64(&w->o, "page_size", 20);
    json_field_i64(&w->o, "current_page", 1);
    json_field_i64(&w->o, "total_pages", 1);
    json_field_open_array(&w->o, "results");
    openapi_put_shape_example(w, shape);
    json_close_array(&w->o);
    json_close_object(&w->o);
}
