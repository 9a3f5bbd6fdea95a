/* The nearest word to a misspelt one, for "did you mean". */
#ifndef INK_BASE_SUGGEST_H
#define INK_BASE_SUGGEST_H

#include <stddef.h>

/* The candidate with the least edit distance to `word` (of `length` bytes), or NULL if none is near. `candidate(i)`
 * gives the i-th word, NULL past the last. */
const char *ink__nearest(const char *word, size_t length, const char *(*candidate)(size_t i));

#endif
