/* Data sets: IDX, gzip and the ways of finding files, well formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "inkling.h"
#include "opened.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

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

static size_t gzip(unsigned char *out, size_t room, struct bytes content, int level)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    const size_t size = libdeflate_gzip_compress(compressor, content.at, content.size, out, room);
    libdeflate_free_compressor(compressor);
    assert_true(size > 0);
    return size;
}

static void write_gzip(const char *name, struct bytes content)
{
    const size_t room = content.size + 1000;
    unsigned char *out = malloc(room);
    scratch_write(name, out, gzip(out, room, content, 6));
    free(out);
}

static void assert_good_set(const struct ink_dataset *data)
{
    const struct ink_shape shape = ink_dataset_shape(data);
    assert_int_equal(ink_dataset_count(data), 2);
    assert_int_equal(shape.height, 2);
    assert_int_equal(shape.width, 2);
    assert_int_equal(shape.channels, 1);
    assert_int_equal(ink_dataset_classes(data), 8);
    assert_memory_equal(ink_dataset_pixels(data, 0), "\1\2\3\4", 4);
    assert_memory_equal(ink_dataset_pixels(data, 1), "\5\6\7\x08", 4);
    assert_int_equal(ink_dataset_label(data, 0), 3);
    assert_int_equal(ink_dataset_label(data, 1), 7);
    assert_string_equal(ink_dataset_class_name(data, 7), "7");
}

/* ---- Malformed IDX ----------------------------------------------------------------------------------------------- */

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
    { "2^31 images", BYTES("\0\0\x08\x03\x80\0\0\0\0\0\0\2\0\0\0\2\1\2\3\4"), BYTES(GOOD_LABELS), "truncated",
      "2147483648 images", "can hold" },
    { "2^32-1 images", BYTES("\0\0\x08\x03\xff\xff\xff\xff\0\0\0\2\0\0\0\2\1\2\3\4"), BYTES(GOOD_LABELS), "truncated",
      "4294967295 images", "can hold" },
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
    memcpy(zeros, "\0\0\x08\x03\0\x10\0\0\0\0\1\0\0\0\4\0", 16); /* a terabyte */
    write_gzip("train-images-idx3-ubyte.gz", (struct bytes){ zeros, size });
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_BAD_INPUT, "need 274877906960 bytes", "can hold");
    free(zeros);
}

/* ---- Finding files ----------------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *images, *labels;
        enum ink_split split;
    } rows[] = {
        { "train-images-idx3-ubyte", "train-labels-idx1-ubyte", INK_TRAIN },
        { "train-images.idx3-ubyte", "train-labels.idx1-ubyte", INK_TRAIN },
        { "train-images.idx3-ubyte", "train-labels-idx1-ubyte", INK_TRAIN },
        { "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte", INK_TRAIN },
        { "train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", INK_TRAIN },
        { "train-images.idx3-ubyte.gz", "train-labels.idx1-ubyte.gz", INK_TRAIN },
        { "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", INK_TEST },
        { "t10k-images.idx3-ubyte.gz", "t10k-labels.idx1-ubyte.gz", INK_TEST },
        { "test-images-idx3-ubyte.gz", "test-labels-idx1-ubyte", INK_TEST },
        { "test-images.idx3-ubyte", "test-labels.idx1-ubyte.gz", INK_TEST },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int packed = 0; packed < 2; packed++) { /* told apart by content: the name may lie */
            scratch_clear();
            if (packed) {
                write_gzip(rows[i].images, good_images);
                write_gzip(rows[i].labels, good_labels);
            } else {
                scratch_write(rows[i].images, good_images.at, good_images.size);
                scratch_write(rows[i].labels, good_labels.at, good_labels.size);
            }
            struct ink_dataset *data = open_good(scratch_folder, rows[i].split, NULL);
            assert_good_set(data);
            assert_string_equal(ink_dataset_name(data), scratch_folder);
            ink_dataset_free(data);
            assert_refused(scratch_folder, rows[i].split == INK_TRAIN ? INK_TEST : INK_TRAIN, NULL, INK_FAILED,
                           rows[i].split == INK_TRAIN ? "no test images" : "no training images", scratch_folder);
        }
    }
}

