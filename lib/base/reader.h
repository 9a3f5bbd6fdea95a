/* Reading a line of words and numbers that a person typed; where it is wrong, the column and the nearest word. */
#ifndef INK_BASE_READER_H
#define INK_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "inkling.h"

struct ink__reader {
    const char *what;              /* the line, as messages begin: "network" */
    const char *text, *at;         /* the whole line, and where reading stands */
    const char *(*word)(size_t i); /* the i-th word that may have been meant, NULL past the last */
    struct ink_error *err;
};

/* Whether `word` stands at `at`, and ends there: a word is letters, and hyphens after the first. */
bool ink__word_is(const char *at, const char *word);

void ink__read_space(struct ink__reader *r);
/* Takes the word if it stands here, after blanks; so do the others that take something. */
bool ink__read_word(struct ink__reader *r, const char *word);
/* Whole digits, from `least` to `most`. `what` is what to expect, for the message. */
enum ink_status ink__read_whole(struct ink__reader *r, size_t least, size_t most, size_t *number, const char *what);
/* A decimal number from 0 to `most`, such as 12, 0.25 or .5; a point is a point in every locale. */
enum ink_status ink__read_decimal(struct ink__reader *r, double most, double *number, const char *what);

/* INK_BAD_ARGUMENT, "network: column 7: expected WHAT, found 'FOUND'", and the word that is nearest if `word` says that
 * one may stand here. */
enum ink_status ink__read_wrong(const struct ink__reader *r, const char *what, bool word);
/* The column of a place in the line, from 1. */
int ink__reader_column(const struct ink__reader *r, const char *at);

#endif
