/* Pictures: decoding well formed and malformed files, and writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <png.h>

#include "decoded.h"
#include "inkling.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

static void assert_refused(const void *bytes, size_t size, const char *word, const char *word2)
{
    struct ink_error err = { 0 };
    struct ink_picture *picture = (struct ink_picture *)&err;
    const enum ink_status status = ink_picture_decode(&picture, bytes, size, "the.file", &err);
    if (status != INK_BAD_INPUT || strstr(err.message, word) == NULL || strncmp(err.message, "the.file: ", 10) != 0 ||
        (word2 != NULL && strstr(err.message, word2) == NULL))
        fail_msg("status %d, message \"%s\", expected \"%s\" and \"%s\"", status, err.message, word, word2);
    assert_null(picture);
    assert_null(strchr(err.message, '\n'));
}

static void assert_shape(const struct ink_picture *picture, size_t height, size_t width, size_t channels)
{
    const struct ink_shape shape = ink_picture_shape(picture);
    assert_int_equal(shape.height, height);
    assert_int_equal(shape.width, width);
    assert_int_equal(shape.channels, channels);
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

enum { PNG_HEIGHT = 13, PNG_WIDTH = 11, PNG_ROOM = 64 * 1024 };

struct memory {
    unsigned char bytes[PNG_ROOM];
    size_t size;
};

static void append(png_structp png, png_bytep bytes, size_t size)
{
    struct memory *memory = png_get_io_ptr(png);
    assert_true(memory->size + size <= PNG_ROOM);
    memcpy(memory->bytes + memory->size, bytes, size);
    memory->size += size;
}

static void flush(png_structp png)
{
    (void)png;
}

/* The sample of channel `c` at (y, x): colours take many values, alpha is nothing or all. */
static unsigned sample(unsigned y, unsigned x, unsigned c, unsigned most, bool alpha)
{
    if (alpha)
        return (x + y) % 3 == 0 ? 0 : most;
    return (y * 31 + x * 7 + c * 13) * (most > 255 ? 257U : 1U) % (most + 1);
}

