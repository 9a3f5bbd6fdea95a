/* zlib can stop after a few bytes, libdeflate decompresses whole buffers several times as fast: each does what it is
 * best at. */
#include "data/gzip.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

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

/* ---- In pieces --------------------------------------------------------------------------------------------------- */

struct ink__gunzip {
    const struct ink__file *file;
    const char *name;
    z_stream stream;
    size_t fed; /* bytes of the file that the stream was given */
    bool ended; /* at the end of the last member */
};

enum ink_status ink__gunzip_new(struct ink__gunzip **out, const struct ink__file *file, const char *name,
                                struct ink_error *err)
{
    *out = NULL;
    struct ink__gunzip *const gunzip = ink__array(1, sizeof *gunzip);
    if (gunzip == NULL)
        return ink__fail_memory(err);
    gunzip->file = file;
    gunzip->name = name;
    if (inflateInit2(&gunzip->stream, WINDOW_GZIP) != Z_OK) {
        free(gunzip);
        return ink__fail_memory(err);
    }
    *out = gunzip;
    return INK_OK;
}

void ink__gunzip_free(struct ink__gunzip *gunzip)
{
    if (gunzip == NULL)
        return;
    inflateEnd(&gunzip->stream);
    free(gunzip);
}

enum ink_status ink__gunzip_read(struct ink__gunzip *gunzip, unsigned char *bytes, size_t size, size_t *got,
                                 struct ink_error *err)
{
    const struct ink__file *const file = gunzip->file;
    z_stream *const stream = &gunzip->stream;
    stream->next_out = bytes;
    stream->avail_out = size < UINT_MAX ? (uInt)size : UINT_MAX;
    const size_t wanted = stream->avail_out;
    int result = Z_OK;
    while (result == Z_OK && stream->avail_out > 0 && !gunzip->ended) {
        if (stream->avail_in == 0) {
            const size_t left = file->size - gunzip->fed;
            stream->next_in = file->bytes + gunzip->fed;
            stream->avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
            gunzip->fed += stream->avail_in;
        }
        result = inflate(stream, Z_SYNC_FLUSH);
        if (result == Z_STREAM_END) {
            gunzip->ended = stream->avail_in == 0 && gunzip->fed == file->size;
            result = gunzip->ended ? Z_OK : inflateReset(stream); /* the next member */
        }
    }
    *got = wanted - stream->avail_out;
    if (result == Z_OK)
        return INK_OK;
    if (result == Z_MEM_ERROR)
        return ink__fail_memory(err);
    return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: the compressed data are damaged or end too early", gunzip->name,
                     gunzip->fed - stream->avail_in);
}

enum ink_status ink__gzip_peek(const struct ink__file *file, const char *name, unsigned char *head, size_t size,
                               size_t *got, struct ink_error *err)
{
    struct ink__gunzip *gunzip;
    *got = 0;
    enum ink_status status = ink__gunzip_new(&gunzip, file, name, err);
    if (status == INK_OK)
        status = ink__gunzip_read(gunzip, head, size, got, err);
    ink__gunzip_free(gunzip);
    return status;
}

/* ---- At once ----------------------------------------------------------------------------------------------------- */

/* Moves *at, at the start of a member, to its compressed data; false if there is no whole header with a
 * right checksum. */
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
        const unsigned found = bytes[used] + 256U * bytes[used + 1];
        if (found != (libdeflate_crc32(0, bytes, used) & 0xffff))
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

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

enum ink_status ink__gzip_write(struct ink__writer *writer, const void *bytes, size_t size, struct ink_error *err)
{
    enum { LEVEL = 6 };
    const size_t member = (size_t)1024 * 1024;
    struct libdeflate_compressor *const compressor = libdeflate_alloc_compressor(LEVEL);
    const size_t room = compressor != NULL ? libdeflate_gzip_compress_bound(compressor, member) : 0;
    unsigned char *const out = ink__array(room, 1);
    const enum ink_status status = compressor == NULL || out == NULL ? ink__fail_memory(err) : INK_OK;
    for (size_t at = 0; status == INK_OK && at < size; at += member) {
        const size_t part = size - at < member ? size - at : member;
        const unsigned char *const from = (const unsigned char *)bytes + at;
        ink__writer_write(writer, out, libdeflate_gzip_compress(compressor, from, part, out, room));
    }
    free(out);
    libdeflate_free_compressor(compressor);
    return status;
}
