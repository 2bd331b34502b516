/* The text of the log file: lines made and lines understood. The grammar stands in log.c. */
#ifndef FAULTLINE_ENGINES_STORAGE_LOG_FORMAT_H
#define FAULTLINE_ENGINES_STORAGE_LOG_FORMAT_H

#include "engines/storage/engine.h"

#define LOG_OFFSET_MAX ((UINT64_C(1) << 40) - 1) /* ten hexadecimal digits: 1 TiB */

enum log_line_kind {
    LOG_LINE_PLAIN,  /* anything else: of bash, or an item inside a batch */
    LOG_LINE_ADOPT,  /* #=,from,crc */
    LOG_LINE_BEGIN,  /* #+,start,distance,previous */
    LOG_LINE_DELETE, /* #del */
    LOG_LINE_COMMIT, /* #,count,crc */
};

struct log_line_fields {
    uint64_t start;    /* BEGIN: its own offset; ADOPT: where the adopted bytes begin */
    uint64_t synced;   /* BEGIN: all bytes before it were durable when it was written */
    uint32_t previous; /* BEGIN: crc of the batch before */
    uint32_t crc;      /* ADOPT, COMMIT */
    uint64_t count;    /* COMMIT: items */
};

enum log_line_kind log_line_read(struct bytes line, struct log_line_fields *fields);

/* True when a whole begin line stands somewhere in these bytes. */
#define LOG_BEGIN_SIZE_MAX 34u
bool log_has_begin(struct bytes bytes);
/* True when the text may be the front of one. */
bool log_is_begin_front(struct bytes text);

int log_append_adopt(struct buffer *out, uint64_t from, uint32_t crc);
int log_append_begin(struct buffer *out, uint64_t start, uint64_t synced, uint32_t previous);
/* *value_offset: where the value begins, in `out`. */
int log_append_item(struct buffer *out, const struct engine_batch_item *item,
                    size_t *value_offset);
/* crc is of everything in the batch before this line; *whole gets the batch's. */
int log_append_commit(struct buffer *out, uint64_t count, uint32_t crc, uint32_t *whole);

/* Bytes that do not stand for themselves become %XX: in a key all outside [A-Za-z0-9_.-], in a
 * value newline, '%' and NUL. */
enum log_text { LOG_KEY, LOG_VALUE };
int log_escape(struct buffer *out, enum log_text text, struct bytes bytes);
/* The other way; -EBADMSG when it is not what log_escape makes of anything. */
int log_unescape(struct buffer *out, enum log_text text, struct bytes bytes);
/* Bytes that log_unescape would append, taken that it succeeds. */
size_t log_unescaped_size(enum log_text text, struct bytes bytes);

/* key "," [" "] value: splits at the first comma. False when there is none. */
bool log_split(struct bytes line, struct bytes *key, struct bytes *value);

/* True when a line that no batch covers can only be of bash: UTF-8 without control characters
 * (but tab), and not the remains of a line of ours, at its front or its rear. */
bool log_line_is_foreign(struct bytes line);

#endif
