/* Opening data sets in tests: those that are good, and those that must be refused. */
#ifndef INK_TESTS_OPENED_H
#define INK_TESTS_OPENED_H

#include "inkling.h"

#include <string.h>

/* Opening fails with `status`, leaves no object, and the message, of one line, holds both words (if not NULL). */
static inline void assert_refused(const char *path, enum ink_split split, const struct ink_dataset_options *options,
                                  enum ink_status expected, const char *word, const char *word2)
{
    struct ink_error err = { 0 };
    struct ink_dataset *data = (struct ink_dataset *)&err;
    const enum ink_status status = ink_dataset_open(&data, path, split, options, &err);
    if (status != expected || (word != NULL && strstr(err.message, word) == NULL) ||
        (word2 != NULL && strstr(err.message, word2) == NULL))
        fail_msg("status %d (expected %d), message \"%s\", expected \"%s\" and \"%s\"", status, expected, err.message,
                 word != NULL ? word : "", word2 != NULL ? word2 : "");
    assert_null(data);
    assert_int_equal(err.code, expected);
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(ink_dataset_open(&data, path, split, options, NULL), expected);
}

static inline struct ink_dataset *open_good(const char *path, enum ink_split split,
                                            const struct ink_dataset_options *options)
{
    struct ink_error err = { 0 };
    struct ink_dataset *data = NULL;
    if (ink_dataset_open(&data, path, split, options, &err) != INK_OK)
        fail_msg("%s", err.message);
    assert_non_null(data);
    return data;
}

#endif
