/* IDX files and gzip, well formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "idx.h"
#include "opened.h"
#include "scratch.h"

/* ---- Malformed IDX ----------------------------------------------------------------------------------------------- */

/* 2^33 bytes are too many for the file, or already for a size_t of 32 bits. */
#if SIZE_MAX > UINT32_MAX
#define HUGE_PLAIN "truncated"
#define HUGE_GZIP  "can hold"
#else
#define HUGE_PLAIN "overflow"
#define HUGE_GZIP  "overflow"
#endif

static const struct malformed {
    const char *what;
    struct bytes images, labels;
    const char *word, *word2;
    const char *gzip_word; /* where a gzipped file is found out otherwise */
} malformed[] = {
    { "empty", BYTES(""), BYTES(GOOD_LABELS), "byte 0: truncated", "images", NULL },
    { "no sizes", BYTES("\0\0\x08\x03"), BYTES(GOOD_LABELS), "byte 4: truncated", "header of 16", NULL },
    { "label file as images", BYTES(GOOD_LABELS), BYTES(GOOD_LABELS), "byte 0: magic 2049, expected 2051",
      "is this the label file?", NULL },
    { "image file as labels", BYTES(GOOD_IMAGES), BYTES(GOOD_IMAGES), "byte 0: magic 2051, expected 2049",
      "is this the image file?", NULL },
    { "swapped pair", BYTES(GOOD_LABELS), BYTES(GOOD_IMAGES), "train-images-idx3-ubyte", "is this the label file?",
      NULL },
    { "a web page", BYTES("<!DOCTYPE html><html><body>404 Not Found</body></html>"), BYTES(GOOD_LABELS),
      "is this a web page?", "expected 2051", NULL },
    { "floats", BYTES("\0\0\x0d\x03\0\0\0\2\0\0\0\2\0\0\0\2"), BYTES(GOOD_LABELS), "float32", "unsigned bytes", NULL },
    { "signed bytes", BYTES(GOOD_IMAGES), BYTES("\0\0\x09\x01\0\0\0\2\3\7"), "int8", "train-labels-idx1-ubyte", NULL },
    { "two dimensions", BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\1\1\2"), BYTES(GOOD_LABELS), "magic 2050", "expected 2051",
      NULL },
    { "five dimensions", BYTES("\0\0\x08\x05\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\1"), BYTES(GOOD_LABELS),
      "magic 2053", "expected 2051", NULL },
    { "other byte order", BYTES("\3\x08\0\0\2\0\0\0\2\0\0\0\2\0\0\0\1\2\3\4\5\6\7\x08"), BYTES(GOOD_LABELS),
      "byte 0: magic", "expected 2051", NULL },
    { "no images", BYTES("\0\0\x08\x03\0\0\0\0\0\0\0\2\0\0\0\2"), BYTES(GOOD_LABELS), "byte 4: 0 images", NULL, NULL },
    { "no rows", BYTES("\0\0\x08\x03\0\0\0\2\0\0\0\0\0\0\0\2"), BYTES(GOOD_LABELS), "byte 8: 0 rows", NULL, NULL },
    { "no columns", BYTES("\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\0"), BYTES(GOOD_LABELS), "byte 12: 0 columns", NULL,
      NULL },
    { "two channels", BYTES("\0\0\x08\x04\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\2\1\2"), BYTES(GOOD_LABELS),
      "byte 16: 2 channels", "expected 1 or 3", NULL },
    { "2^31 images", BYTES("\0\0\x08\x03\x80\0\0\0\0\0\0\2\0\0\0\2\1\2\3\4"), BYTES(GOOD_LABELS), HUGE_PLAIN,
      "2147483648 images", HUGE_GZIP },
    { "2^32-1 images", BYTES("\0\0\x08\x03\xff\xff\xff\xff\0\0\0\2\0\0\0\2\1\2\3\4"), BYTES(GOOD_LABELS), HUGE_PLAIN,
      "4294967295 images", HUGE_GZIP },
    { "2^32-1 of everything", BYTES("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
      BYTES(GOOD_LABELS), "overflow", "4294967295 images", NULL },
    { "2^31 x 2^31 x 4", BYTES("\0\0\x08\x03\x80\0\0\0\x80\0\0\0\0\0\0\4\1"), BYTES(GOOD_LABELS), "overflow", NULL,
      NULL },
    { "2^31 labels", BYTES(GOOD_IMAGES), BYTES("\0\0\x08\x01\x80\0\0\0\3\7"), "truncated", "2147483648 labels",
      "can hold" },
    { "no labels", BYTES(GOOD_IMAGES), BYTES("\0\0\x08\x01\0\0\0\0"), "byte 4: 0 labels", NULL, NULL },
    { "a label short", BYTES(GOOD_IMAGES), BYTES("\0\0\x08\x01\0\0\0\2\3"), "truncated", "train-labels-idx1-ubyte",
      NULL },
    { "trailing byte", BYTES(GOOD_IMAGES "!"), BYTES(GOOD_LABELS), "trailing bytes", "train-images-idx3-ubyte", NULL },
    { "trailing label", BYTES(GOOD_IMAGES), BYTES(GOOD_LABELS "!"), "trailing bytes", "train-labels-idx1-ubyte", NULL },
    { "counts differ", BYTES(GOOD_IMAGES), BYTES("\0\0\x08\x01\0\0\0\3\3\7\1"), "3 labels, expected 2", "byte 4",
      NULL },
};

static void test_malformed_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        const struct malformed *row = &malformed[i];
        scratch_clear();
        scratch_write("train-images-idx3-ubyte", row->images.at, row->images.size);
        scratch_write("train-labels-idx1-ubyte", row->labels.at, row->labels.size);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, row->word, row->word2);
    }
}

