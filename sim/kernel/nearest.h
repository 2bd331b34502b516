/* The nearest valid word, for messages: "(did you mean 'partition'?)". */
#ifndef FAULTLINE_SIM_KERNEL_NEAREST_H
#define FAULTLINE_SIM_KERNEL_NEAREST_H

#include <stddef.h>

/* Of a table that ends with NULL; NULL: none is near. */
const char *nearest_word(const char *word, const char *const *words);
/* The same of text that does not end with a zero byte. */
const char *nearest_text(const char *text, size_t size, const char *const *words);

#endif
