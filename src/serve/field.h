/* What a route takes (body fields, query parameters) and what it answers (shapes), as tables: the
 * decoder, the validator, OPTIONS and the OpenAPI document come from them. */
#pragma once

#include "base/problems.h"
#include "base/uuid.h"

enum field_type {
    FIELD_TEXT,   /* trimmed; numbers are taken as their text, as DRF does */
    FIELD_SECRET, /* not trimmed, never logged */
    FIELD_EMAIL,  /* trimmed and checked as Django's EmailValidator does */
    FIELD_UUID,   /* "Must be a valid UUID." */
    FIELD_PK,     /* the id of another object, with DRF's texts for related fields */
    FIELD_INT,
    FIELD_BOOL,
    FIELD_TIME,   /* a date or date-time */
    FIELD_OBJECT, /* a JSON object, kept as compact text; max: bytes */
    FIELD_CHOICE,
    FIELD_LIST, /* list of texts; one alone counts as a list; forms repeat the key */
    FIELD_USER, /* query only: id, username or e-mail of a user, as text */
};

struct field {
    const char *name;
    const char *aliases; /* "content,text" or NULL; the first name that is sent counts */
    enum field_type type;
    bool required; /* not by PATCH */
    bool nullable;
    bool blank;          /* "" is allowed */
    int64_t min, max;    /* characters of text (max 0: no limit but the body's), bytes of objects,
                             value of integers (both 0: any), length of lists */
    const char *choices; /* "guest,host" */
    bool scans;          /* a filter that looks through texts: its request runs apart, see exec.h */
    const char *help;    /* one line for people */
    const char
        *refuse_prefix; /* other keys that begin so are an error of this field, not ignored */
};

enum value_state { VALUE_ABSENT, VALUE_NULL, VALUE_SET };

struct value {
    enum value_state state;
    struct str text; /* text, choice, object as JSON, user */
    int64_t n;       /* integer, boolean, time (microseconds) */
    bool is_date;    /* the time was a date alone */
    struct uuid id;
    struct str *list;
    size_t count;
    struct str name; /* as sent: the field's name or one of its aliases */
};

/* Shapes of answers. */
enum shape_type {
    SHAPE_STRING,
    SHAPE_INT,
    SHAPE_BOOL,
    SHAPE_UUID,
    SHAPE_TIME,
    SHAPE_JSON_OBJECT,
    SHAPE_OBJECT, /* of */
    SHAPE_ARRAY,  /* of objects (of), or of strings (of == NULL) */
    SHAPE_URL,
};

struct shape_field {
    const char *name;
    enum shape_type type;
    bool nullable;
    bool optional; /* may be missing */
    const struct shape *of;
    const char *choices; /* "guest,host": a string that is one of these */
    const char *help;    /* one line for people */
};

struct shape {
    const char *name; /* "Message" */
    const struct shape_field *fields;
    size_t count;
    bool paged; /* the envelope of a list around objects of this shape */
    bool open;  /* objects have fields beside these */
};

#define FIELDS(array) (array), COUNT_OF(array)