static void write_png(struct memory *memory, int colour_type, int depth, int interlace)
{
    static const unsigned channels_of[] = { [PNG_COLOR_TYPE_GRAY] = 1,
                                            [PNG_COLOR_TYPE_RGB] = 3,
                                            [PNG_COLOR_TYPE_PALETTE] = 1,
                                            [PNG_COLOR_TYPE_GRAY_ALPHA] = 2,
                                            [PNG_COLOR_TYPE_RGB_ALPHA] = 4 };
    const unsigned channels = channels_of[colour_type], most = (1U << depth) - 1;
    unsigned char rows[PNG_HEIGHT][PNG_WIDTH * 4 * 2] = { { 0 } };
    png_bytep pointers[PNG_HEIGHT];
    for (unsigned y = 0; y < PNG_HEIGHT; y++) {
        pointers[y] = rows[y];
        for (unsigned x = 0; x < PNG_WIDTH; x++) {
            for (unsigned c = 0; c < channels; c++) {
                const bool alpha = (colour_type & PNG_COLOR_MASK_ALPHA) != 0 && c == channels - 1;
                const unsigned value = sample(y, x, c, most, alpha), bit = (x * channels + c) * (unsigned)depth;
                if (depth == 16) {
                    rows[y][bit / 8] = (unsigned char)(value >> 8);
                    rows[y][bit / 8 + 1] = (unsigned char)(value & 255);
                } else {
                    rows[y][bit / 8] |= (unsigned char)(value << (8 - (unsigned)depth - bit % 8));
                }
            }
        }
    }

    memory->size = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, memory, append, flush);
    png_set_IHDR(png, info, PNG_WIDTH, PNG_HEIGHT, depth, colour_type, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (colour_type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[256];
        png_byte transparency[] = { 255, 0 }; /* entry 1 is not seen */
        for (unsigned i = 0; i <= most; i++)
            palette[i] = (png_color){ (png_byte)i, (png_byte)(255 - i), (png_byte)(i * 3 & 255) };
        png_set_PLTE(png, info, palette, (int)most + 1);
        png_set_tRNS(png, info, transparency, 2, NULL);
    }
    png_write_info(png, info);
    png_write_image(png, pointers);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

/* What channel `c` of the decoded picture must be. */
static unsigned expected(int colour_type, int depth, unsigned y, unsigned x, unsigned c)
{
    const unsigned most = (1U << depth) - 1;
    const unsigned colours = colour_type & PNG_COLOR_MASK_COLOR ? 3 : 1;
    if (colour_type == PNG_COLOR_TYPE_PALETTE) {
        const unsigned i = sample(y, x, 0, most, false);
        return i == 1 ? 255 : c == 0 ? i : c == 1 ? 255 - i : (i * 3 & 255);
    }
    if (colour_type & PNG_COLOR_MASK_ALPHA && sample(y, x, colours, most, true) == 0)
        return 255;
    return (sample(y, x, c, most, false) * 255 + most / 2) / most;
}

static const struct {
    int colour_type, least_depth, most_depth;
} png_kinds[] = {
    { PNG_COLOR_TYPE_GRAY, 1, 16 },       { PNG_COLOR_TYPE_RGB, 8, 16 },       { PNG_COLOR_TYPE_PALETTE, 1, 8 },
    { PNG_COLOR_TYPE_GRAY_ALPHA, 8, 16 }, { PNG_COLOR_TYPE_RGB_ALPHA, 8, 16 },
};

static void test_png_kinds(void **state)
{
    (void)state;
    static struct memory memory;
    for (size_t k = 0; k < sizeof png_kinds / sizeof png_kinds[0]; k++) {
        for (int depth = png_kinds[k].least_depth; depth <= png_kinds[k].most_depth; depth *= 2) {
            for (int interlace = PNG_INTERLACE_NONE; interlace <= PNG_INTERLACE_ADAM7; interlace++) {
                const int type = png_kinds[k].colour_type;
                const unsigned channels = type & PNG_COLOR_MASK_COLOR ? 3 : 1;
                write_png(&memory, type, depth, interlace);
                struct ink_picture *picture = decode_good(memory.bytes, memory.size, "kind");
                assert_shape(picture, PNG_HEIGHT, PNG_WIDTH, channels);
                const uint8_t *pixel = ink_picture_pixels(picture);
                for (unsigned y = 0; y < PNG_HEIGHT; y++)
                    for (unsigned x = 0; x < PNG_WIDTH; x++)
                        for (unsigned c = 0; c < channels; c++, pixel++)
                            if (*pixel != expected(type, depth, y, x, c))
                                fail_msg("type %d depth %d interlace %d at (%u, %u, %u): %u, expected %u", type, depth,
                                         interlace, y, x, c, *pixel, expected(type, depth, y, x, c));
                ink_picture_free(picture);
            }
        }
    }
}

/* Half transparent black over white is some grey. */
static void test_png_half_alpha(void **state)
{
    (void)state;
    static unsigned char bytes[1000];
    static const uint8_t pixels[] = { 0, 128, 0, 255, 0, 0 };
    png_alloc_size_t size = sizeof bytes;
    png_image image = { .version = PNG_IMAGE_VERSION, .width = 3, .height = 1, .format = PNG_FORMAT_GA };
    assert_true(png_image_write_to_memory(&image, bytes, &size, 0, pixels, 0, NULL));
    struct ink_picture *picture = decode_good(bytes, size, "half");
    assert_shape(picture, 1, 3, 1);
    assert_int_equal(ink_picture_pixels(picture)[0], 127);
    assert_int_equal(ink_picture_pixels(picture)[1], 0);
    assert_int_equal(ink_picture_pixels(picture)[2], 255);
    ink_picture_free(picture);
}

static void test_png_damage(void **state)
{
    (void)state;
    static struct memory memory;
    for (int interlace = PNG_INTERLACE_NONE; interlace <= PNG_INTERLACE_ADAM7; interlace++) {
        write_png(&memory, PNG_COLOR_TYPE_RGB, 8, interlace);
        assert_refused(memory.bytes, 0, "empty", "expected a PNG");
        for (size_t cut = 1; cut < memory.size; cut++)
            assert_refused(memory.bytes, cut, cut < 4 ? "not a picture" : "a damaged PNG", NULL);
        for (size_t at = 4; at < memory.size; at++) { /* damage is found, or what it hit is not needed */
            struct ink_picture *picture = NULL;
            memory.bytes[at] ^= 0x41;
            ink_picture_decode(&picture, memory.bytes, memory.size, "damaged", NULL);
            if (picture != NULL)
                assert_shape(picture, PNG_HEIGHT, PNG_WIDTH, 3);
            ink_picture_free(picture);
            memory.bytes[at] ^= 0x41;
        }
    }
}

static void put_big32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* A file that says it is larger than it is. */
static void test_png_huge(void **state)
{
    (void)state;
    static struct memory memory;
    static const struct {
        uint32_t width, height;
        const char *word;
    } rows[] = {
        { 8001, 8000, "at most 64 megapixels" },
        { 65535, 65535, "65535 x 65535 pixels" },
        { 1000000, 1000000, "megapixels" },
        { 0x7fffffff, 0x7fffffff, "a damaged PNG" },
        { 0, 10, "a damaged PNG" },
        { 0xffffffff, 1, "a damaged PNG" },
        { 200, 300, "a damaged PNG" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_png(&memory, PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE);
        put_big32(memory.bytes + 16, rows[i].width);
        put_big32(memory.bytes + 20, rows[i].height);
        put_big32(memory.bytes + 29, libdeflate_crc32(0, memory.bytes + 12, 17));
        assert_refused(memory.bytes, memory.size, rows[i].word, NULL);
    }
}

static void test_png_write(void **state)
{
    (void)state;
    static const uint8_t pixels[2 * 3 * 3] = {
        0, 1, 2, 3, 40, 50, 60, 70, 80, 90, 100, 110, 120, 200, 253, 254, 255, 9
    };
    static unsigned char bytes[1000];
    for (size_t channels = 1; channels <= 3; channels += 2) {
        const char *path = scratch_path("written.png");
        const struct ink_shape shape = { 2, 3, channels };
        assert_int_equal(ink_picture_write_png(path, shape, pixels, NULL), INK_OK);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        const size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        struct ink_picture *picture = decode_good(bytes, size, path);
        assert_shape(picture, 2, 3, channels);
        assert_memory_equal(ink_picture_pixels(picture), pixels, 6 * channels);
        ink_picture_free(picture);
    }
    static const struct {
        const char *path;
        struct ink_shape shape;
        enum ink_status status;
        const char *word;
    } rows[] = {
        { "/nowhere/at all.png", { 2, 3, 1 }, INK_FAILED, "/nowhere/at all.png: cannot write" },
        { "x.png", { 2, 3, 2 }, INK_BAD_ARGUMENT, "2 channels" },
        { "x.png", { 0, 3, 1 }, INK_BAD_ARGUMENT, "3 x 0 pixels" },
        { "x.png", { SIZE_MAX, 2, 1 }, INK_BAD_ARGUMENT, "do not fit" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink_error err = { 0 };
        assert_int_equal(ink_picture_write_png(rows[i].path, rows[i].shape, pixels, &err), rows[i].status);
        assert_non_null(strstr(err.message, rows[i].word));
    }
}

/* ---- PGM, PPM and others ----------------------------------------------------------------------------------------- */

static void test_pnm(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size, height, width, channels;
        const char *pixels;
    } rows[] = {
        { LITERAL("P5 3 2 255\n\0\1\2\375\376\377"), 2, 3, 1, "\0\1\2\375\376\377" },
        { LITERAL("P5\n# a comment\n3 # another\n2\n#\n255\r\0\1\2\375\376\377"), 2, 3, 1, "\0\1\2\375\376\377" },
        { LITERAL("P2\n3 2\n15\n0 1 2\n13 14 15"), 2, 3, 1, "\x00\x11\x22\xdd\xee\xff" },
        { LITERAL("P2 3 2 # c\n15 0#zero\n1 2\t13\v14\f15 \n"), 2, 3, 1, "\x00\x11\x22\xdd\xee\xff" },
        { LITERAL("P5 2 1 1\n\0\1"), 1, 2, 1, "\0\377" },
        { LITERAL("P5 2 2 65535 \0\0\1\1\200\200\377\377"), 2, 2, 1, "\0\1\200\377" },
        { LITERAL("P5 2 1 1000\n\0\0\3\350"), 1, 2, 1, "\0\377" },
        { LITERAL("P6 1 2 255\nabcdef"), 2, 1, 3, "abcdef" },
        { LITERAL("P3 1 1 65535 65535 0 257"), 1, 1, 3, "\377\0\1" },
        { LITERAL("P2 1 1 1 0"), 1, 1, 1, "\0" },
        { LITERAL("P2 3 1 4 1 2 3"), 1, 3, 1, "\100\200\277" }, /* 63.75, 127.5, 191.25 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink_picture *picture = decode_good(rows[i].bytes, rows[i].size, "good.pnm");
        assert_shape(picture, rows[i].height, rows[i].width, rows[i].channels);
        assert_memory_equal(ink_picture_pixels(picture), rows[i].pixels,
                            rows[i].height * rows[i].width * rows[i].channels);
        ink_picture_free(picture);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *word, *word2;
    } rows[] = {
        { LITERAL("P5"), "byte 2: truncated", "width" },
        { LITERAL("P5 3"), "byte 4: truncated", "height" },
        { LITERAL("P5 3 2"), "byte 6: truncated", "largest sample" },
        { LITERAL("P5 3 2 255"), "byte 10: expected white space", NULL },
        { LITERAL("P5 3 2 255\n"), "truncated", "3 x 2 pixels" },
        { LITERAL("P5 3 2 255\n12345"), "byte 16: truncated", "3 x 2 pixels" },
        { LITERAL("P5 3 2 255\n1234567"), "byte 17: 1 trailing bytes", NULL },
        { LITERAL("P5 3 2 256\n12345678901"), "truncated", NULL },
        { LITERAL("P5 -3 2 255\n123456"), "byte 3: expected the width", NULL },
        { LITERAL("P5 0 2 255\n123456"), "byte 3: width 0", NULL },
        { LITERAL("P5 3 0 255\n123456"), "byte 5: height 0", NULL },
        { LITERAL("P5 3 2 0\n123456"), "byte 7: largest sample 0", "expected 1 to 65535" },
        { LITERAL("P5 3 2 65536\n123456"), "byte 7: largest sample 65536", "expected 1 to 65535" },
        { LITERAL("P5 99999999999999999999999999 2 255\n123456"), "byte 3: width", "expected 1 to" },
        { LITERAL("P5 18446744073709551619 2 255\n123456"), "byte 3: width", "expected 1 to" }, /* 2^64 + 3 */
        { LITERAL("P5 1000000000 1000000000 255\n123456"), "truncated", NULL },
        { LITERAL("P6 999999999 999999999 65535\n123456"), "truncated", NULL },
        { LITERAL("P5 3 2 4\n\1\2\3\4\5\0"), "byte 13: sample 5, expected 0 to 4", NULL },
        { LITERAL("P2 3 2 4\n1 2 3 4 5 0"), "byte 17: sample 5, expected 0 to 4", NULL },
        { LITERAL("P2 3 2 4\n1 2 3 4 0    "), "truncated, expected the sample", NULL },
        { LITERAL("P2 3 2 4\n1 2 3 4 0 x"), "byte 19: expected the sample, a number", NULL },
        { LITERAL("P2 3 2 4\n1 2 3 4 0 1 1"), "byte 21: 1 trailing bytes", NULL },
        { LITERAL("P2 3 2 4 # 1 2 3 4 0 1"), "truncated", NULL },
        { LITERAL("P5 # a comment without end"), "truncated", "width" },
        { LITERAL("P4 8 1\n1"), "PBM bitmap", "expected PNG, PGM or PPM" },
        { LITERAL("P7\nWIDTH 1\n"), "PAM picture", NULL },
        { LITERAL("\xff\xd8\xff\xe0\0\20JFIF"), "JPEG picture", "expected PNG, PGM or PPM" },
        { LITERAL("GIF89a"), "GIF picture", NULL },
        { LITERAL("<svg>"), "web page or SVG drawing", NULL },
        { LITERAL("P"), "byte 0: not a picture", NULL },
        { LITERAL("hello"), "byte 0: not a picture", NULL },
        { LITERAL("\x89PNG"), "a damaged PNG", NULL },
        { LITERAL("\x89PNG\r\n\x1a\nhello, is this a picture?"), "a damaged PNG", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char *exact = malloc(rows[i].size); /* so that reading past the end is seen */
        memcpy(exact, rows[i].bytes, rows[i].size);
        assert_refused(exact, rows[i].size, rows[i].word, rows[i].word2);
        free(exact);
    }
    ink_picture_free(NULL);
}

/* 64 megapixels and a row more, really there. */
static void test_pnm_huge(void **state)
{
    (void)state;
    static const char header[] = "P5 8000 8001 255\n";
    const size_t size = sizeof header - 1 + (size_t)8000 * 8001;
    char *bytes = calloc(size, 1);
    assert_non_null(bytes);
    memcpy(bytes, header, sizeof header - 1);
    assert_refused(bytes, size, "8000 x 8001 pixels", "at most 64 megapixels");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_kinds), cmocka_unit_test(test_png_half_alpha), cmocka_unit_test(test_png_damage),
        cmocka_unit_test(test_png_huge),  cmocka_unit_test(test_png_write),      cmocka_unit_test(test_pnm),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_pnm_huge),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
