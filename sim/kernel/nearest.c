/* The nearest valid word: optimal string alignment distance (Damerau-Levenshtein without
 * overlapping edits), at most a third of the word's length and at least one. A tie goes to the
 * word that stands first in its table.
 */
#include "sim/kernel/nearest.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 64u /* longer ones have no near word */

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t m = a < b ? a : b;
    return m < c ? m : c;
}

static uint32_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    uint32_t rows[3][WORD_MAX + 1];
    for (size_t k = 0; k <= b_size; k++) rows[0][k] = (uint32_t)k;
    for (size_t i = 1; i <= a_size; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (uint32_t)i;
        for (size_t k = 1; k <= b_size; k++) {
            uint32_t cost = a[i - 1] != b[k - 1];
            row[k] = min3(above[k] + 1, row[k - 1] + 1, above[k - 1] + cost);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                above2[k - 2] + 1 < row[k])
                row[k] = above2[k - 2] + 1;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *nearest_word(const char *word, const char *const *words)
{
    size_t size = strlen(word);
    if (size == 0 || size > WORD_MAX) return NULL;
    const char *best = NULL;
    uint32_t best_distance = UINT32_MAX;
    for (; *words; words++) {
        size_t other = strlen(*words);
        if (other > WORD_MAX) continue;
        uint32_t limit = (uint32_t)((size > other ? size : other) / 3);
        uint32_t d = distance(word, size, *words, other);
        if (d <= (limit ? limit : 1) && d < best_distance) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}

const char *nearest_text(const char *text, size_t size, const char *const *words)
{
    char word[WORD_MAX + 1];
    if (size > WORD_MAX || memchr(text, '\0', size)) return NULL;
    memcpy(word, text, size);
    word[size] = '\0';
    return nearest_word(word, words);
}