static void test_image_file(void **state)
{
    (void)state;
    static const struct {
        const char *images, *labels;
    } rows[] = {
        { "train-images-idx3-ubyte", "train-labels-idx1-ubyte" },
        { "my images.idx3-ubyte", "my labels.idx1-ubyte" },
        { "x-images-idx3-ubyte.gz", "x-labels-idx1-ubyte" },
        { "x-images-idx3-ubyte", "x-labels-idx1-ubyte.gz" },
        { "images", "labels" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scratch_clear();
        const char *path = scratch_write(rows[i].images, good_images.at, good_images.size);
        assert_refused(path, INK_TRAIN, NULL, INK_FAILED, "has no label file beside it", rows[i].images);
        scratch_write(rows[i].labels, good_labels.at, good_labels.size);
        for (enum ink_split split = INK_TRAIN; split <= INK_TEST; split++) {
            struct ink_dataset *data = open_good(path, split, NULL);
            assert_good_set(data);
            assert_string_equal(ink_dataset_name(data), path);
            ink_dataset_free(data);
        }
    }
    scratch_clear();
    const char *path = scratch_write("some $(pictures)", good_images.at, good_images.size);
    const char *labels = scratch_write("their names", good_labels.at, good_labels.size);
    assert_refused(path, INK_TRAIN, NULL, INK_FAILED, "has no label file beside it", NULL);
    struct ink_dataset *data = open_good(path, INK_TRAIN, &(struct ink_dataset_options){ .labels = labels });
    assert_good_set(data);
    ink_dataset_free(data);
    assert_refused(path, INK_TRAIN, &(struct ink_dataset_options){ .labels = scratch_path("missing") }, INK_FAILED,
                   "missing: cannot open", NULL);
}

static void test_colour(void **state)
{
    (void)state;
    static const char images[] = "\0\0\x08\x04\0\0\0\2\0\0\0\1\0\0\0\2\0\0\0\3abcdefghijkl";
    scratch_clear();
    scratch_write("train-images-idx3-ubyte", images, sizeof images - 1);
    scratch_write("train-labels-idx1-ubyte", good_labels.at, good_labels.size);
    struct ink_dataset *data = open_good(scratch_folder, INK_TRAIN, NULL);
    assert_int_equal(ink_dataset_shape(data).height, 1);
    assert_int_equal(ink_dataset_shape(data).width, 2);
    assert_int_equal(ink_dataset_shape(data).channels, 3);
    assert_memory_equal(ink_dataset_pixels(data, 1), "ghijkl", 6);
    ink_dataset_free(data);
}

static void test_classes(void **state)
{
    (void)state;
    scratch_clear();
    scratch_write("test-images-idx3-ubyte", good_images.at, good_images.size);
    scratch_write("test-labels-idx1-ubyte", good_labels.at, good_labels.size);
    scratch_write("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\3\xff\7\1", 11);
    struct ink_dataset *data = open_good(scratch_folder, INK_TEST, NULL);
    assert_int_equal(ink_dataset_classes(data), 256);
    assert_string_equal(ink_dataset_class_name(data, 255), "255");
    ink_dataset_free(data);
    /* Labels of 16 and 32 bits. */
    scratch_write("train-labels-idx1-ubyte", "\0\0\x0b\x01\0\0\0\2\x0f\xff\0\1", 12);
    data = open_good(scratch_folder, INK_TEST, NULL);
    assert_int_equal(ink_dataset_classes(data), 4096);
    ink_dataset_free(data);
    scratch_write("train-labels-idx1-ubyte", "\0\0\x0c\x01\0\0\0\2\0\0\x10\0\0\0\0\1", 16);
    assert_refused(scratch_folder, INK_TEST, NULL, INK_BAD_INPUT, "label 0 is 4096, expected below 4096",
                   "train-labels");
    scratch_write("train-labels-idx1-ubyte", "\0\0\x0b\x01\0\0\0\2\xff\xff\0\1", 12);
    assert_refused(scratch_folder, INK_TEST, NULL, INK_BAD_INPUT, "label 0 is 65535", "train-labels");
    scratch_write("train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\3\xff\7", 10);
    assert_refused(scratch_folder, INK_TEST, NULL, INK_BAD_INPUT, "truncated", "train-labels");
}

static void test_search(void **state)
{
    (void)state;
    scratch_clear();
    char folder[SCRATCH_PATH], file[SCRATCH_PATH + 64];
    snprintf(folder, sizeof folder, "%s/fashion-mnist", scratch_folder);
    assert_int_equal(mkdir(folder, 0777), 0);
    const char *search[] = { "/nowhere/at all", scratch_folder, NULL };
    const struct ink_dataset_options options = { .search = search };

    assert_refused("fashion-mnist", INK_TRAIN, &options, INK_FAILED, "/nowhere/at all/fashion-mnist",
                   "run `inkling fetch fashion-mnist`");
    assert_refused("fashion-mnist", INK_TRAIN, &options, INK_FAILED, folder, "no training images");
    assert_refused("kmnist", INK_TEST, NULL, INK_FAILED, "no test images", "no folder to search");

    scratch_write("fashion-mnist/train-images-idx3-ubyte", good_images.at, good_images.size);
    assert_refused("fashion-mnist", INK_TRAIN, &options, INK_FAILED, "no training images", NULL);
    scratch_write("fashion-mnist/train-labels-idx1-ubyte", good_labels.at, good_labels.size);
    struct ink_dataset *data = open_good("fashion-mnist", INK_TRAIN, &options);
    assert_string_equal(ink_dataset_name(data), "fashion-mnist");
    assert_int_equal(ink_dataset_classes(data), 10);
    assert_string_equal(ink_dataset_class_name(data, 7), "Sneaker");
    assert_int_equal(ink_dataset_label(data, 1), 7);
    ink_dataset_free(data);

    snprintf(file, sizeof file, "%s/train-images-idx3-ubyte", folder);
    unlink(file);
    snprintf(file, sizeof file, "%s/train-labels-idx1-ubyte", folder);
    unlink(file);
    rmdir(folder);
}

static void test_not_found(void **state)
{
    (void)state;
    scratch_clear();
    assert_refused("mnsit", INK_TRAIN, NULL, INK_FAILED, "did you mean \"mnist\"?", "mnsit");
    assert_refused("/nowhere/at all", INK_TRAIN, NULL, INK_FAILED, "/nowhere/at all: cannot open", NULL);
    assert_refused("", INK_TRAIN, NULL, INK_FAILED, NULL, NULL);
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_FAILED, "train-images-idx3-ubyte", scratch_folder);
    /* A path longer than most buffers. */
    char path[2000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_refused(path, INK_TRAIN, NULL, INK_FAILED, "xxx", NULL);
    scratch_write("train-images-idx3-ubyte", good_images.at, good_images.size);
    assert_refused(scratch_folder, INK_TRAIN, NULL, INK_FAILED, "has no label file beside it", "images-idx3-ubyte");
}

/* ---- Wrapping, tables -------------------------------------------------------------------------------------------- */

static void test_wrap(void **state)
{
    (void)state;
    static const uint8_t pixels[] = { 0, 0, 9, 0, 1, 2, 3, 0 };
    static const uint16_t labels[] = { 2, 0 };
    const struct ink_shape shape = { 2, 2, 1 };
    struct ink_error err;
    struct ink_dataset *data = NULL;
    assert_int_equal(ink_dataset_wrap(&data, "mine", shape, 2, 3, pixels, labels, &err), INK_OK);
    assert_string_equal(ink_dataset_name(data), "mine");
    assert_ptr_equal(ink_dataset_pixels(data, 1), pixels + 4);
    assert_int_equal(ink_dataset_label(data, 0), 2);
    assert_int_equal(ink_dataset_classes(data), 3);
    assert_string_equal(ink_dataset_class_name(data, 2), "2");
    assert_true(ink__dataset_density(data) == 0.5);
    ink_dataset_free(data);

    static const struct {
        struct ink_shape shape;
        size_t count, classes;
        enum ink_status status;
        const char *word;
    } rows[] = {
        { { 2, 2, 1 }, 2, 2, INK_BAD_INPUT, "label 2, expected labels below 2" },
        { { 2, 2, 1 }, 2, 0, INK_BAD_ARGUMENT, "0 classes" },
        { { 2, 2, 1 }, 2, 4097, INK_BAD_ARGUMENT, "4097 classes" },
        { { 2, 2, 1 }, 0, 3, INK_BAD_ARGUMENT, "0 images" },
        { { 0, 2, 1 }, 2, 3, INK_BAD_ARGUMENT, "0 x 2 x 1" },
        { { SIZE_MAX, 2, 1 }, 2, 3, INK_BAD_ARGUMENT, "images of" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        data = (struct ink_dataset *)&err;
        assert_int_equal(
            ink_dataset_wrap(&data, "mine", rows[i].shape, rows[i].count, rows[i].classes, pixels, labels, &err),
            rows[i].status);
        assert_null(data);
        assert_non_null(strstr(err.message, rows[i].word));
    }
    ink_dataset_free(NULL);
}

static void test_sources(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct ink_dataset_source *row = ink_dataset_sources(); row->name != NULL; row++, count++) {
        assert_non_null(row->title);
        assert_non_null(row->mirrors[0]);
        for (size_t i = 0; i < 4 && row->mirrors[i] != NULL; i++) {
            assert_int_equal(strncmp(row->mirrors[i], "http", 4), 0);
            assert_int_equal(row->mirrors[i][strlen(row->mirrors[i]) - 1], '/');
        }
        assert_null(row->mirrors[3]);
        for (size_t i = 0; i < 4; i++) {
            assert_non_null(row->files[i].name);
            if (row->files[i].sha256 != NULL)
                assert_int_equal(strspn(row->files[i].sha256, "0123456789abcdef"), 64);
        }
    }
    assert_int_equal(count, 3);
}

static void test_sha256(void **state)
{
    (void)state;
    static const uint8_t pixels[] = { 'a', 'b' };
    static const uint16_t label = 'c';
    char hex[65];
    struct ink_dataset *data = NULL;
    assert_int_equal(ink_dataset_wrap(&data, "abc", (struct ink_shape){ 1, 2, 1 }, 1, 256, pixels, &label, NULL),
                     INK_OK);
    ink_dataset_sha256(data, hex);
    ink_dataset_free(data);
    if (hex[0] == '\0') {
        print_message("skipped: this build has no SHA-256\n");
        skip();
    }
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-2, B.1 */
}

/* ---- Synthetic digits -------------------------------------------------------------------------------------------- */

static struct ink_dataset *open_synthetic(enum ink_split split, size_t count, uint64_t seed)
{
    return open_good("synthetic", split,
                     &(struct ink_dataset_options){ .synthetic_count = count, .synthetic_seed = seed });
}

static uint32_t checksum(const struct ink_dataset *data)
{
    const size_t count = ink_dataset_count(data);
    uint32_t crc = libdeflate_crc32(0, ink_dataset_pixels(data, 0), count * 28 * 28);
    for (size_t i = 0; i < count; i++) {
        const uint8_t label = (uint8_t)ink_dataset_label(data, i);
        crc = libdeflate_crc32(crc, &label, 1);
    }
    return crc;
}

/* Every machine must draw these bytes. */
static void test_synthetic_bytes(void **state)
{
    (void)state;
    static const struct {
        enum ink_split split;
        uint64_t seed;
        uint32_t crc;
    } rows[] = {
        { INK_TRAIN, 0, 0x6771b787 },
        { INK_TEST, 0, 0x7d78e47c },
        { INK_TRAIN, 1, 0x6bb884df },
        { INK_TEST, UINT64_MAX, 0xe446edf5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink_dataset *data = open_synthetic(rows[i].split, 200, rows[i].seed);
        assert_int_equal(checksum(data), rows[i].crc);
        ink_dataset_free(data);
    }
}

static void test_synthetic(void **state)
{
    (void)state;
    struct ink_dataset *data = open_good("synthetic", INK_TRAIN, NULL), *test = open_good("synthetic", INK_TEST, NULL);
    assert_int_equal(ink_dataset_count(data), 10000);
    assert_int_equal(ink_dataset_count(test), 2000);
    assert_int_equal(ink_dataset_classes(data), 10);
    assert_string_equal(ink_dataset_name(data), "synthetic");
    for (size_t i = 0; i < 2000; i += 10) { /* every ten hold every digit */
        unsigned seen = 0;
        for (size_t j = i; j < i + 10; j++)
            seen |= 1U << ink_dataset_label(data, j);
        assert_int_equal(seen, 0x3ff);
    }
    for (size_t i = 0; i < 1000; i++) {
        const uint8_t *pixels = ink_dataset_pixels(data, i);
        double mass = 0, x = 0, y = 0;
        for (size_t p = 0; p < 28 * 28; p++) {
            mass += pixels[p];
            x += (double)(pixels[p] * (p % 28));
            y += (double)(pixels[p] * (p / 28));
        }
        assert_true(mass > 28 * 255); /* nothing is thinner than a long thin line */
        assert_true(x / mass > 11.5 && x / mass < 16.5 && y / mass > 11.5 && y / mass < 16.5);
        assert_memory_not_equal(pixels, ink_dataset_pixels(test, i), 28 * 28);
    }
    const double density = ink__dataset_density(data);
    assert_true(density > 0.15 && density < 0.25); /* MNIST's is 0.19 */

    struct ink_dataset *few = open_synthetic(INK_TRAIN, 25, 0); /* the beginning of many */
    assert_memory_equal(ink_dataset_pixels(few, 0), ink_dataset_pixels(data, 0), 25 * 28 * 28);
    assert_int_equal(ink_dataset_label(few, 24), ink_dataset_label(data, 24));
    ink_dataset_free(few);
    ink_dataset_free(test);
    ink_dataset_free(data);
    assert_refused("synthetic", INK_TRAIN, &(struct ink_dataset_options){ .synthetic_count = SIZE_MAX },
                   INK_BAD_ARGUMENT, "images, expected less than", "synthetic");
}

/* ---- Real data --------------------------------------------------------------------------------------------------- */

static void check_real(const char *name, const char *parent, const size_t histogram[2][10])
{
    const char *search[] = { parent, NULL };
    const struct ink_dataset_options options = { .search = search };
    struct ink_dataset *probe = NULL;
    if (parent == NULL || ink_dataset_open(&probe, name, INK_TEST, &options, NULL) == INK_FAILED) {
        print_message("skipped: no %s in %s\n", name, parent != NULL ? parent : "$INKLING_DATA, which is not set");
        skip();
    }
    ink_dataset_free(probe);
    for (enum ink_split split = INK_TRAIN; split <= INK_TEST; split++) {
        size_t counts[10] = { 0 };
        struct ink_dataset *data = open_good(name, split, &options);
        const struct ink_shape shape = ink_dataset_shape(data);
        assert_int_equal(ink_dataset_count(data), split == INK_TRAIN ? 60000 : 10000);
        assert_int_equal(ink_dataset_classes(data), 10);
        assert_int_equal(shape.height, 28);
        assert_int_equal(shape.width, 28);
        assert_int_equal(shape.channels, 1);
        for (size_t i = 0; i < ink_dataset_count(data); i++)
            counts[ink_dataset_label(data, i)]++;
        for (size_t c = 0; c < 10; c++)
            assert_int_equal(counts[c], histogram[split][c]);
        const double density = ink__dataset_density(data);
        assert_true(density > 0.1 && density < 0.7);
        ink_dataset_free(data);
    }
}

static void test_fashion_mnist(void **state)
{
    (void)state;
    static const size_t histogram[2][10] = {
        { 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000 },
        { 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000 },
    };
    check_real("fashion-mnist", "/usr/share/datasets", histogram);
}

static void test_mnist(void **state)
{
    (void)state;
    static const size_t histogram[2][10] = {
        { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 },
        { 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 },
    };
    check_real("mnist", getenv("INKLING_DATA"), histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_plain),
        cmocka_unit_test(test_malformed_gzipped),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_gzip_levels),
        cmocka_unit_test(test_gzip_members),
        cmocka_unit_test(test_gzip_header),
        cmocka_unit_test(test_gzip_damage),
        cmocka_unit_test(test_gzip_bomb),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_image_file),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_synthetic_bytes),
        cmocka_unit_test(test_synthetic),
        cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test(test_mnist),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
