/* Lines of the log file, made and understood. No I/O here: every function maps bytes to bytes.
 *
 * Numbers are lower-case hexadecimal of fixed width, but the count of a commit line, which is
 * decimal without leading zeros. One text for one meaning: a line that says the same
 * differently is not ours, so a flipped bit never passes for another spelling.
 */
#include "engines/storage/log/log_format.h"

#include <errno.h>
#include <stdio.h>

#define OFFSET_DIGITS 10u
#define CRC_DIGITS 8u
#define COUNT_DIGITS_MAX 10u /* a batch counts in 32 bits */

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

/* ---- reading lines ---- */

/* Takes `digits` hexadecimal digits off the front of *text. */
static bool take_hex(struct bytes *text, size_t digits, uint64_t *value)
{
    const char *p = text->data;
    uint64_t v = 0;
    if (text->size < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        const char *digit = p[i] ? strchr(hex_lower, p[i]) : NULL;
        if (!digit) return false;
        v = v << 4 | (uint64_t)(digit - hex_lower);
    }
    *text = bytes_of(p + digits, text->size - digits);
    *value = v;
    return true;
}

static bool take_text(struct bytes *text, const char *expected)
{
    size_t size = strlen(expected);
    if (text->size < size || memcmp(text->data, expected, size) != 0) return false;
    *text = bytes_of((const char *)text->data + size, text->size - size);
    return true;
}

static bool take_count(struct bytes *text, uint64_t *value)
{
    const char *p = text->data;
    uint64_t v = 0;
    size_t i = 0;
    for (; i < text->size && p[i] >= '0' && p[i] <= '9'; i++) {
        if (i == COUNT_DIGITS_MAX || (i == 1 && p[0] == '0')) return false;
        v = v * 10 + (uint64_t)(p[i] - '0');
    }
    if (i == 0) return false;
    *text = bytes_of(p + i, text->size - i);
    *value = v;
    return true;
}

enum log_line_kind log_line_read(struct bytes line, struct log_line_fields *fields)
{
    struct bytes rest = line;
    uint64_t crc, previous;
    if (line.size == 0 || *(const char *)line.data != '#') return LOG_LINE_PLAIN;
    if (bytes_equal(line, BYTES_LITERAL("#del"))) return LOG_LINE_DELETE;
    if (take_text(&rest, "#,") && take_count(&rest, &fields->count) && take_text(&rest, ",") &&
        take_hex(&rest, CRC_DIGITS, &crc) && rest.size == 0) {
        fields->crc = (uint32_t)crc;
        return LOG_LINE_COMMIT;
    }
    rest = line;
    if (take_text(&rest, "#+,") && take_hex(&rest, OFFSET_DIGITS, &fields->start) &&
        take_text(&rest, ",") && take_hex(&rest, OFFSET_DIGITS, &fields->synced) &&
        take_text(&rest, ",") && take_hex(&rest, CRC_DIGITS, &previous) && rest.size == 0) {
        fields->previous = (uint32_t)previous;
        return LOG_LINE_BEGIN;
    }
    rest = line;
    if (take_text(&rest, "#=,") && take_hex(&rest, OFFSET_DIGITS, &fields->start) &&
        take_text(&rest, ",") && take_hex(&rest, CRC_DIGITS, &crc) && rest.size == 0) {
        fields->crc = (uint32_t)crc;
        return LOG_LINE_ADOPT;
    }
    return LOG_LINE_PLAIN;
}

bool log_split(struct bytes line, struct bytes *key, struct bytes *value)
{
    const char *p = line.data;
    const char *comma = line.size ? memchr(p, ',', line.size) : NULL;
    if (!comma) return false;
    size_t from = (size_t)(comma - p) + 1;
    *key = bytes_of(p, from - 1);
    if (from < line.size && p[from] == ' ') from++;
    *value = bytes_of(p + from, line.size - from);
    return true;
}

/* Length of the UTF-8 sequence at p, 0 when it is none (RFC 3629, table 3-7 of Unicode). */
static size_t utf8_length(const unsigned char *p, size_t size)
{
    if (p[0] < 0x80) return 1;
    size_t length = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
                    : (p[0] & 0xf0) == 0xe0        ? 3
                    : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                   : 0;
    if (length == 0 || length > size) return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return length;
}

