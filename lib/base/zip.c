/* Reading zip archives; see APPNOTE.TXT by PKWARE for the fields. */
#include "base/zip.h"

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
    LOCAL_SIZE = 30,     /* bytes of an entry's own header without its name */
    DIRECTORY_SIZE = 46, /* of an entry in the directory */
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    LONGEST_COMMENT = 65535,
    MOST_ENTRIES = 4096,       /* more arrays than any file of ours; bounds the search for names used twice */
    FLAGS_UNREADABLE = 0x0061, /* encrypted, patched, strongly encrypted */
    NEWEST = 63,               /* version 6.3 of the format */
    STORED = 0,
    DEFLATED = 8,
    EXTRA_ZIP64 = 1
};

/* Deflate makes at most 258 bytes of 2 bits. */
#define LARGEST_RATIO ((size_t)1032)
/* What stands in a 32-bit field whose value is in the extra field. */
#define WIDE32 UINT32_MAX

static bool starts(const unsigned char *bytes, const char *signature)
{
    return memcmp(bytes, signature, 4) == 0;
}

bool ink__zip_is(const struct ink__file *file)
{
    return file->size >= 4 && (starts(file->bytes, "PK\3\4") || starts(file->bytes, "PK\5\6"));
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

/* Where the directory is: *begin to *end of the file, `count` entries. */
struct place {
    uint64_t begin, size, count;
    size_t end; /* of the directory: where the first record after it begins */
};

/* Takes over what the 64-bit record says, if there is a locator before the end. False if it does not point to one. */
static bool read_end64(struct place *place, const struct ink__file *file, size_t end)
{
    if (end < LOCATOR_SIZE || !starts(file->bytes + end - LOCATOR_SIZE, "PK\6\7"))
        return true;
    const uint64_t at = ink__little64(file->bytes + end - LOCATOR_SIZE + 8);
    if (at > end - LOCATOR_SIZE || end - LOCATOR_SIZE - at < END64_SIZE || !starts(file->bytes + at, "PK\6\6"))
        return false;
    place->count = ink__little64(file->bytes + at + 32);
    place->size = ink__little64(file->bytes + at + 40);
    place->begin = ink__little64(file->bytes + at + 48);
    place->end = (size_t)at;
    return true;
}

static enum ink_status find_directory(struct place *place, const struct ink__file *file, const char *path,
                                      struct ink_error *err)
{
    size_t end = file->size;
    const size_t least = file->size > END_SIZE + LONGEST_COMMENT ? file->size - END_SIZE - LONGEST_COMMENT : 0;
    bool found = false;
    if (file->size >= END_SIZE)
        for (end = file->size - END_SIZE; !(found = starts(file->bytes + end, "PK\5\6")) && end > least;)
            end--;
    if (!found)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: no end of the zip archive: truncated?", path, file->size);
    const unsigned char *const bytes = file->bytes + end;
    if (end + END_SIZE + ink__little16(bytes + 20) != file->size)
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: byte %zu: the zip archive ends, expected byte %zu, the end of the file", path,
                         end + END_SIZE + ink__little16(bytes + 20), file->size);
    *place = (struct place){ ink__little32(bytes + 16), ink__little32(bytes + 12), ink__little16(bytes + 10), end };
    if (!read_end64(place, file, end))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: no 64-bit end of the zip archive where it should be", path,
                         end - LOCATOR_SIZE);
    if (ink__little16(bytes + 4) != 0 && ink__little16(bytes + 4) != UINT16_MAX)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: a part of a split zip archive, expected a whole one", path,
                         end + 4);
    if (place->begin > place->end || place->size != place->end - place->begin)
        return ink__fail(
            err, INK_BAD_INPUT,
            "%s: byte %zu: the directory of the zip archive does not end at byte %zu, where its end is told", path,
            end + 12, place->end);
    if (place->count > MOST_ENTRIES || place->count > place->size / DIRECTORY_SIZE)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: %llu entries, expected at most %llu", path, end + 10,
                         (unsigned long long)place->count,
                         place->count > MOST_ENTRIES ? (unsigned long long)MOST_ENTRIES
                                                     : (unsigned long long)(place->size / DIRECTORY_SIZE));
    return INK_OK;
}

/* ---- The directory ----------------------------------------------------------------------------------------------- */

