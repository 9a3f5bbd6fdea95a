#include "data/idx.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/gzip.h"

enum {
    MOST_DIMENSIONS = 4,
    TYPE_BYTE = 0x08,
    TYPE_INT16 = 0x0b,
    TYPE_INT32 = 0x0c,
    LARGEST_HEADER = 4 + 4 * MOST_DIMENSIONS
};

static const struct kind {
    const char *what;
    unsigned least_dimensions, most_dimensions;
    const char *other; /* what the user may have mixed it up with */
} kinds[] = {
    [INK__IDX_IMAGES] = { "images", 3, 4, "label" },
    [INK__IDX_LABELS] = { "labels", 1, 1, "image" },
};

static const struct {
    unsigned type;
    const char *name;
} types[] = { { 0x09, "int8" }, { 0x0b, "int16" }, { 0x0c, "int32" }, { 0x0d, "float32" }, { 0x0e, "float64" } };

/* The bytes of an element, 0 for a type that is not read. */
static size_t width_of(const struct kind *kind, unsigned type)
{
    const bool labels = kind == &kinds[INK__IDX_LABELS];
    return type == TYPE_BYTE ? 1 : labels && type == TYPE_INT16 ? 2 : labels && type == TYPE_INT32 ? 4 : 0;
}

/* What a file says of itself. */
struct header {
    size_t width;
    unsigned dimensions;
    uint32_t sizes[MOST_DIMENSIONS];
    size_t length; /* bytes of the header */
    size_t total;  /* bytes of header and elements */
};

/* A wrong magic number, with a guess at what the file is instead. */
static enum ink_status fail_magic(const char *name, const struct kind *kind, uint32_t magic, struct ink_error *err)
{
    const unsigned type = magic >> 8, dimensions = magic & 0xff;
    const unsigned expected = TYPE_BYTE << 8 | kind->least_dimensions;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (type == types[i].type)
            return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: magic %u, expected %u (it holds %s, not unsigned bytes)",
                             name, magic, expected, types[i].name);
    }
    for (size_t i = 0; type == TYPE_BYTE && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (dimensions >= kinds[i].least_dimensions && dimensions <= kinds[i].most_dimensions)
            return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: magic %u, expected %u (is this the %s file?)", name,
                             magic, expected, kind->other);
    }
    if (magic >> 24 == '<')
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: magic %u, expected %u (is this a web page?)", name, magic,
                         expected);
    return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: magic %u, expected %u for IDX %s", name, magic, expected,
                     kind->what);
}

/* Reads the header from the first bytes of the content, of which `available` are there. */
static enum ink_status read_header(struct header *header, const unsigned char *bytes, size_t available,
                                   const char *name, const struct kind *kind, struct ink_error *err)
{
    static const char *const dimension_names[MOST_DIMENSIONS] = { NULL, "rows", "columns", "channels" };
    if (available < 4)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: truncated, expected an IDX header", name, available);
    const uint32_t magic = ink__big32(bytes);
    header->dimensions = magic & 0xff;
    header->width = width_of(kind, magic >> 8);
    if (header->width == 0 || header->dimensions < kind->least_dimensions || header->dimensions > kind->most_dimensions)
        return fail_magic(name, kind, magic, err);
    header->length = 4 + 4 * (size_t)header->dimensions;
    if (available < header->length)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: truncated, expected an IDX header of %zu bytes", name,
                         available, header->length);

    bool fits = true;
    size_t total = header->width;
    for (unsigned d = 0; d < header->dimensions; d++) {
        const char *what = d == 0 ? kind->what : dimension_names[d];
        header->sizes[d] = ink__big32(bytes + 4 + 4 * d);
        if (header->sizes[d] == 0)
            return ink__fail(err, INK_BAD_INPUT, "%s: byte %u: 0 %s, expected at least 1", name, 4 + 4 * d, what);
        fits = fits && ink__multiply(&total, total, header->sizes[d]);
    }
    if (header->dimensions == 4 && header->sizes[3] != 1 && header->sizes[3] != 3)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 16: %u channels, expected 1 or 3", name, header->sizes[3]);
    if (!fits || !ink__add(&header->total, total, header->length))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 4: the sizes overflow when multiplied (%u %s)", name,
                         header->sizes[0], kind->what);
    return INK_OK;
}

/* The elements of a plain file are in its mapping. */
static enum ink_status open_plain(struct ink__idx *idx, struct header *header, const char *path,
                                  const struct kind *kind, struct ink_error *err)
{
    const struct ink__file *file = &idx->file;
    const enum ink_status status = read_header(header, file->bytes, file->size, path, kind, err);
    if (status != INK_OK)
        return status;
    if (file->size < header->total)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: truncated, expected %zu bytes for %u %s", path, file->size,
                         header->total, header->sizes[0], kind->what);
    if (file->size > header->total)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: %zu trailing bytes after %u %s", path, header->total,
                         file->size - header->total, header->sizes[0], kind->what);
    idx->elements = file->bytes + header->length;
    return INK_OK;
}

static enum ink_status open_gzip(struct ink__idx *idx, struct header *header, const char *path, const struct kind *kind,
                                 struct ink_error *err)
{
    unsigned char head[LARGEST_HEADER];
    size_t got;
    enum ink_status status = ink__gzip_peek(&idx->file, path, head, sizeof head, &got, err);
    if (status != INK_OK)
        return status;
    status = read_header(header, head, got, path, kind, err);
    if (status != INK_OK)
        return status;
    if (header->total / INK__GZIP_RATIO > idx->file.size)
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: byte 4 of the content: %u %s need %zu bytes, more than %zu compressed bytes can hold",
                         path, header->sizes[0], kind->what, header->total, idx->file.size);
    idx->expanded = ink__array(header->total, 1);
    if (idx->expanded == NULL)
        return ink__fail_memory(err);
    status = ink__gzip_expand(&idx->file, path, idx->expanded, header->total, err);
    ink__file_close(&idx->file);
    idx->elements = idx->expanded + header->length;
    return status;
}

enum ink_status ink__idx_open(struct ink__idx *idx, const char *path, enum ink__idx_kind kind, struct ink_error *err)
{
    struct header header;
    *idx = (struct ink__idx){ 0 };
    enum ink_status status = ink__file_open(&idx->file, path, err);
    if (status != INK_OK)
        goto out;
    status = (ink__gzip_is(&idx->file) ? open_gzip : open_plain)(idx, &header, path, &kinds[kind], err);
    if (status != INK_OK)
        goto out;
    idx->count = header.sizes[0];
    idx->width = header.width;
    idx->shape = (struct ink_shape){ 1, 1, 1 };
    if (kind == INK__IDX_IMAGES)
        idx->shape =
            (struct ink_shape){ header.sizes[1], header.sizes[2], header.dimensions == 4 ? header.sizes[3] : 1 };
out:
    if (status != INK_OK)
        ink__idx_close(idx);
    return status;
}

uint32_t ink__idx_label(const struct ink__idx *labels, size_t i)
{
    return (uint32_t)ink__bytes_get(labels->elements + i * labels->width, labels->width, true);
}

void ink__idx_close(struct ink__idx *idx)
{
    ink__file_close(&idx->file);
    free(idx->expanded);
    *idx = (struct ink__idx){ 0 };
}
