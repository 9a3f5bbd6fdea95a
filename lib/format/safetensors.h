/*
 * safetensors: the file of models and checkpoints.
 *
 *   byte 0        N, a little-endian u64, at most 100,000,000
 *   byte 8        N bytes of JSON: {"__metadata__": {"key": "text", ...},
 *                                   "NAME": {"dtype": "F32", "shape": [784, 50], "data_offsets": [begin, end]}, ...}
 *   byte 8 + N    the data, little-endian, without gaps; the offsets count from here
 *
 * Written strictly: tensors by falling alignment, then name; metadata by key; the header padded with spaces to 8 bytes;
 * nothing in it that depends on time or machine. Read leniently within the format, believing nothing: every offset and
 * size is checked before it is used. Data are little-endian in the file and native in memory.
 */
#ifndef INK_FORMAT_SAFETENSORS_H
#define INK_FORMAT_SAFETENSORS_H

#include "format/texts.h"

#define INK__LENGTH_BYTES      ((size_t)8)
#define INK__MOST_HEADER_BYTES 100000000u
#define INK__METADATA_KEY      "__metadata__"

/* The element types that are read and written, of all that the format knows. */
enum ink__dtype { INK__U8, INK__U32, INK__U64, INK__I64, INK__F32, INK__F64, INK__DTYPES };

struct ink__dtype_info {
    const char *name; /* "F32" */
    size_t size;      /* bytes of an element, and its alignment */
};
extern const struct ink__dtype_info ink__dtypes[INK__DTYPES];

enum { INK__MOST_RANK = 8 };

/* One tensor. Rank 0 is a single element; a side of 0 makes it empty, with data that is not NULL. */
struct ink__entry {
    const char *name;
    enum ink__dtype dtype;
    size_t shape[INK__MOST_RANK], rank;
    const void *data; /* native byte order, packed; aligned for its type */
};

/* The number of elements of an entry, whose product is known to fit. */
size_t ink__entry_count(const struct ink__entry *entry);

/* Copies whole elements of `size` bytes (a power of two) between the file's byte order and this machine's: the same
 * operation in both directions. */
void ink__file_order(unsigned char *to, const unsigned char *from, size_t bytes, size_t size);

/* Writes a file through ink__writer (temporary, synced, renamed). Names and metadata keys must be unique, and they and
 * the values UTF-8: INK_BAD_ARGUMENT else. On failure an older file of that path is left as it was. */
enum ink_status ink__safetensors_write(const char *path, const struct ink__entry *entries, size_t count,
                                       const struct ink__pair *metadata, size_t metadata_count, struct ink_error *err);

/* A file that was read and checked whole. Floats may still be NaN or infinite. */
struct ink__safetensors;

/* INK_BAD_INPUT for anything malformed, with the byte or the tensor; INK_FAILED if the file cannot be read. */
enum ink_status ink__safetensors_open(struct ink__safetensors **out, const char *path, struct ink_error *err);
void ink__safetensors_free(struct ink__safetensors *file);

/* The i-th tensor in the order of the data; NULL past the last. Valid until the file is freed. */
const struct ink__entry *ink__safetensors_entry(const struct ink__safetensors *file, size_t i);
/* The tensor of that name, or NULL. */
const struct ink__entry *ink__safetensors_find(const struct ink__safetensors *file, const char *name);
/* The metadata; and the value of one key, or NULL. */
struct ink__texts ink__safetensors_texts(const struct ink__safetensors *file);
const char *ink__safetensors_metadata(const struct ink__safetensors *file, const char *key);

#endif
