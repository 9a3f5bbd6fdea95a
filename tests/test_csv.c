/* Data sets as CSV: every way of writing them, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <unistd.h>

#include "opened.h"
#include "scratch.h"

/* Compresses a text into a file of the folder. */
static const char *write_gzip(const char *name, const char *text, size_t size)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    const size_t room = libdeflate_gzip_compress_bound(compressor, size);
    char *const out = malloc(room);
    const char *const path = scratch_write(name, out, libdeflate_gzip_compress(compressor, text, size, out, room));
    libdeflate_free_compressor(compressor);
    free(out);
    return path;
}

/* Two 2 x 2 images, labelled 3 and 1, in every dress. `note` is the column that a remark tells; NULL: none. */
static const struct {
    const char *text, *note;
} good[] = {
    { "3,1,2,3,4\n1,5,6,7,8\n", "the first column" },
    { "3,1,2,3,4\n1,5,6,7,8", "the first column" },
    { "3,1,2,3,4\r\n1,5,6,7,8\r\n", "the first column" },
    { "3,1,2,3,4\n1,5,6,7,8\n\n\r\n", "the first column" },
    { "\xef\xbb\xbf"
      "3,1,2,3,4\n1,5,6,7,8\n",
      "the first column" },
    { "3;1;2;3;4\n1;5;6;7;8\n", "the first column" },
    { "3\t1\t2\t3\t4\n1\t5\t6\t7\t8\n", "the first column" },
    { "3, 1, 2, 3, 4\n1,5 ,6 ,7,8 \n", "the first column" },
    { "\"3\",\"1\",2,3,\"4\"\n1,5,6,7,8\n", "the first column" },
    { "3.0,1.0,2.00,3.,4.0\n1,5,6,7,8\n", "the first column" },
    { "0003,01,02,000003,4\n1,5,6,7,8\n", "the first column" },
    { "label,pixel0,pixel1,pixel2,pixel3\n3,1,2,3,4\n1,5,6,7,8\n", NULL },
    { "\"Label\",1x1,1x2,2x1,2x2\r\n3,1,2,3,4\r\n1,5,6,7,8\r\n", NULL },
    { "1x1,1x2,2x1,2x2,class\n1,2,3,4,3\n5,6,7,8,1\n", NULL },
    { "0;1;2;3;Y\n1;2;3;4;3\n5;6;7;8;1\n", NULL },
    { "digit,1,2,3,4\n3,1,2,3,4\n1,5,6,7,8\n", NULL },
    { "a,b,c,d,e\n3,1,2,3,4\n1,5,6,7,8\n", "the first column" },
};

static void assert_good_set(struct ink_dataset *data, const char *note)
{
    const struct ink_shape shape = ink_dataset_shape(data);
    assert_int_equal(ink_dataset_count(data), 2);
    assert_int_equal(shape.height, 2);
    assert_int_equal(shape.width, 2);
    assert_int_equal(shape.channels, 1);
    assert_int_equal(ink_dataset_classes(data), 4);
    assert_memory_equal(ink_dataset_pixels(data, 0), "\1\2\3\4\5\6\7\x08", 8);
    assert_int_equal(ink_dataset_label(data, 0), 3);
    assert_int_equal(ink_dataset_label(data, 1), 1);
    assert_true(ink_dataset_is_whole(data));
    if (note == NULL) {
        assert_null(ink_dataset_note(data, 0));
    } else {
        assert_non_null(ink_dataset_note(data, 0));
        assert_non_null(strstr(ink_dataset_note(data, 0), note));
        assert_null(ink_dataset_note(data, 1));
    }
    ink_dataset_free(data);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *const text = good[i].text;
        assert_good_set(open_good(scratch_write("a.csv", text, strlen(text)), INK_TRAIN, NULL), good[i].note);
        assert_good_set(open_good(write_gzip("a.csv.gz", text, strlen(text)), INK_TEST, NULL), good[i].note);
    }
}