static void test_malformed_gzipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        const struct malformed *row = &malformed[i];
        scratch_clear();
        write_gzip("train-images-idx3-ubyte.gz", row->images);
        write_gzip("train-labels-idx1-ubyte.gz", row->labels);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT,
                       row->gzip_word != NULL ? row->gzip_word : row->word, row->word2);
    }
}

static void test_every_truncation(void **state)
{
    (void)state;
    scratch_clear();
    scratch_write("train-labels-idx1-ubyte", good_labels.at, good_labels.size);
    for (size_t size = 0; size < good_images.size; size++) {
        scratch_write("train-images-idx3-ubyte", good_images.at, size);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "truncated", "train-images-idx3-ubyte");
    }
    scratch_write("train-images-idx3-ubyte", good_images.at, good_images.size);
    for (size_t size = 0; size < good_labels.size; size++) {
        scratch_write("train-labels-idx1-ubyte", good_labels.at, size);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "truncated", "train-labels-idx1-ubyte");
    }
}

/* ---- Gzip -------------------------------------------------------------------------------------------------------- */

enum { GZIP_IMAGES = 60, GZIP_CONTENT = 16 + GZIP_IMAGES * 28 * 28, GZIP_ROOM = 2 * GZIP_CONTENT };

/* Sixty 28 x 28 images that compress somewhat, and their labels; the label file is written. */
static struct bytes gzip_content(void)
{
    static unsigned char content[GZIP_CONTENT] = { 0, 0, 8, 3, 0, 0, 0, GZIP_IMAGES, 0, 0, 0, 28, 0, 0, 0, 28 };
    static const unsigned char labels[8 + GZIP_IMAGES] = { 0, 0, 8, 1, 0, 0, 0, GZIP_IMAGES };
    uint32_t random = 1;
    for (size_t i = 16; i < sizeof content; i++) {
        random = random * 1664525 + 1013904223;
        content[i] = i % 28 < 20 ? 0 : (unsigned char)(random >> 26);
    }
    scratch_clear();
    scratch_write("train-labels-idx1-ubyte", labels, sizeof labels);
    return (struct bytes){ content, sizeof content };
}

static void assert_content(struct bytes content)
{
    struct ink_dataset *data = open_good(scratch_folder, INK_TRAIN, NULL);
    assert_int_equal(ink_dataset_count(data), GZIP_IMAGES);
    assert_memory_equal(ink_dataset_pixels(data, 0), (const unsigned char *)content.at + 16, content.size - 16);
    ink_dataset_free(data);
}

static void test_gzip_levels(void **state)
{
    (void)state;
    static unsigned char out[GZIP_ROOM];
    const struct bytes content = gzip_content();
    for (int level = 0; level <= 12; level++) {
        scratch_write("train-images-idx3-ubyte.gz", out, gzip(out, sizeof out, content, level));
        assert_content(content);
    }
}

static void test_gzip_members(void **state)
{
    (void)state;
    static unsigned char out[GZIP_ROOM];
    const struct bytes content = gzip_content();
    const size_t cuts[] = { 0, 3, 3, 16, 1000, content.size }; /* one of them empty, two within the IDX header */
    size_t size = 0;
    for (size_t i = 0; i + 1 < sizeof cuts / sizeof cuts[0]; i++)
        size += gzip(out + size, sizeof out - size,
                     (struct bytes){ (const unsigned char *)content.at + cuts[i], cuts[i + 1] - cuts[i] }, 6);
    scratch_write("train-images-idx3-ubyte.gz", out, size);
    assert_content(content);
    memcpy(out + size, "junk", 4);
    scratch_write("train-images-idx3-ubyte.gz", out, size + 4);
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "expected a gzip header", "byte");
}

