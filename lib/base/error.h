/* How errors are reported: a code the program can exit with, and a message a user can act on. */
#ifndef INK_BASE_ERROR_H
#define INK_BASE_ERROR_H

#include "inkling.h"

/* Fills *err (if not NULL) with `code` and the formatted message, and returns `code`, so that a failure is one line:
 * return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: magic %u, expected 2051", path, magic); */
enum ink_status ink__fail(struct ink_error *err, enum ink_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call on `path`: INK_FAILED, "PATH: cannot VERB: strerror(errno)". */
enum ink_status ink__fail_errno(struct ink_error *err, const char *path, const char *verb);

/* INK_FAILED, "out of memory". */
enum ink_status ink__fail_memory(struct ink_error *err);

#endif
