/* The header of an npy, for npz.c. */
#ifndef INK_BASE_NPY_H
#define INK_BASE_NPY_H

#include "base/npz.h"

enum {
    INK__NPY_PREFIX = 12,          /* bytes that tell the length of the header, at most */
    INK__NPY_LONGEST_HEADER = 4096 /* of all bytes before the elements; a longer one describes a record */
};

/* Whether they begin as an npy does. */
bool ink__npy_is(const unsigned char *bytes, size_t size);

/* Reads the header from the first bytes of an npy that has `size` bytes in all, of which the first `available` are
 * there: all, or INK__NPY_LONGEST_HEADER. Fills *array but for its name and data; *begin is where the elements are, which
 * end with the file. `where` is "FILE" or "FILE: entry 'NAME'", for messages. */
enum ink_status ink__npy_read_header(struct ink__npy *array, const unsigned char *bytes, size_t available, size_t size,
                                     size_t *begin, const char *where, struct ink_error *err);

/* Writes the header of an array, at most INK__NPY_LONGEST_HEADER bytes, and returns how many. */
size_t ink__npy_write_header(unsigned char *bytes, const struct ink__npy *array);

#endif
