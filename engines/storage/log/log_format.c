/* Lines of the log file, made and understood. No I/O here: every function maps bytes to bytes.
 *
 * Numbers are lower-case hexadecimal of fixed width, but the distance of a begin line and the
 * count of a commit line (decimal), which have no leading zeros. One text for one meaning: a
 * line that says the same differently is not ours, so a flipped bit never passes for another
 * spelling.
 *
 * Both directions run once for each byte of a bulk load or a search, so digits come from tables
 * and values are looked through eight bytes at a time.
 */
#include "engines/storage/log/log_format.h"

#include <errno.h>

#define OFFSET_DIGITS 10u
#define CRC_DIGITS 8u
#define COUNT_DIGITS_MAX 10u /* a batch counts in 32 bits */
#define LINE_MAX 64u         /* of a line of our grammar */

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

/* ---- reading lines ---- */

/* The value of a lower-case hexadecimal digit; 16 or more when it is none. */
static inline unsigned digit_of(unsigned char c)
{
    unsigned decimal = (unsigned)c - '0', letter = (unsigned)c - 'a';
    return decimal < 10 ? decimal : letter < 6 ? letter + 10 : 16;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte)) /* that byte eight times */

/* Eight digits at once, the first in the lowest byte of the word. Bit 6 tells letters from
 * decimals; what is no digit does not come out as it went in, and sets bits of *wrong from its
 * byte on (of later bytes, too, which a carry may have reached). */