/* A second member, which libdeflate alone reads, with every set of optional fields and flags that are none. */
static void test_gzip_header(void **state)
{
    (void)state;
    enum { FIRST = 1000, HEADER_CRC = 0x02, EXTRA = 0x04, NAME = 0x08, COMMENT = 0x10, TEXT = 0x01 };
    static unsigned char out[GZIP_ROOM], second[GZIP_ROOM];
    const struct bytes content = gzip_content();
    const unsigned char *bytes = content.at;
    const size_t first_size = gzip(out, sizeof out, (struct bytes){ bytes, FIRST }, 6);
    const size_t second_size = gzip(second, sizeof second, (struct bytes){ bytes + FIRST, content.size - FIRST }, 6);
    for (unsigned flags = 0; flags < 0x100; flags++) {
        unsigned char *to = out + first_size;
        memcpy(to, second, 10);
        to[3] = (unsigned char)flags;
        to += 10;
        if (flags & EXTRA)
            to = (unsigned char *)memcpy(to, "\4\0a\0bc", 6) + 6;
        if (flags & NAME)
            to = (unsigned char *)memcpy(to, "name", 5) + 5;
        if (flags & COMMENT)
            to = (unsigned char *)memcpy(to, "a comment", 10) + 10;
        if (flags & HEADER_CRC) {
            const uint32_t sum = libdeflate_crc32(0, out + first_size, (size_t)(to - out) - first_size);
            *to++ = (unsigned char)sum;
            *to++ = (unsigned char)(sum >> 8);
        }
        memcpy(to, second + 10, second_size - 10);
        scratch_write("train-images-idx3-ubyte.gz", out, (size_t)(to - out) + second_size - 10);
        if (flags & ~(unsigned)(HEADER_CRC | EXTRA | NAME | COMMENT | TEXT))
            assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "expected a gzip header", "byte");
        else
            assert_content(content);
    }
    /* A header whose checksum is another one's. */
    out[first_size + 3] = HEADER_CRC;
    memcpy(out + first_size + 10, "cc", 2);
    memcpy(out + first_size + 12, second + 10, second_size - 10);
    scratch_write("train-images-idx3-ubyte.gz", out, first_size + 12 + second_size - 10);
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "expected a gzip header", "byte");
    /* Fields that never end. */
    static const unsigned endless[] = { EXTRA, NAME, COMMENT, HEADER_CRC };
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        unsigned char *to = out + first_size;
        memcpy(to, second, 10);
        to[3] = (unsigned char)endless[i];
        memset(to + 10, 0xff, 9);
        scratch_write("train-images-idx3-ubyte.gz", out, first_size + 10 + 9);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "train-images-idx3-ubyte.gz", "byte");
    }
}

/* Every byte near the ends, some between. */
static size_t stride(size_t at, size_t size)
{
    enum { FAR = 97 };
    return at < FAR || at + 2 * FAR > size ? 1 : FAR;
}

static void test_gzip_damage(void **state)
{
    (void)state;
    static unsigned char out[GZIP_ROOM];
    const struct bytes content = gzip_content();
    const size_t size = gzip(out, sizeof out, content, 6);
    for (size_t cut = 0; cut < size; cut += stride(cut, size)) {
        scratch_write("train-images-idx3-ubyte.gz", out, cut);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "train-images-idx3-ubyte.gz", "byte");
    }
    /* Every damaged byte is noticed, but for those that say when and where the file was made. */
    for (size_t at = 0; at < size; at += stride(at, size)) {
        if (at >= 4 && at < 10)
            continue;
        out[at] ^= 0x5a;
        scratch_write("train-images-idx3-ubyte.gz", out, size);
        assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "train-images-idx3-ubyte.gz",
                       at >= size - 4   ? "a member decompresses to 47056 bytes"
                       : at >= size - 8 ? "CRC"
                                        : NULL);
        out[at] ^= 0x5a;
    }
}

/* Few bytes that would become very many. */
static void test_gzip_bomb(void **state)
{
    (void)state;
    const size_t size = (size_t)64 << 20;
    unsigned char *zeros = calloc(size, 1);
    assert_non_null(zeros);
    scratch_clear();
    scratch_write("train-labels-idx1-ubyte", good_labels.at, good_labels.size);
    memcpy(zeros, good_images.at, good_images.size);
    write_gzip("train-images-idx3-ubyte.gz", (struct bytes){ zeros, size });
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "trailing bytes", "expected 24");
    memcpy(zeros, "\0\0\x08\x03\0\x10\0\0\0\0\0\x30\0\0\0\x40", 16); /* three gigabytes, which 32 bits can count */
    write_gzip("train-images-idx3-ubyte.gz", (struct bytes){ zeros, size });
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "need 3221225488 bytes", "can hold");
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_plain),  cmocka_unit_test(test_malformed_gzipped),
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_gzip_levels),
        cmocka_unit_test(test_gzip_members),     cmocka_unit_test(test_gzip_header),
        cmocka_unit_test(test_gzip_damage),      cmocka_unit_test(test_gzip_bomb),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
