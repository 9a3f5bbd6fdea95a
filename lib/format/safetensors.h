/*
 * safetensors: the file of models and checkpoints. A u64 length, a JSON header, the data; see docs/design.md, "Files".
 *
 * Written strictly: tensors sorted by falling alignment then name, header padded with spaces to 8 bytes, nothing in it
 * that depends on time or machine. Read leniently within the format, believing nothing: every offset and size is
 * checked before it is used. Data are little-endian in the file and native in memory.
 */
#ifndef INK_FORMAT_SAFETENSORS_H
#define INK_FORMAT_SAFETENSORS_H

#include "nn/net.h"

enum ink__dtype { INK__U8, INK__U32, INK__U64, INK__F32, INK__F64 };

struct ink__entry {
    const char *name;
    enum ink__dtype dtype;
    size_t shape[8], rank;
    const void *data; /* native byte order, packed; aligned for its type */
};

/* The number of elements of an entry. */
size_t ink__entry_count(const struct ink__entry *entry);

/* Writes a file through ink__writer (temporary, synced, renamed). */
enum ink_status ink__safetensors_write(const char *path, const struct ink__entry *entries, size_t count,
                                       const struct ink__pair *metadata, size_t metadata_count, struct ink_error *err);

/* A file that was read and checked whole. */
struct ink__safetensors;
enum ink_status ink__safetensors_open(struct ink__safetensors **out, const char *path, struct ink_error *err);
void ink__safetensors_free(struct ink__safetensors *file);
/* The i-th tensor; NULL past the last. Valid until the file is freed. */
const struct ink__entry *ink__safetensors_entry(const struct ink__safetensors *file, size_t i);
/* The tensor of that name, or NULL. */
const struct ink__entry *ink__safetensors_find(const struct ink__safetensors *file, const char *name);
/* The value of a metadata key, or NULL; and the i-th pair, false past the last. */
const char *ink__safetensors_metadata(const struct ink__safetensors *file, const char *key);
bool ink__safetensors_pair(const struct ink__safetensors *file, size_t i, const char **key, const char **value);

#endif