static inline uint64_t hex_word(uint64_t word, uint64_t *wrong)
{
    uint64_t letters = word >> 6 & EACH(1);
    uint64_t digits = (word & EACH(15)) + letters * 9;
    *wrong = (digits & EACH(0xf0)) | ((digits + EACH('0') + letters * 39) ^ word);
    uint64_t pairs = (digits << 4 | digits >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    uint64_t fours = (pairs << 8 | pairs >> 16) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(fours << 16 | fours >> 32);
}

/* Takes the eight digits of a checksum off the front of *text. */
static inline bool take_crc(struct bytes *text, uint32_t *crc)
{
    const unsigned char *p = text->data;
    uint64_t wrong;
    if (text->size < CRC_DIGITS) return false;
    *crc = (uint32_t)hex_word(get_u64(p), &wrong);
    *text = bytes_of(p + CRC_DIGITS, text->size - CRC_DIGITS);
    return wrong == 0;
}

/* Likewise the ten of an offset. */
static inline bool take_offset(struct bytes *text, uint64_t *offset)
{
    const unsigned char *p = text->data;
    uint64_t wrong;
    if (text->size < OFFSET_DIGITS) return false;
    unsigned high = digit_of(p[8]), low = digit_of(p[9]);
    *offset = hex_word(get_u64(p), &wrong) << 8 | high << 4 | low;
    *text = bytes_of(p + OFFSET_DIGITS, text->size - OFFSET_DIGITS);
    return wrong == 0 && (high | low) < 16;
}

/* As many digits as there are, up to OFFSET_DIGITS, without leading zeros. At least eight bytes
 * must follow them in a line of ours: the word that is read is of the line. */
static inline bool take_distance(struct bytes *text, uint64_t *distance)
{
    const unsigned char *p = text->data;
    uint64_t wrong;
    if (text->size < 8) return false;
    uint64_t word = get_u64(p);
    hex_word(word, &wrong);
    size_t digits = wrong ? (size_t)__builtin_ctzll(wrong) / 8 : 8;
    if (digits == 0 || (p[0] == '0' && digits > 1)) return false;
    /* Zeros in front, so that the last digit stands last. */
    uint64_t shift = 64 - 8 * digits, v = word;
    if (shift) v = word << shift | EACH('0') >> (64 - shift);
    v = hex_word(v, &wrong);
    for (unsigned digit; digits >= 8 && digits < text->size; digits++) {
        if ((digit = digit_of(p[digits])) > 15) break;
        if (digits == OFFSET_DIGITS) return false;
        v = v << 4 | digit;
    }
    *text = bytes_of(p + digits, text->size - digits);
    *distance = v;
    return true;
}

/* Takes one character. */
static inline bool take(struct bytes *text, char expected)
{
    const char *p = text->data;
    if (text->size == 0 || *p != expected) return false;
    *text = bytes_of(p + 1, text->size - 1);
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
    const char *p = line.data;
    uint64_t distance;
    if (line.size < 4 || p[0] != '#') return LOG_LINE_PLAIN;
    struct bytes rest = bytes_of(p + 2, line.size - 2);
    switch (p[1]) {
    case 'd':
        return bytes_equal(line, BYTES_LITERAL("#del")) ? LOG_LINE_DELETE : LOG_LINE_PLAIN;
    case ',':
        if (!take_count(&rest, &fields->count) || !take(&rest, ',') ||
            !take_crc(&rest, &fields->crc) || rest.size)
            return LOG_LINE_PLAIN;
        return LOG_LINE_COMMIT;
    case '+':
        if (!take(&rest, ',') || !take_offset(&rest, &fields->start) || !take(&rest, ',') ||
            !take_distance(&rest, &distance) || distance > fields->start || !take(&rest, ',') ||
            !take_crc(&rest, &fields->previous) || rest.size)
            return LOG_LINE_PLAIN;
        fields->synced = fields->start - distance;
        return LOG_LINE_BEGIN;
    case '=':
        if (!take(&rest, ',') || !take_offset(&rest, &fields->start) || !take(&rest, ',') ||
            !take_crc(&rest, &fields->crc) || rest.size)
            return LOG_LINE_PLAIN;
        return LOG_LINE_ADOPT;
    default: return LOG_LINE_PLAIN;
    }
}

bool log_has_begin(struct bytes bytes)
{
    const char *p = bytes.data, *end = p + bytes.size;
    struct log_line_fields fields;
    while (end - p >= 3 && (p = memchr(p, '#', (size_t)(end - p))) != NULL) {
        size_t size =
            (size_t)(end - p) < LOG_BEGIN_SIZE_MAX ? (size_t)(end - p) : LOG_BEGIN_SIZE_MAX;
        const char *newline = memchr(p, '\n', size);
        if (newline &&
            log_line_read(bytes_of(p, (size_t)(newline - p)), &fields) == LOG_LINE_BEGIN)
            return true;
        p++;
    }
    return false;
}

bool log_is_begin_front(struct bytes text)
{
    static const char front[] = {'#', '+', ','};
    const unsigned char *p = text.data;
    for (size_t i = 0; i < text.size; i++)
        if (i < sizeof(front) ? p[i] != front[i] : p[i] != ',' && digit_of(p[i]) > 15)
            return false;
    return true;
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
    /* A begin line whose front was garbled still ends in ,distance,previous. */
    const unsigned char *end = p + line.size;
    for (size_t digits = 1; digits <= OFFSET_DIGITS; digits++) {
        size_t remains = 2 + digits + CRC_DIGITS;
        if (line.size < remains) break;
        struct bytes rest = bytes_of(end - remains, remains);
        uint64_t ignored;
        uint32_t sum;
        if (take(&rest, ',') && take_distance(&rest, &ignored) && take(&rest, ',') &&
            take_crc(&rest, &sum))
            return false;
    }
    return true;
}

/* ---- escapes ---- */

/* [A-Za-z0-9_.-], a bit a character. */
static bool is_plain_key(unsigned char c)
{
    static const uint64_t set[4] = {UINT64_C(0x03ff600000000000), UINT64_C(0x07fffffe87fffffe)};
    return set[c >> 6] >> (c & 63) & 1;
}

static bool is_plain_value(unsigned char c)
{
    return c != '\n' && c != '%' && c != '\0';
}

static bool is_plain(enum log_text text, unsigned char c)
{
    return text == LOG_KEY ? is_plain_key(c) : is_plain_value(c);
}

/* Non-zero when a byte of the word is 0 (Mycroft's test, exact as a yes or no). */
static uint64_t zero_byte(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

/* Bytes at the front that stand for themselves. */
static size_t plain_run(enum log_text text, const unsigned char *p, size_t size)
{
    size_t i = 0;
    for (uint64_t word; text == LOG_VALUE && size - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, p + i, sizeof(word));
        if (zero_byte(word) | zero_byte(word ^ UINT64_C(0x0a0a0a0a0a0a0a0a)) |
            zero_byte(word ^ UINT64_C(0x2525252525252525)))
            break;
    }
    while (i < size && is_plain(text, p[i])) i++;
    return i;
}

int log_escape(struct buffer *out, enum log_text text, struct bytes bytes)
{
    const unsigned char *p = bytes.data;
    int err = buffer_reserve(out, out->size + bytes.size);
    for (size_t i = 0; i < bytes.size && !err;) {
        size_t run = plain_run(text, p + i, bytes.size - i);
        memcpy(out->data + out->size, p + i, run);
        out->size += run;
        i += run;
        if (i == bytes.size) break;
        err = buffer_reserve(out, out->size + 3 + bytes.size - i);
        if (err) break;
        unsigned char *to = out->data + out->size;
        to[0] = '%';
        to[1] = (unsigned char)hex_upper[p[i] >> 4];
        to[2] = (unsigned char)hex_upper[p[i] & 15];
        out->size += 3;
        i++;
    }
    return err;
}

/* The byte that %XX at p stands for; -1 when log_escape makes no such thing. */
static int escaped_byte(enum log_text text, const unsigned char *p, size_t size)
{
    if (size < 3 || p[0] != '%' || !p[1] || !p[2]) return -1;
    const char *high = strchr(hex_upper, p[1]), *low = strchr(hex_upper, p[2]);
    if (!high || !low) return -1;
    int byte = (int)((high - hex_upper) << 4 | (low - hex_upper));
    return is_plain(text, (unsigned char)byte) ? -1 : byte;
}

int log_unescape(struct buffer *out, enum log_text text, struct bytes bytes)
{
    const unsigned char *p = bytes.data;
    int err = buffer_reserve(out, out->size + bytes.size);
    if (err) return err;
    size_t size = out->size;
    for (size_t i = 0; i < bytes.size;) {
        size_t run = plain_run(text, p + i, bytes.size - i);
        memcpy(out->data + size, p + i, run);
        size += run;
        i += run;
        if (i == bytes.size) break;
        int byte = escaped_byte(text, p + i, bytes.size - i);
        if (byte < 0) return -EBADMSG;
        out->data[size++] = (unsigned char)byte;
        i += 3;
    }
    out->size = size;
    return 0;
}

size_t log_unescaped_size(enum log_text text, struct bytes bytes)
{
    const unsigned char *p = bytes.data;
    size_t size = 0;
    for (size_t i = 0; i < bytes.size;) {
        size_t run = plain_run(text, p + i, bytes.size - i);
        size += run;
        i += run;
        if (i == bytes.size) break;
        size++;
        i += bytes.size - i < 3 ? bytes.size - i : 3;
    }
    return size;
}

/* ---- making lines ---- */

static char *put_text(char *to, const char *text)
{
    while (*text) *to++ = *text++;
    return to;
}

static char *put_hex(char *to, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0;) *to++ = hex_lower[value >> (4 * i) & 15];
    return to;
}

