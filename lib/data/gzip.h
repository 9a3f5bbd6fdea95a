/*
 * Gzip (RFC 1952): a file of one or more members, decompressed into memory the caller has sized.
 *
 * Who decompresses a whole must know its size beforehand, from the header of what is inside: so ink__gzip_peek reads
 * only the first bytes, and a small file that would grow to gigabytes is refused before any memory is taken for it.
 * Text has no header, and is read in pieces.
 */
#ifndef INK_DATA_GZIP_H
#define INK_DATA_GZIP_H

#include "base/file.h"

/* Deflate makes at most 258 bytes of 2 bits: no file of n bytes holds more than 1032 n. */
#define INK__GZIP_RATIO ((size_t)1032)

/* True if the bytes start as gzip does. */
bool ink__gzip_is(const struct ink__file *file);

/* Decompresses the first bytes only, at most `size` of them, into `head`; *got says how many there were. Nothing is
 * verified beyond them. `name` is for messages. */
enum ink_status ink__gzip_peek(const struct ink__file *file, const char *name, unsigned char *head, size_t size,
                               size_t *got, struct ink_error *err);

/* Reads in pieces, where the size is not known beforehand. `file` and `name` must outlive it. */
struct ink__gunzip;
enum ink_status ink__gunzip_new(struct ink__gunzip **out, const struct ink__file *file, const char *name,
                                struct ink_error *err);
void ink__gunzip_free(struct ink__gunzip *gunzip);
/* The next `size` bytes of the content; *got is less only at its end. INK_BAD_INPUT as below. */
enum ink_status ink__gunzip_read(struct ink__gunzip *gunzip, unsigned char *bytes, size_t size, size_t *got,
                                 struct ink_error *err);

/* Decompresses all members into `out`, which they must fill to exactly `size` bytes. INK_BAD_INPUT for a damaged or
 * truncated member, a wrong checksum, a wrong size, or bytes that are no member. */
enum ink_status ink__gzip_expand(const struct ink__file *file, const char *name, unsigned char *out, size_t size,
                                 struct ink_error *err);

/* Writes `size` bytes compressed, as one member after the other, of a mebibyte each: so it takes little memory. What
 * follows continues the content. */
enum ink_status ink__gzip_write(struct ink__writer *writer, const void *bytes, size_t size, struct ink_error *err);

#endif
