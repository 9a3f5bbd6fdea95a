/* zlib can stop after a few bytes, libdeflate decompresses whole buffers several times as fast: each does what it is
 * best at. */
#include "data/gzip.h"

#include <libdeflate.h>
#include <limits.h>
#include <string.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
    FIXED_HEADER = 10, /* bytes before the optional fields */
    TRAILER = 8,       /* CRC-32 and size, little-endian */
    METHOD_DEFLATE = 8,
    FLAG_HEADER_CRC = 0x02,
    FLAG_EXTRA = 0x04,
    FLAG_NAME = 0x08,
    FLAG_COMMENT = 0x10,
    FLAGS_RESERVED = 0xe0
};

#define WINDOW_GZIP (15 + 16) /* zlib's way to ask for the largest window in a gzip wrapper */

bool ink__gzip_is(const struct ink__file *file)
{
    return file->size >= 2 && file->bytes[0] == 0x1f && file->bytes[1] == 0x8b;
}

enum ink_status ink__gzip_peek(const struct ink__file *file, const char *name, unsigned char *head, size_t size,
                               size_t *got, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    z_stream stream = { .next_in = file->bytes,
                        .avail_in = file->size < UINT_MAX ? (uInt)file->size : UINT_MAX,
                        .next_out = head,
                        .avail_out = (uInt)size };
    *got = 0;
    if (inflateInit2(&stream, WINDOW_GZIP) != Z_OK)
        return ink__fail_memory(err);
    while (stream.avail_out > 0) {
        const int result = inflate(&stream, Z_SYNC_FLUSH);
        if (result == Z_STREAM_END && stream.avail_in > 0 && inflateReset(&stream) == Z_OK)
            continue; /* the next member */
        if (result == Z_STREAM_END)
            break;
        if (result == Z_MEM_ERROR) {
            status = ink__fail_memory(err);
            goto out;
        }
        if (result != Z_OK) {
            status = ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: the compressed data are damaged or end too early",
                               name, (size_t)(stream.next_in - file->bytes));
            goto out;
        }
    }
    *got = size - stream.avail_out;
out:
    inflateEnd(&stream);
    return status;
}

/* Moves *at, at the start of a member, to its compressed data; false if there is no whole header. */
static bool skip_header(const struct ink__file *file, size_t *at)
{
    const unsigned char *bytes = file->bytes + *at;
    const size_t size = file->size - *at;
    if (size < FIXED_HEADER + TRAILER || bytes[0] != 0x1f || bytes[1] != 0x8b || bytes[2] != METHOD_DEFLATE ||
        (bytes[3] & FLAGS_RESERVED) != 0)
        return false;

    const unsigned flags = bytes[3];
    const size_t limit = size - TRAILER;
    size_t used = FIXED_HEADER;
    if (flags & FLAG_EXTRA) {
        if (limit - used < 2)
            return false;
        const size_t extra = bytes[used] + 256U * bytes[used + 1];
        used += 2;
        if (limit - used < extra)
            return false;
        used += extra;
    }
    const unsigned texts[] = { FLAG_NAME, FLAG_COMMENT };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!(flags & texts[i]))
            continue;
        const unsigned char *end = memchr(bytes + used, 0, limit - used);
        if (end == NULL)
            return false;
        used = (size_t)(end - bytes) + 1;
    }
    if (flags & FLAG_HEADER_CRC) {
        if (limit - used < 2)
            return false;
        used += 2;
    }
    *at += used;
    return true;
}

enum ink_status ink__gzip_expand(const struct ink__file *file, const char *name, unsigned char *out, size_t size,
                                 struct ink_error *err)
{
    enum ink_status status = INK_OK;
    size_t at = 0, done = 0;
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    if (decompressor == NULL)
        return ink__fail_memory(err);
    while (at < file->size) {
        size_t used, got;
        const size_t start = at;
        if (!skip_header(file, &at)) {
            status = ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: expected a gzip header", name, start);
            goto out;
        }
        const enum libdeflate_result result = libdeflate_deflate_decompress_ex(
            decompressor, file->bytes + at, file->size - at - TRAILER, out + done, size - done, &used, &got);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
            status = ink__fail(err, INK_BAD_INPUT, "%s: trailing bytes: decompresses to more than the expected %zu",
                               name, size);
            goto out;
        }
        if (result != LIBDEFLATE_SUCCESS) {
            status = ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: the compressed data are damaged or end too early",
                               name, at);
            goto out;
        }
        at += used;
        const uint32_t crc = libdeflate_crc32(0, out + done, got);
        const uint32_t expected_crc = ink__little32(file->bytes + at),
                       expected_size = ink__little32(file->bytes + at + 4);
        if (crc != expected_crc) {
            status = ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: the data have CRC %08x, expected %08x", name, at, crc,
                               expected_crc);
            goto out;
        }
        if ((uint32_t)got != expected_size) {
            status = ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: a member decompresses to %zu bytes, expected %u",
                               name, at + 4, got, expected_size);
            goto out;
        }
        at += TRAILER;
        done += got;
    }
    if (done < size)
        status =
            ink__fail(err, INK_BAD_INPUT, "%s: truncated: decompresses to %zu bytes, expected %zu", name, done, size);
out:
    libdeflate_free_decompressor(decompressor);
    return status;
}
