/*
 * NumPy's files: an npy is one array, an npz a zip archive of them.
 *
 *   npy   "\x93NUMPY", the version (1 to 3), the length of the header (2 bytes, from version 2 on 4), the header, the
 *         elements. The header is a Python dictionary, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), },
 *         padded with blanks so that the elements begin at a multiple of 64.
 *
 * Arrays of booleans, integers, floats and text are read, in any byte order and both orders of elements; objects and
 * records are refused. An array's elements are only decompressed when they are asked for, and only as many as its
 * header's shape says.
 */
#ifndef INK_BASE_NPZ_H
#define INK_BASE_NPZ_H

#include "inkling.h"

enum { INK__NPY_MOST_DIMENSIONS = 8 };

/* An array. */
struct ink__npy {
    const char *name; /* of its entry, without ".npy"; "" if the file is an npy */
    char kind;        /* as in a descr: 'b' booleans, 'u' and 'i' integers, 'f' floats, 'S' bytes of text, 'U' UTF-32 */
    bool big_endian;
    bool fortran; /* the first index runs fastest */
    size_t width; /* bytes of an element: 1 for b; 1, 2, 4, 8 for u and i; 2, 4, 8 for f; any for S, of four for U */
    size_t rank, shape[INK__NPY_MOST_DIMENSIONS];
    size_t count;     /* elements, the product of the shape; count * width fits size_t */
    const void *data; /* the elements as they stand in the file, unaligned; NULL until they are loaded */
};

/* "float32", "uint8", "text": what the elements are, for messages. */
const char *ink__npy_type(const struct ink__npy *array);

/* Element `i` of a loaded array of numbers, counted with the last index running fastest whatever the order in the
 * file. Integers beyond 2^53 are rounded. */
double ink__npy_value(const struct ink__npy *array, size_t i);

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

struct ink__npz;

/* Opens an npz, or an npy as if it were an npz of one array, and reads the header of every array in it. Entries whose
 * name does not end in ".npy" are left out. INK_BAD_INPUT names file, entry and byte. */
enum ink_status ink__npz_open(struct ink__npz **out, const char *path, struct ink_error *err);
void ink__npz_free(struct ink__npz *npz);

/* The i-th array; NULL past the last. It belongs to `npz`. */
const struct ink__npy *ink__npz_array(const struct ink__npz *npz, size_t i);
/* The array of that name; NULL if there is none. */
const struct ink__npy *ink__npz_find(const struct ink__npz *npz, const char *name);

/* Makes array->data point to the elements: in the mapped file if they are stored, else decompressed. They belong to
 * `npz`. `array` is one of its arrays. */
enum ink_status ink__npz_load(struct ink__npz *npz, const struct ink__npy *array, struct ink_error *err);

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* Writes an npz of `count` arrays, stored as np.savez does or deflated as np.savez_compressed does. Of each are read
 * name, kind, width, rank, shape and data; the data are in this machine's byte order, the last index running fastest.
 * The same arrays always give the same bytes. */
enum ink_status ink__npz_write(const char *path, const struct ink__npy *arrays, size_t count, bool compress,
                               struct ink_error *err);

#endif
