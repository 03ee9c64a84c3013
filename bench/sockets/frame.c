#include "frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

enum { FIN = 0x80, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127 };

static const char mark_begin[] = "bench:";

static uint64_t read_big_endian(const unsigned char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | p[i];
    }
    return value;
}

static void flip(char *text, size_t n, const unsigned char mask[4])
{
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)((unsigned char)text[i] ^ mask[i % 4]);
    }
}

size_t frame_take(char *bytes, size_t n, struct frame *out)
{
    const unsigned char *p = (const unsigned char *)bytes;
    if (n < 2) {
        return 0;
    }
    if ((p[0] & 0xf0) != FIN) {
        fail("a frame is a fragment or has reserved bits: first byte 0x%02x", p[0]);
    }
    size_t wide = (p[1] & 0x7f) == LENGTH_16 ? 2 : (p[1] & 0x7f) == LENGTH_64 ? 8 : 0;
    size_t mask_size = (p[1] & MASKED) != 0 ? 4 : 0;
    size_t header = 2 + wide + mask_size;
    if (n < header) {
        return 0;
    }
    size_t length = wide > 0 ? (size_t)read_big_endian(p + 2, wide) : p[1] & 0x7fu;
    if (n - header < length) {
        return 0;
    }
    *out = (struct frame){p[0] & 0x0f, bytes + header, length};
    if (mask_size > 0) {
        flip(out->text, length, p + 2 + wide);
    }
    return header + length;
}

size_t frame_write(char *out, int opcode, bool is_masked, const char *text, size_t n)
{
    /* One mask for all: it has to be undone by the server, not to be a secret. */
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t wide = n < LENGTH_16 ? 0 : n <= UINT16_MAX ? 2 : 8;
    size_t length = wide == 0 ? n : wide == 2 ? LENGTH_16 : LENGTH_64;
    size_t size = 2 + wide;
    out[0] = (char)(FIN | opcode);
    out[1] = (char)((is_masked ? MASKED : 0) | (int)length);
    for (size_t i = 0; i < wide; i++) {
        out[2 + i] = (char)((uint64_t)n >> 8 * (wide - 1 - i));
    }
    if (is_masked) {
        memcpy(out + size, mask, sizeof(mask));
        size += sizeof(mask);
    }
    memcpy(out + size, text, n);
    if (is_masked) {
        flip(out + size, n, mask);
    }
    return size + n;
}

/* The value behind "name":, or NULL. */
static const char *find_value(const struct frame *frame, const char *name)
{
    char quoted[64];
    size_t size = (size_t)snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    const char *p = frame->text, *end = p + frame->n;
    while ((p = memmem(p, (size_t)(end - p), quoted, size)) != NULL) {
        p += size;
        bool has_colon = false;
        while (p < end && (*p == ' ' || (*p == ':' && !has_colon))) {
            has_colon = has_colon || *p == ':';
            p++;
        }
        if (has_colon && p < end) {
            return p;
        }
    }
    return NULL;
}

int64_t frame_number(const struct frame *frame, const char *name)
{
    const char *p = find_value(frame, name), *end = frame->text + frame->n;
    if (p == NULL || *p < '0' || *p > '9') {
        return -1;
    }
    int64_t number = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        number = 10 * number + (*p - '0');
    }
    return number;
}

bool frame_string(const struct frame *frame, const char *name, char *out, size_t size)
{
    const char *p = find_value(frame, name), *end = frame->text + frame->n;
    const char *quote = p == NULL || *p != '"' ? NULL : memchr(p + 1, '"', (size_t)(end - p - 1));
    if (quote == NULL || (size_t)(quote - p) > size) {
        return false;
    }
    size_t n = (size_t)(quote - p - 1);
    memcpy(out, p + 1, n);
    out[n] = '\0';
    return true;
}

bool frame_is(const struct frame *frame, const char *type)
{
    const char *p = find_value(frame, "type");
    size_t n = strlen(type);
    size_t left = p == NULL ? 0 : (size_t)(frame->text + frame->n - p);
    return left >= n + 2 && *p == '"' && memcmp(p + 1, type, n) == 0 && p[n + 1] == '"';
}

void mark_write(char out[MARK_SIZE], struct mark mark)
{
    (void)snprintf(out, MARK_SIZE, "%s%016" PRIx64 ":%08" PRIx32, mark_begin, (uint64_t)mark.due_ns,
                   mark.number);
}

bool mark_find(const struct frame *frame, struct mark *out)
{
    const char *p = memmem(frame->text, frame->n, mark_begin, sizeof(mark_begin) - 1);
    if (p == NULL || frame->text + frame->n - p < MARK_SIZE - 1) {
        return false;
    }
    char text[MARK_SIZE];
    memcpy(text, p, MARK_SIZE - 1);
    text[MARK_SIZE - 1] = '\0';
    char *end;
    out->due_ns = (int64_t)strtoull(text + sizeof(mark_begin) - 1, &end, 16);
    out->number = *end == ':' ? (uint32_t)strtoul(end + 1, &end, 16) : 0;
    return *end == '\0';
}
