/* A writer of JSON lines for records: appends to a block of memory and hands full blocks to a
 * FILE. Bytes are the same on every machine: decimal integers, ASCII only.
 *
 *     struct json_lines out; json_lines_begin(&out, file);
 *     json_text(&out, "{\"op\":"); json_unsigned(&out, 3); json_text(&out, "}\n");
 *     int error = json_lines_end(&out);
 */
#ifndef FAULTLINE_SIM_RECORD_JSON_H
#define FAULTLINE_SIM_RECORD_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct json_lines {
    FILE *file;
    int error;
    size_t size;
    char block[65536];
};

void json_lines_begin(struct json_lines *out, FILE *file);
int json_lines_end(
    struct json_lines *out); /* flushes; 0 or -errno of the first write that failed */
void json_bytes(struct json_lines *out, const char *data, size_t size); /* as they are */
static inline void json_text(struct json_lines *out, const char *text)
{
    json_bytes(out, text, strlen(text));
}
void json_unsigned(struct json_lines *out, uint64_t value);
void json_signed(struct json_lines *out, int64_t value);
/* Quoted. Quote, backslash and controls are escaped; a byte above 126 is written \u00XX, so
 * that any key survives and any reader accepts the line. */
void json_quoted(struct json_lines *out, const char *data, size_t size);

#endif
