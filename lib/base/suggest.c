#include "base/suggest.h"

#include <stdint.h>
#include <string.h>

#define LONGEST 32

/* Levenshtein's distance, a row at a time; infinite for words too long to be ours. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[LONGEST + 1];
    if (a_length > LONGEST || b_length > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            const size_t insert = row[j - 1] + 1, drop = row[j] + 1;
            diagonal = row[j];
            row[j] = replace < insert ? replace : insert;
            row[j] = row[j] < drop ? row[j] : drop;
        }
    }
    return row[b_length];
}

const char *ink__nearest(const char *word, size_t length, const char *(*candidate)(size_t i))
{
    const char *nearest = NULL;
    size_t least = length / 3 + 2; /* a third of the letters wrong, and one more, is another word */
    for (size_t i = 0; candidate(i) != NULL; i++) {
        const size_t d = distance(word, length, candidate(i), strlen(candidate(i)));
        if (d < least) {
            least = d;
            nearest = candidate(i);
        }
    }
    return nearest;
}
