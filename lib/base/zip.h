/*
 * Zip archives, as much of them as NumPy's npz needs: entries stored or deflated, with the 64-bit sizes that np.savez
 * always writes.
 *
 *   each entry       "PK\3\4", a header, the name, extra fields, the data
 *   the directory    for each entry "PK\1\2", sizes, CRC-32, name, and where its header is
 *   the end          "PK\5\6", how many entries, and where the directory is; before it, if something needs 64 bits,
 *                    "PK\6\6" with the same in 64 bits and "PK\6\7", which says where that is
 *
 * Reading goes by the directory, as every reader must. Nothing is believed: an entry lies whole before the directory,
 * and one that deflate could not have made so small is refused before any memory is taken for it.
 */
#ifndef INK_BASE_ZIP_H
#define INK_BASE_ZIP_H

#include "base/file.h"

struct ink__zip_entry {
    char *name;                  /* owned by the archive; without control characters */
    const unsigned char *header; /* its own, in the file; the bytes follow */
    const unsigned char *bytes;  /* as they stand in the file */
    size_t packed, size;         /* how many, and how many they decompress to; equal if stored */
    uint32_t crc;
    bool deflated;
};

/* An open archive. `file`, from which the entries' bytes are, must outlive it. */
struct ink__zip {
    struct ink__zip_entry *entries;
    size_t count;
};

/* True if the bytes start as an archive does. */
bool ink__zip_is(const struct ink__file *file);

/* Reads and checks the directory. `path` is for messages. On failure *zip is empty. */
enum ink_status ink__zip_open(struct ink__zip *zip, const struct ink__file *file, const char *path,
                              struct ink_error *err);
/* Accepts a zeroed *zip. */
void ink__zip_close(struct ink__zip *zip);

/* The first bytes of an entry, at most `size` of them; *got says how many. Nothing is verified beyond them. */
enum ink_status ink__zip_peek(const struct ink__zip_entry *entry, const char *path, unsigned char *head, size_t size,
                              size_t *got, struct ink_error *err);
/* Writes the entry->size bytes of an entry to `out`, and checks their CRC-32. A stored entry can instead be used where
 * it lies (out is NULL): then it is only checked. */
enum ink_status ink__zip_expand(const struct ink__zip_entry *entry, const char *path, unsigned char *out,
                                struct ink_error *err);

/* An archive being written: the same entries always make the same bytes. */
struct ink__zip_writer {
    struct ink__writer file;
    uint64_t at; /* bytes written */
    struct ink__zip_record *records;
    size_t count, room;
};

enum ink_status ink__zip_create(struct ink__zip_writer *zip, const char *path, struct ink_error *err);
/* Adds an entry of `head_size` bytes of `head`, then `body_size` of `body`; `compress` deflates it, which takes memory
 * for twice its size. */
enum ink_status ink__zip_add(struct ink__zip_writer *zip, const char *name, const void *head, size_t head_size,
                             const void *body, size_t body_size, bool compress, struct ink_error *err);
/* Writes the directory and puts the file in its place. Always releases *zip; as does abandoning. */
enum ink_status ink__zip_commit(struct ink__zip_writer *zip, struct ink_error *err);
void ink__zip_abandon(struct ink__zip_writer *zip);

#endif
