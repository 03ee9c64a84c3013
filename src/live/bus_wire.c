#include "live/bus_wire.h"

static const char magic[] = {'C', 'F', 'B', '1'};
enum { HEAD_SIZE = sizeof(magic) + 16 };

static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
static const int64_t year_10000_us = INT64_C(253402300800000000);

static void put_number(struct buf *out, uint64_t n, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        buf_char(out, (char)(n >> (8 * i)));
    }
}

static uint64_t get_number(const char *p, size_t size)
{
    uint64_t n = 0;
    for (size_t i = 0; i < size; i++) {
        n = n << 8 | (uint8_t)p[i];
    }
    return n;
}

static void put_id(struct buf *out, struct uuid id)
{
    buf_add(out, id.b, sizeof(id.b));
}

static struct uuid get_id(const char *p)
{
    struct uuid id;
    memcpy(id.b, p, sizeof(id.b));
    return id;
}

/* The length of a record behind its kind; -1: there is no such kind. */
static int body_size(char kind)
{
    switch (kind) {
    case BUS_POKE:
    case BUS_ASK:
    case BUS_BEGIN:
    case BUS_END: return 0;
    case BUS_HERE:
    case BUS_COUNT: return 16;
    case BUS_GONE: return 24;
    case BUS_TYPING: return 32;
    default: return -1;
    }
}

void bus_wire_head(struct buf *out, const struct bus_head *head)
{
    buf_add(out, magic, sizeof(magic));
    put_number(out, head->node, 8);
    put_number(out, head->number, 8);
}

void bus_wire_add(struct buf *out, const struct bus_record *record)
{
    buf_char(out, (char)record->kind);
    switch (record->kind) {
    case BUS_POKE:
    case BUS_ASK:
    case BUS_BEGIN:
    case BUS_END: break;
    case BUS_HERE: put_id(out, record->user_id); break;
    case BUS_GONE:
        put_id(out, record->user_id);
        put_number(out, (uint64_t)record->at_us, 8);
        break;
    case BUS_TYPING:
        put_id(out, record->conversation_id);
        put_id(out, record->user_id);
        break;
    case BUS_COUNT:
        put_number(out, record->count.key, 8);
        put_number(out, record->count.n, 4);
        put_number(out, record->count.left_ms, 4);
        break;
    }
}

static void read_body(const char *p, struct bus_record *record)
{
    switch (record->kind) {
    case BUS_POKE:
    case BUS_ASK:
    case BUS_BEGIN:
    case BUS_END: break;
    case BUS_HERE: record->user_id = get_id(p); break;
    case BUS_GONE:
        record->user_id = get_id(p);
        record->at_us = (int64_t)get_number(p + 16, 8);
        break;
    case BUS_TYPING:
        record->conversation_id = get_id(p);
        record->user_id = get_id(p + 16);
        break;
    case BUS_COUNT:
        record->count.key = get_number(p, 8);
        record->count.n = (uint32_t)get_number(p + 8, 4);
        record->count.left_ms = (uint32_t)get_number(p + 12, 4);
        break;
    }
}

static bool is_possible(const struct bus_record *record)
{
    return record->at_us >= 0 && record->at_us < year_10000_us && record->count.left_ms <= day_ms;
}

bool bus_wire_next(struct str *rest, struct bus_record *record)
{
    *record = (struct bus_record){0};
    int size = rest->n > 0 ? body_size(rest->p[0]) : -1;
    if (size < 0 || rest->n - 1 < (size_t)size) {
        return false;
    }
    record->kind = (enum bus_kind)rest->p[0];
    read_body(rest->p + 1, record);
    *rest = (struct str){rest->p + 1 + size, rest->n - 1 - (size_t)size};
    return is_possible(record);
}

bool bus_wire_open(struct str message, struct bus_head *head, struct str *rest)
{
    struct bus_record record;
    if (message.n < HEAD_SIZE || message.n > BUS_MESSAGE_MAX ||
        memcmp(message.p, magic, sizeof(magic)) != 0) {
        return false;
    }
    *head = (struct bus_head){get_number(message.p + sizeof(magic), 8),
                              get_number(message.p + sizeof(magic) + 8, 8)};
    *rest = (struct str){message.p + HEAD_SIZE, message.n - HEAD_SIZE};
    struct str look = *rest;
    bool is_good = true;
    while (look.n > 0 && is_good) {
        is_good = bus_wire_next(&look, &record);
    }
    return is_good;
}