/* Which end has the labels, where no heading says so: the one with fewer values, but more than one. */
static void test_which_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t labels[3];
        const char *note;
    } rows[] = {
        { "0,9,9,9,2\n0,9,9,9,1\n0,9,9,9,0\n", { 2, 1, 0 }, "the last column" },  /* a pixel that is always dark */
        { "2,9,9,9,0\n1,9,9,9,0\n0,9,9,9,0\n", { 2, 1, 0 }, "the first column" }, /* the same at the end */
        { "7,9,9,9,1\n8,9,9,9,1\n9,9,9,9,0\n", { 1, 1, 0 }, "the last column" },
        { "1,9,9,9,7\n1,9,9,9,8\n0,9,9,9,9\n", { 1, 1, 0 }, "the first column" },
        { "2,9,9,9,3\n1,9,9,9,2\n0,9,9,9,4\n", { 2, 1, 0 }, "the first column" },     /* as many at both */
        { "300,9,9,9,3\n1,9,9,9,2\n0,9,9,9,4\n", { 300, 1, 0 }, "the first column" }, /* no pixel */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink_dataset *data =
            open_good(scratch_write("a.csv", rows[i].text, strlen(rows[i].text)), INK_TRAIN, NULL);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(ink_dataset_label(data, k), rows[i].labels[k]);
        assert_non_null(strstr(ink_dataset_note(data, 0), rows[i].note));
        ink_dataset_free(data);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    static const char twelve[] = "label,,,,,,,,,,,,\n1,1,2,3,4,5,6,7,8,9,10,11,12\n0,0,0,0,0,0,0,0,0,0,0,0,0\n";
    const char *path = scratch_write("a.csv", twelve, strlen(twelve));
    struct ink_dataset *data = open_good(path, INK_TRAIN, NULL);
    assert_int_equal(ink_dataset_shape(data).height, 2); /* 12 is three times a square */
    assert_int_equal(ink_dataset_shape(data).channels, 3);
    ink_dataset_free(data);
    static const struct ink_dataset_options as_it_is = { .size = { 3, 4, 0 } }, grey = { .size = { 2, 2, 1 } };
    data = open_good(path, INK_TRAIN, &as_it_is);
    assert_int_equal(ink_dataset_shape(data).height, 3);
    assert_int_equal(ink_dataset_shape(data).width, 4);
    assert_int_equal(ink_dataset_shape(data).channels, 1);
    assert_memory_equal(ink_dataset_pixels(data, 0), "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c", 12);
    ink_dataset_free(data);
    data = open_good(path, INK_TRAIN, &grey);
    assert_int_equal(ink_dataset_shape(data).channels, 1);
    assert_memory_equal(ink_dataset_pixels(data, 0), "\2\5\x08\x0b", 4); /* Rec. 601 of (1, 2, 3) is 1.8 */
    ink_dataset_free(data);
}

/* What is refused, and where the message says it is. */
static const struct {
    const char *text, *word;
} bad[] = {
    { "3,1,2,3,4\n1,5,6,7\n", "line 2: 4 columns, expected 5 as in line 1" },
    { "3,1,2,3,4\n1,5,6,7,8,9\n", "line 2: 6 columns, expected 5" },
    { "3,1,2,3,4\n\n1,5,6,7,8\n", "line 2: is blank" },
    { "3,1,2,3,4\n1,5,nan,7,8\n", "line 2, column 3: found 'nan', expected a whole number from 0 to 255" },
    { "3,1,2,3,4\n1,5,,7,8\n", "line 2, column 3: found ''" },
    { "3,1,2,3,4\n1,5,-6,7,8\n", "line 2, column 3: found '-6'" },
    { "3,1,2,3,4\n1,5,0.5,7,8\n", "line 2, column 3: found '0.5'" },
    { "3,1,2,3,4\n1,5,6e1,7,8\n", "line 2, column 3: found '6e1'" },
    { "3,1,2,3,4\n1,5,256,7,8\n", "line 2, column 3: found '256'" },
    { "3,1,2,3,4\n1,5,99999999999999999999,7,8\n", "line 2, column 3: found '99999999999999999999'" },
    { "3,1,2,3,4\ncat,5,6,7,8\n", "line 2, column 1: found 'cat'" },
    { "3,1,2,3,4\n1,5,6,7,dog\n", "line 2, column 5: found 'dog'" },
    { "label,a,b,c,d\n3,1,2,3,4\n1,5,6,7,x\n", "line 3, column 5: found 'x'" },
    { "label,a,b,c,d\n3,1,2,3,4\n1,5,6,7,256\n",
      "line 3, column 5: found '256', expected a whole number from 0 to 255" },
    { "a,b,c,d,label\n3,1,2,3,4\n500,5,6,7,2\n",
      "line 3, column 1: found '500', expected a whole number from 0 to 255" },
    { "label,a,b,c,d\n4096,1,2,3,4\n1,5,6,7,2\n",
      "line 2, column 1: found '4096', expected a whole number from 0 to 4095" },
    { "label,a,b,c,d\n", "line 2: no images" },
    { "label,a,b,c,d", "line 1: no images" },
    { "hello\n", "line 1: 1 column" },
    { "\n", "line 1: 1 column" },
    { "3,1,2,3,4,5,6,7,8\n1,5,6,7,8,9,1,2,3\n",
      "9 columns, 8 besides the label, expected a square number, or are the labels missing?" },
    { "3,1,2,3,4,5\n1,5,6,7,8,9\n", "6 columns, 5 besides the label" },
    { "3,5\n1\n", "line 2: 1 columns, expected 2" },
    { "3,1,2,3,\"4\n1,5,6,7,8\n1,5,6\n", "line 3: 3 columns" },
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_refused(scratch_write("a.csv", bad[i].text, strlen(bad[i].text)), INK_TRAIN, NULL, INK_BAD_INPUT,
                       bad[i].word, "a.csv: line");
        assert_refused(write_gzip("a.csv.gz", bad[i].text, strlen(bad[i].text)), INK_TRAIN, NULL, INK_BAD_INPUT,
                       bad[i].word, "a.csv.gz: line");
    }
    /* What is no text at all, and what other files begin with. */
    static const struct {
        const char *bytes;
        size_t size;
        const char *word;
    } other[] = {
        { "", 0, "byte 0: truncated, expected IDX, npz, npy or CSV, or a folder" },
        { "3,1,\0002,3,4\n", 11, "byte 0: no data set" },
        { "<!DOCTYPE html><html>", 21, "a web page?" },
        { "\x89PNG\r\n\x1a\n", 8, "one picture, expected a folder" },
        { "\xff\xd8\xff\xe0", 4, "a JPEG picture" },
        { "\x89HDF\r\n\x1a\n", 8, "an HDF5 file" },
        { "\x80\4\x95", 3, "a Python pickle" },
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_refused(scratch_write("a.csv", other[i].bytes, other[i].size), INK_TRAIN, NULL, INK_BAD_INPUT,
                       other[i].word, "a.csv: byte 0");
}