/* Puts in the place of each 32-bit field that says so the 64-bit one of the extra fields. False if it is not there. */
static bool widen(const unsigned char *extra, size_t size, uint64_t *const fields[3])
{
    size_t at = 0;
    const unsigned char *wide = NULL;
    size_t left = 0;
    while (size - at >= 4) {
        const size_t length = ink__little16(extra + at + 2);
        if (length > size - at - 4)
            return false;
        if (ink__little16(extra + at) == EXTRA_ZIP64) {
            wide = extra + at + 4;
            left = length;
            break;
        }
        at += 4 + length;
    }
    for (size_t i = 0; i < 3; i++) {
        if (*fields[i] != WIDE32)
            continue;
        if (left < 8)
            return false;
        *fields[i] = ink__little64(wide);
        wide += 8;
        left -= 8;
    }
    return true;
}

/* True if the entry has the same name, of `length` bytes, in its own header, which lies in the file: a reader that goes
 * from header to header shall see what we see. */
static bool is_named(const struct ink__file *file, uint64_t offset, const unsigned char *name, size_t length)
{
    const unsigned char *const header = file->bytes + offset;
    return ink__little16(header + 26) == length && memcmp(header + LOCAL_SIZE, name, length) == 0;
}

/* Where the data of the entry begin whose header is at `offset`; 0 if they or it do not lie before `limit`. */
static size_t find_data(const struct ink__file *file, uint64_t offset, uint64_t packed, size_t limit)
{
    if (limit < LOCAL_SIZE || offset > limit - LOCAL_SIZE || !starts(file->bytes + offset, "PK\3\4"))
        return 0;
    const size_t data = (size_t)offset + LOCAL_SIZE + ink__little16(file->bytes + offset + 26) +
                        ink__little16(file->bytes + offset + 28);
    return data <= limit && packed <= limit - data ? data : 0;
}

/* Reads the entry of the directory at *at, and moves behind it. `end` is where the directory ends. */
static enum ink_status read_entry(struct ink__zip_entry *entry, const struct ink__file *file, size_t *at,
                                  const struct place *place, const char *path, struct ink_error *err)
{
    const size_t left = place->end - *at;
    const unsigned char *const bytes = file->bytes + *at;
    if (left < DIRECTORY_SIZE || !starts(bytes, "PK\1\2"))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: expected an entry of the zip archive's directory", path,
                         *at);
    const size_t name = ink__little16(bytes + 28), extra = ink__little16(bytes + 30);
    const size_t used = DIRECTORY_SIZE + name + extra + ink__little16(bytes + 32);
    const unsigned method = ink__little16(bytes + 10), version = bytes[6];
    if (left < used)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: an entry of %zu bytes, expected at most %zu", path, *at,
                         used, left);
    entry->name = ink__array(name + 1, 1);
    if (entry->name == NULL)
        return ink__fail_memory(err);
    memcpy(entry->name, bytes + DIRECTORY_SIZE, name);
    if (ink__little16(bytes + 8) & FLAGS_UNREADABLE)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: entry '%.100s' is encrypted or a patch", path, *at + 8,
                         entry->name);
    if (method != STORED && method != DEFLATED)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: entry '%.100s' has method %u, expected 0 or 8, deflate",
                         path, *at + 10, entry->name, method);
    if (version > NEWEST)
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: byte %zu: entry '%.100s' needs version %u.%u of zip, expected at most %d.%d", path,
                         *at + 6, entry->name, version / 10, version % 10, NEWEST / 10, NEWEST % 10);

    uint64_t size = ink__little32(bytes + 24), packed = ink__little32(bytes + 20), offset = ink__little32(bytes + 42);
    if (!widen(bytes + DIRECTORY_SIZE + name, extra, (uint64_t *const[]){ &size, &packed, &offset }))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: entry '%.100s' has damaged extra fields", path,
                         *at + DIRECTORY_SIZE + name, entry->name);
    const size_t data = find_data(file, offset, packed, (size_t)place->begin);
    if (data == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: entry '%.100s' does not lie before the directory", path,
                         *at + 42, entry->name);
    if (!is_named(file, offset, bytes + DIRECTORY_SIZE, name))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %llu: entry '%.100s' has another name here", path,
                         (unsigned long long)offset, entry->name);
    if (method == STORED ? packed != size : size / LARGEST_RATIO > packed)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: entry '%.100s' of %llu bytes cannot be %llu in the file",
                         path, *at + 20, entry->name, (unsigned long long)size, (unsigned long long)packed);
    entry->header = file->bytes + offset;
    entry->bytes = file->bytes + data;
    entry->packed = (size_t)packed;
    entry->size = (size_t)size;
    entry->crc = ink__little32(bytes + 16);
    entry->deflated = method == DEFLATED;
    *at += used;
    return INK_OK;
}

