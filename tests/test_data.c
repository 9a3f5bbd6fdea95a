/* Data sets: the ways of finding files, wrapping, synthetic digits and the real sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "data/dataset.h"
#include "idx.h"
#include "inkling.h"
#include "opened.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

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
        cmocka_unit_test(test_names),     cmocka_unit_test(test_image_file),
        cmocka_unit_test(test_colour),    cmocka_unit_test(test_classes),
        cmocka_unit_test(test_search),    cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_wrap),      cmocka_unit_test(test_sources),
        cmocka_unit_test(test_sha256),    cmocka_unit_test(test_synthetic_bytes),
        cmocka_unit_test(test_synthetic), cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test(test_mnist),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
