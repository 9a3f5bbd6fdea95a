/* Writing zip archives. Sizes and places get their 64-bit form only where 32 bits are too few, so that a small archive
 * is one that every reader knows. */
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/zip.h"

/* Versions of the format: 2.0 has deflate, 4.5 64 bits. */
enum {
    VERSION = 20,
    VERSION64 = 45,
    DATE_1980 = 0x21,
    LONGEST_NAME = 1024,
    DEFLATE_LEVEL = 6,
    DIRECTORY_SIZE = 46,   /* an entry in the directory, without its name */
    EXTRA_SIZE = 4 + 3 * 8 /* the 64-bit field: size, packed size, place (the last in the directory alone) */
};

/* An entry, for the directory. */
struct ink__zip_record {
    char *name;
    uint64_t size, packed, offset;
    uint32_t crc;
    bool deflated;
};

enum ink_status ink__zip_create(struct ink__zip_writer *zip, const char *path, struct ink_error *err)
{
    *zip = (struct ink__zip_writer){ 0 };
    return ink__writer_open(&zip->file, path, err);
}

static void release(struct ink__zip_writer *zip)
{
    for (size_t i = 0; i < zip->count; i++)
        free(zip->records[i].name);
    free(zip->records);
    zip->records = NULL;
    zip->count = zip->room = 0;
}

void ink__zip_abandon(struct ink__zip_writer *zip)
{
    release(zip);
    ink__writer_abandon(&zip->file);
}

static void put(struct ink__zip_writer *zip, const void *bytes, size_t size)
{
    ink__writer_write(&zip->file, bytes, size);
    zip->at += size;
}