/* No two entries have one name or share bytes. */
static enum ink_status compare(const struct ink__zip_entry *a, const struct ink__zip_entry *b, const char *path,
                               struct ink_error *err)
{
    if (strcmp(a->name, b->name) == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: entry '%.100s' is there twice", path, a->name);
    if (a->header < b->bytes + b->packed && b->header < a->bytes + a->packed)
        return ink__fail(err, INK_BAD_INPUT, "%s: entry '%.100s' overlaps '%.100s'", path, a->name, b->name);
    return INK_OK;
}

enum ink_status ink__zip_open(struct ink__zip *zip, const struct ink__file *file, const char *path,
                              struct ink_error *err)
{
    struct place place = { 0 };
    *zip = (struct ink__zip){ 0 };
    enum ink_status status = find_directory(&place, file, path, err);
    if (status != INK_OK)
        return status;
    zip->count = (size_t)place.count;
    zip->entries = ink__array(zip->count, sizeof *zip->entries);
    if (zip->entries == NULL)
        status = ink__fail_memory(err);
    size_t at = (size_t)place.begin;
    for (size_t i = 0; status == INK_OK && i < zip->count; i++) {
        status = read_entry(&zip->entries[i], file, &at, &place, path, err);
        for (size_t j = 0; status == INK_OK && j < i; j++)
            status = compare(&zip->entries[i], &zip->entries[j], path, err);
    }
    if (status == INK_OK && at != place.end)
        status = ink__fail(err, INK_BAD_INPUT,
                           "%s: byte %zu: more in the directory than its %zu entries, expected the end of it", path, at,
                           zip->count);
    if (status != INK_OK)
        ink__zip_close(zip);
    return status;
}

void ink__zip_close(struct ink__zip *zip)
{
    for (size_t i = 0; zip->entries != NULL && i < zip->count; i++)
        free(zip->entries[i].name);
    free(zip->entries);
    *zip = (struct ink__zip){ 0 };
}

/* ---- Data -------------------------------------------------------------------------------------------------------- */

static enum ink_status fail_damaged(const struct ink__zip_entry *entry, const char *path, struct ink_error *err)
{
    return ink__fail(err, INK_BAD_INPUT, "%s: entry '%.100s': the compressed data are damaged or have another size",
                     path, entry->name);
}

enum ink_status ink__zip_peek(const struct ink__zip_entry *entry, const char *path, unsigned char *head, size_t size,
                              size_t *got, struct ink_error *err)
{
    *got = 0;
    if (!entry->deflated) {
        *got = size < entry->size ? size : entry->size;
        memcpy(head, entry->bytes, *got);
        return INK_OK;
    }
    z_stream stream = { .next_in = entry->bytes,
                        .avail_in = entry->packed < UINT_MAX ? (uInt)entry->packed : UINT_MAX,
                        .next_out = head,
                        .avail_out = (uInt)size };
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) /* bare deflate */
        return ink__fail_memory(err);
    int result = Z_OK;
    while (result == Z_OK && stream.avail_out > 0)
        result = inflate(&stream, Z_SYNC_FLUSH);
    *got = size - stream.avail_out;
    inflateEnd(&stream);
    if (result == Z_MEM_ERROR)
        return ink__fail_memory(err);
    return result == Z_OK || result == Z_STREAM_END ? INK_OK : fail_damaged(entry, path, err);
}

enum ink_status ink__zip_expand(const struct ink__zip_entry *entry, const char *path, unsigned char *out,
                                struct ink_error *err)
{
    const unsigned char *content = entry->bytes;
    if (entry->deflated) {
        struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
        if (decompressor == NULL)
            return ink__fail_memory(err);
        const enum libdeflate_result result =
            libdeflate_deflate_decompress(decompressor, entry->bytes, entry->packed, out, entry->size, NULL);
        libdeflate_free_decompressor(decompressor);
        if (result != LIBDEFLATE_SUCCESS)
            return fail_damaged(entry, path, err);
        content = out;
    } else if (out != NULL) {
        memcpy(out, entry->bytes, entry->size);
    }
    const uint32_t crc = libdeflate_crc32(0, content, entry->size);
    if (crc != entry->crc)
        return ink__fail(err, INK_BAD_INPUT, "%s: entry '%.100s': the data have CRC %08x, expected %08x", path,
                         entry->name, crc, entry->crc);
    return INK_OK;
}