static char *put_distance(char *to, uint64_t value)
{
    unsigned digits = 1;
    while (digits < 16 && value >> (4 * digits)) digits++;
    return put_hex(to, value, digits);
}

static int append_line(struct buffer *out, const char *line, const char *end)
{
    return buffer_append(out, line, (size_t)(end - line));
}

int log_append_adopt(struct buffer *out, uint64_t from, uint32_t crc)
{
    char line[LINE_MAX], *to = put_text(line, "#=,");
    to = put_hex(to, from, OFFSET_DIGITS);
    to = put_text(to, ",");
    to = put_hex(to, crc, CRC_DIGITS);
    return append_line(out, line, put_text(to, "\n"));
}

int log_append_begin(struct buffer *out, uint64_t start, uint64_t synced, uint32_t previous)
{
    char line[LINE_MAX], *to = put_text(line, "#+,");
    to = put_hex(to, start, OFFSET_DIGITS);
    to = put_text(to, ",");
    to = put_distance(to, start - synced);
    to = put_text(to, ",");
    to = put_hex(to, previous, CRC_DIGITS);
    return append_line(out, line, put_text(to, "\n"));
}

int log_append_item(struct buffer *out, const struct engine_batch_item *item,
                    size_t *value_offset)
{
    int err = item->is_delete ? buffer_append(out, "#del\n", 5) : 0;
    if (!err) err = log_escape(out, LOG_KEY, item->key);
    /* A delete has no space behind the comma, so that db_get prints an empty line for it. */
    if (!err) err = buffer_append(out, ", ", item->is_delete ? 1 : 2);
    if (err) return err;
    *value_offset = out->size;
    if (!item->is_delete) err = log_escape(out, LOG_VALUE, item->value);
    return err ? err : buffer_append(out, "\n", 1);
}

int log_append_commit(struct buffer *out, uint64_t count, uint32_t crc, uint32_t *whole)
{
    char line[LINE_MAX], decimal[COUNT_DIGITS_MAX * 2], *to = put_text(line, "#,");
    size_t digits = 0;
    do decimal[digits++] = (char)('0' + count % 10);
    while ((count /= 10) != 0);
    while (digits) *to++ = decimal[--digits];
    to = put_text(to, ",");
    uint32_t sum = crc32c(crc, line, (size_t)(to - line));
    to = put_hex(to, sum, CRC_DIGITS);
    int err = append_line(out, line, put_text(to, "\n"));
    if (!err) *whole = sum;
    return err;
}
