/* Ids of values: equal values under one key, equal ids. Private to sim/foreign. */
#ifndef FAULTLINE_SIM_FOREIGN_VALUES_H
#define FAULTLINE_SIM_FOREIGN_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value_table;
struct value_table *values_create(void);
void values_destroy(struct value_table *table);
/* Ids count up from 1 in order of first sight. A number is the same value as its canonical
 * text. */
uint64_t values_of_number(struct value_table *table, uint32_t key, int64_t number);
uint64_t values_of_text(struct value_table *table, uint32_t key, const char *text, size_t size);
uint64_t values_count(const struct value_table *table);
/* What the value was. A number's text is overwritten after sixteen calls; text stays. */
const char *values_name(const struct value_table *table, uint64_t id);

/* Whether the text is a number as printf writes it, and which. */
bool number_canonical(const char *text, size_t size, int64_t *number);

#endif
