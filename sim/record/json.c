/* JSON lines without a library: a history of a million operations is written in a second, and
 * byte for byte the same everywhere. */
#include "sim/record/json.h"

#include <errno.h>

static void flush_block(struct json_lines *out)
{
    if (out->size && !out->error && fwrite(out->block, 1, out->size, out->file) != out->size)
        out->error = errno ? -errno : -EIO;
    out->size = 0;
}

void json_lines_begin(struct json_lines *out, FILE *file)
{
    out->file = file;
    out->error = 0;
    out->size = 0;
}

int json_lines_end(struct json_lines *out)
{
    flush_block(out);
    if (!out->error && fflush(out->file)) out->error = errno ? -errno : -EIO;
    return out->error;
}

void json_bytes(struct json_lines *out, const char *data, size_t size)
{
    while (size) {
        if (out->size == sizeof out->block) flush_block(out);
        size_t room = sizeof out->block - out->size, part = size < room ? size : room;
        memcpy(out->block + out->size, data, part);
        out->size += part;
        data += part;
        size -= part;
    }
}

void json_unsigned(struct json_lines *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    json_bytes(out, digits + at, sizeof digits - at);
}

void json_signed(struct json_lines *out, int64_t value)
{
    if (value < 0) {
        json_bytes(out, "-", 1);
        json_unsigned(out, -(uint64_t)value);
    } else {
        json_unsigned(out, (uint64_t)value);
    }
}

void json_quoted(struct json_lines *out, const char *data, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0; /* start of the stretch that needs no escape */
    json_bytes(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c >= 32 && c < 127 && c != '"' && c != '\\') continue;
        json_bytes(out, data + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') {
            json_bytes(out, (char[]){'\\', (char)c}, 2);
        } else {
            json_bytes(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        }
    }
    json_bytes(out, data + plain, size - plain);
    json_bytes(out, "\"", 1);
}