/* The header of an entry: its own, or its record in the directory. */
static void put_header(struct ink__zip_writer *zip, const struct ink__zip_record *record, bool directory)
{
    unsigned char header[DIRECTORY_SIZE + EXTRA_SIZE], *at = header;
    const bool wide = record->size >= UINT32_MAX || record->packed >= UINT32_MAX || record->offset >= UINT32_MAX;
    const uint64_t version = wide ? VERSION64 : VERSION, extra = wide ? (directory ? EXTRA_SIZE : EXTRA_SIZE - 8) : 0;
    memcpy(at, directory ? "PK\1\2" : "PK\3\4", 4);
    at += 4;
    if (directory)
        at = ink__put_little(at, version, 2);
    at = ink__put_little(at, version, 2);
    at = ink__put_little(at, 0, 2); /* flags */
    at = ink__put_little(at, record->deflated ? 8 : 0, 2);
    at = ink__put_little(at, 0, 2); /* midnight of the first day there is: nothing depends on time */
    at = ink__put_little(at, DATE_1980, 2);
    at = ink__put_little(at, record->crc, 4);
    at = ink__put_little(at, wide ? UINT32_MAX : record->packed, 4);
    at = ink__put_little(at, wide ? UINT32_MAX : record->size, 4);
    at = ink__put_little(at, strlen(record->name), 2);
    at = ink__put_little(at, extra, 2);
    if (directory) {
        at = ink__put_little(at, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
        at = ink__put_little(at, 0, 4);         /* external attributes */
        at = ink__put_little(at, wide ? UINT32_MAX : record->offset, 4);
    }
    put(zip, header, (size_t)(at - header));
    put(zip, record->name, strlen(record->name));
    if (!wide)
        return;
    at = ink__put_little(header, 1, 2);
    at = ink__put_little(at, extra - 4, 2);
    at = ink__put_little(at, record->size, 8);
    at = ink__put_little(at, record->packed, 8);
    ink__put_little(at, record->offset, 8);
    put(zip, header, (size_t)extra);
}

/* Deflates both parts. *packed stays NULL where that would not make them smaller. */
static enum ink_status deflate_parts(unsigned char **packed, uint64_t *packed_size, const void *head, size_t head_size,
                                     const void *body, size_t body_size, struct ink_error *err)
{
    const size_t size = head_size + body_size;
    unsigned char *const whole = ink__array(size, 1), *const out = ink__array(size, 1);
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(DEFLATE_LEVEL);
    size_t used = 0;
    if (whole == NULL || out == NULL || compressor == NULL) {
        free(out);
        free(whole);
        libdeflate_free_compressor(compressor);
        return ink__fail_memory(err);
    }
    memcpy(whole, head, head_size);
    if (body_size > 0)
        memcpy(whole + head_size, body, body_size);
    used = libdeflate_deflate_compress(compressor, whole, size, out, size);
    libdeflate_free_compressor(compressor);
    free(whole);
    if (used > 0) {
        *packed = out;
        *packed_size = used;
    } else {
        free(out);
    }
    return INK_OK;
}

static bool make_room(struct ink__zip_writer *zip)
{
    if (zip->count < zip->room)
        return true;
    const size_t room = 2 * zip->room + 4;
    struct ink__zip_record *records = ink__array(room, sizeof *records);
    if (records == NULL)
        return false;
    if (zip->count > 0)
        memcpy(records, zip->records, zip->count * sizeof *records);
    free(zip->records);
    zip->records = records;
    zip->room = room;
    return true;
}

enum ink_status ink__zip_add(struct ink__zip_writer *zip, const char *name, const void *head, size_t head_size,
                             const void *body, size_t body_size, bool compress, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    unsigned char *packed = NULL;
    struct ink__zip_record record = { .offset = zip->at };
    size_t size;
    if (strlen(name) > LONGEST_NAME)
        return ink__fail(err, INK_BAD_ARGUMENT, "zip: an entry's name of %zu bytes, expected at most %d", strlen(name),
                         LONGEST_NAME);
    if (!ink__add(&size, head_size, body_size) || !make_room(zip) || (record.name = ink__string(name)) == NULL)
        return ink__fail_memory(err);
    record.size = record.packed = size;
    record.crc = libdeflate_crc32(0, head, head_size);
    if (body_size > 0) /* of NULL it would be 0 */
        record.crc = libdeflate_crc32(record.crc, body, body_size);
    if (compress)
        status = deflate_parts(&packed, &record.packed, head, head_size, body, body_size, err);
    if (status != INK_OK) {
        free(record.name);
        return status;
    }
    record.deflated = packed != NULL;
    put_header(zip, &record, false);
    if (packed != NULL) {
        put(zip, packed, (size_t)record.packed);
    } else {
        put(zip, head, head_size);
        put(zip, body, body_size);
    }
    free(packed);
    zip->records[zip->count++] = record;
    return INK_OK;
}

enum ink_status ink__zip_commit(struct ink__zip_writer *zip, struct ink_error *err)
{
    const uint64_t begin = zip->at;
    for (size_t i = 0; i < zip->count; i++)
        put_header(zip, &zip->records[i], true);
    const uint64_t end = zip->at, size = end - begin;
    unsigned char bytes[56], *at;
    if (begin >= UINT32_MAX || size >= UINT32_MAX || zip->count >= UINT16_MAX) {
        memcpy(bytes, "PK\6\6", 4);
        at = ink__put_little(bytes + 4, 56 - 12, 8); /* of what follows */
        at = ink__put_little(at, VERSION64, 2);
        at = ink__put_little(at, VERSION64, 2);
        at = ink__put_little(at, 0, 4 + 4); /* the only disk */
        at = ink__put_little(at, zip->count, 8);
        at = ink__put_little(at, zip->count, 8);
        at = ink__put_little(at, size, 8);
        at = ink__put_little(at, begin, 8);
        put(zip, bytes, (size_t)(at - bytes));
        memcpy(bytes, "PK\6\7", 4);
        at = ink__put_little(bytes + 4, 0, 4);
        at = ink__put_little(at, end, 8);
        at = ink__put_little(at, 1, 4); /* disks */
        put(zip, bytes, (size_t)(at - bytes));
    }
    const uint64_t count = zip->count < UINT16_MAX ? zip->count : UINT16_MAX;
    memcpy(bytes, "PK\5\6", 4);
    at = ink__put_little(bytes + 4, 0, 4);
    at = ink__put_little(at, count, 2);
    at = ink__put_little(at, count, 2);
    at = ink__put_little(at, size < UINT32_MAX ? size : UINT32_MAX, 4);
    at = ink__put_little(at, begin < UINT32_MAX ? begin : UINT32_MAX, 4);
    at = ink__put_little(at, 0, 2); /* comment */
    put(zip, bytes, (size_t)(at - bytes));
    release(zip);
    return ink__writer_commit(&zip->file, err);
}
