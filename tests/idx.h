/* A small data set as IDX files, and gzip. After cmocka.h. */
#ifndef INK_TESTS_IDX_H
#define INK_TESTS_IDX_H

#include <libdeflate.h>
#include <stdlib.h>

#include "scratch.h"

struct bytes {
    const void *at;
    size_t size;
};
#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        (literal), sizeof(literal) - 1                                                                                 \
    }

/* Two 2 x 2 images, labelled 3 and 7. */
#define GOOD_IMAGES "\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\2\1\2\3\4\5\6\7\x08"
#define GOOD_LABELS "\0\0\x08\x01\0\0\0\2\3\7"
static const struct bytes good_images = BYTES(GOOD_IMAGES), good_labels = BYTES(GOOD_LABELS);

static inline size_t gzip(unsigned char *out, size_t room, struct bytes content, int level)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    const size_t size = libdeflate_gzip_compress(compressor, content.at, content.size, out, room);
    libdeflate_free_compressor(compressor);
    assert_true(size > 0);
    return size;
}

static inline void write_gzip(const char *name, struct bytes content)
{
    const size_t room = content.size + 1000;
    unsigned char *out = malloc(room);
    scratch_write(name, out, gzip(out, room, content, 6));
    free(out);
}

#endif