bool log_line_is_foreign(struct bytes line)
{
    const unsigned char *p = line.data;
    struct log_line_fields fields;
    if (log_line_read(line, &fields) != LOG_LINE_PLAIN) return false;
    /* The front of a line of ours, ended by a garbled byte that happens to be a newline: only
     * db_set writes a space behind the first comma. */
    const unsigned char *comma = line.size ? memchr(p, ',', line.size) : NULL;
    if (line.size && p[0] == '#' && (!comma || comma + 1 == p + line.size || comma[1] != ' '))
        return false;
    for (size_t i = 0, n; i < line.size; i += n) {
        if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f) return false;
        n = utf8_length(p + i, line.size - i);
        if (n == 0) return false;
    }
    /* A begin line whose front was garbled still ends in ,synced,previous. */
    size_t remains = 2 + OFFSET_DIGITS + CRC_DIGITS;
    if (line.size >= remains) {
        struct bytes rest = bytes_of(p + line.size - remains, remains);
        uint64_t ignored;
        if (take_text(&rest, ",") && take_hex(&rest, OFFSET_DIGITS, &ignored) &&
            take_text(&rest, ",") && take_hex(&rest, CRC_DIGITS, &ignored))
            return false;
    }
    return true;
}

/* ---- escapes ---- */

static bool is_plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '.' || c == '-';
}

int log_escape(struct buffer *out, struct bytes bytes)
{
    const unsigned char *p = bytes.data;
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i++) size += is_plain(p[i]) ? 1 : 3;
    int err = buffer_reserve(out, out->size + size);
    if (err) return err;
    unsigned char *to = out->data + out->size;
    for (size_t i = 0; i < bytes.size; i++) {
        if (is_plain(p[i])) {
            *to++ = p[i];
        } else {
            *to++ = '%';
            *to++ = (unsigned char)hex_upper[p[i] >> 4];
            *to++ = (unsigned char)hex_upper[p[i] & 15];
        }
    }
    out->size += size;
    return 0;
}

/* The byte at text[*i], which moves on; -1 when the text is not what log_escape makes. */
static int next_byte(const unsigned char *p, size_t size, size_t *i)
{
    if (is_plain(p[*i])) return p[(*i)++];
    if (p[*i] != '%' || size - *i < 3 || !p[*i + 1] || !p[*i + 2]) return -1;
    const char *high = strchr(hex_upper, p[*i + 1]), *low = strchr(hex_upper, p[*i + 2]);
    if (!high || !low) return -1;
    int byte = (int)((high - hex_upper) << 4 | (low - hex_upper));
    *i += 3;
    return is_plain((unsigned char)byte) ? -1 : byte;
}

bool log_is_escaped(struct bytes text)
{
    for (size_t i = 0; i < text.size;)
        if (next_byte(text.data, text.size, &i) < 0) return false;
    return true;
}

int log_unescape(struct buffer *out, struct bytes text)
{
    int err = buffer_reserve(out, out->size + text.size);
    if (err) return err;
    size_t size = out->size;
    for (size_t i = 0; i < text.size;) {
        int byte = next_byte(text.data, text.size, &i);
        if (byte < 0) return -EBADMSG;
        out->data[size++] = (unsigned char)byte;
    }
    out->size = size;
    return 0;
}

/* ---- making lines ---- */

static int append_text(struct buffer *out, const char *text)
{
    return buffer_append(out, text, strlen(text));
}

int log_append_adopt(struct buffer *out, uint64_t from, uint32_t crc)
{
    char line[64];
    snprintf(line, sizeof(line), "#=,%010llx,%08x\n", (unsigned long long)from, crc);
    return append_text(out, line);
}

int log_append_begin(struct buffer *out, uint64_t start, uint64_t synced, uint32_t previous)
{
    char line[64];
    snprintf(line, sizeof(line), "#+,%010llx,%010llx,%08x\n", (unsigned long long)start,
             (unsigned long long)synced, previous);
    return append_text(out, line);
}

int log_append_item(struct buffer *out, const struct engine_batch_item *item)
{
    int err = item->is_delete ? append_text(out, "#del\n") : 0;
    if (!err) err = log_escape(out, item->key);
    /* A delete has no space behind the comma, so that db_get prints an empty line for it. */
    if (!err) err = append_text(out, item->is_delete ? "," : ", ");
    if (!err && !item->is_delete) err = log_escape(out, item->value);
    return err ? err : append_text(out, "\n");
}

int log_append_commit(struct buffer *out, uint64_t count, uint32_t crc, uint32_t *whole)
{
    char line[64];
    int size = snprintf(line, sizeof(line), "#,%llu,", (unsigned long long)count);
    uint32_t sum = crc32c(crc, line, (size_t)size);
    snprintf(line + size, sizeof(line) - (size_t)size, "%08x\n", sum);
    int err = append_text(out, line);
    if (!err) *whole = sum;
    return err;
}
