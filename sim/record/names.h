/* Interned text: equal text, equal number; numbers count up from 0 in order of first sight, so
 * they are the same in every run of a seed. */
#ifndef FAULTLINE_SIM_RECORD_NAMES_H
#define FAULTLINE_SIM_RECORD_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct history_names;
struct history_names *names_create(void);
void names_destroy(struct history_names *names);
uint32_t names_intern(struct history_names *names, const char *text, size_t size);
/* NUL-terminated as well, valid until names_destroy. */
const char *names_text(const struct history_names *names, uint32_t id, size_t *size);
uint32_t names_count(const struct history_names *names);

#endif
