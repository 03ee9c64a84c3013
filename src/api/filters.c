#include "api/filters.h"

struct str api_text_filter(const struct req *r, const char *name)
{
    const struct value *v = req_filter(r, name);
    return value_is_set(v) ? v->text : STR_NULL;
}

struct db_val api_uuid_filter(const struct req *r, const char *name)
{
    const struct value *v = req_filter(r, name);
    return value_is_set(v) ? V_UUID(v->id) : V_NULL;
}

struct db_val api_time_filter(const struct req *r, const char *name)
{
    const struct value *v = req_filter(r, name);
    return value_is_set(v) ? V_TIME(v->n) : V_NULL;
}

struct db_val api_bool_filter(const struct req *r, const char *name)
{
    const struct value *v = req_filter(r, name);
    return value_is_set(v) ? V_BOOL(v->n != 0) : V_NULL;
}

bool api_flag_filter(const struct req *r, const char *name)
{
    const struct value *v = req_filter(r, name);
    return value_is_set(v) && v->n != 0;
}
