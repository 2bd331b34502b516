/* The token at the head of a value: every value that a workload writes begins "TOKEN." in
 * decimal. One parser for all who look into values. */
#ifndef FAULTLINE_SIM_RECORD_TOKEN_H
#define FAULTLINE_SIM_RECORD_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#define TOKEN_FOREIGN UINT64_MAX /* a value that no workload wrote */

/* 0 for an empty value. *head_size, where given, is the size of token and point. */
static inline uint64_t token_parse(const void *value, size_t size, size_t *head_size)
{
    const unsigned char *p = value;
    uint64_t token = 0;
    size_t i = 0;
    if (size == 0) return 0;
    for (; i < size && p[i] >= '0' && p[i] <= '9'; i++) {
        if (i == 19) return TOKEN_FOREIGN;
        token = token * 10 + (uint64_t)(p[i] - '0');
    }
    if (i == 0 || i == size || p[i] != '.' || p[0] == '0') return TOKEN_FOREIGN;
    if (head_size) *head_size = i + 1;
    return token;
}

#endif