/* Every truncation of a text is refused, or is a set of fewer images or of a last number that lost digits; every
 * truncation of a compressed one is refused. */
static void test_truncated(void **state)
{
    (void)state;
    static const char text[] = "label,a,b,c,d\n3,111,122,133,144\n1,155,166,177,188\n";
    const size_t size = strlen(text);
    for (size_t cut = 0; cut < size; cut++) {
        struct ink_dataset *data = NULL;
        struct ink_error err = { 0 };
        const char *const path = scratch_write("a.csv", text, cut);
        const enum ink_status status = ink_dataset_open(&data, path, INK_TRAIN, NULL, &err);
        if (status == INK_OK)
            assert_in_range(ink_dataset_count(data), 1, 2);
        else
            assert_int_equal(status, INK_BAD_INPUT);
        assert_int_equal(status == INK_OK, text[cut - (cut > 0)] != ',' && cut > 28 && (cut < 33 || cut > 46));
        ink_dataset_free(data);
    }
    const char *const path = write_gzip("a.csv.gz", text, size);
    unsigned char bytes[256];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t packed = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 2; cut < packed; cut++)
        assert_refused(scratch_write("b.csv.gz", bytes, cut), INK_TRAIN, NULL, INK_BAD_INPUT, "b.csv.gz: byte", NULL);
    for (size_t at = 10; at < packed; at++) { /* behind the header every byte counts, through the CRC */
        bytes[at] ^= 0x5a;
        assert_refused(scratch_write("b.csv.gz", bytes, packed), INK_TRAIN, NULL, INK_BAD_INPUT, "b.csv.gz: byte",
                       NULL);
        bytes[at] ^= 0x5a;
    }
}

/* More than the reader decompresses at a time, so that cells lie across the pieces. */
static void test_large(void **state)
{
    (void)state;
    enum { IMAGES = 700, PIXELS = 28 * 28 };
    char *const text = malloc((size_t)(IMAGES + 1) * (PIXELS + 1) * 4 + 8);
    uint8_t *const pixels = malloc((size_t)IMAGES * PIXELS);
    char *to = text + sprintf(text, "label");
    uint32_t random = 1;
    for (size_t p = 0; p < PIXELS; p++)
        *to++ = ',';
    *to++ = '\n';
    for (size_t i = 0; i < IMAGES; i++) {
        to += sprintf(to, "%zu", i);
        for (size_t p = 0; p < PIXELS; p++) {
            random = random * 1664525 + 1013904223;
            pixels[i * PIXELS + p] = (uint8_t)(random >> 24);
            to += sprintf(to, ",%u", random >> 24);
        }
        *to++ = '\n';
    }
    const char *const paths[] = { scratch_write("a.csv", text, (size_t)(to - text)),
                                  write_gzip("a.csv.gz", text, (size_t)(to - text)) };
    for (size_t k = 0; k < 2; k++) {
        struct ink_dataset *data = open_good(paths[k], INK_TRAIN, NULL);
        assert_int_equal(ink_dataset_count(data), IMAGES);
        assert_int_equal(ink_dataset_classes(data), IMAGES);
        assert_memory_equal(ink_dataset_pixels(data, 0), pixels, (size_t)IMAGES * PIXELS);
        for (size_t i = 0; i < IMAGES; i++)
            assert_int_equal(ink_dataset_label(data, i), i);
        assert_string_equal(ink_dataset_class_name(data, 699), "699");
        ink_dataset_free(data);
    }
    free(text);
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_which_column), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_bad),  cmocka_unit_test(test_truncated),    cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
