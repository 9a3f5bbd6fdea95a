/* Pictures: decoding well formed and malformed files, writing, and fitting to a network's input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <math.h>
#include <png.h>

#include "inkling.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

static struct ink_picture *decode_good(const void *bytes, size_t size, const char *name)
{
    struct ink_error err = { 0 };
    struct ink_picture *picture = NULL;
    if (ink_picture_decode(&picture, bytes, size, name, &err) != INK_OK)
        fail_msg("%s", err.message);
    assert_non_null(picture);
    return picture;
}

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

#define LITERAL(text) (text), sizeof(text) - 1

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

/* ---- Fitting a digit --------------------------------------------------------------------------------------------- */

static const struct ink_shape digit_shape = { 28, 28, 1 };

/* A page with a seven on it, whose centre of mass is not the middle of its box. */
struct page {
    size_t height, width;
    double left, top, size, pen; /* pixels: where the digit is, how high, how thick */
    double ground, ink;          /* grey levels */
    double noise, shade;         /* levels: of every pixel, from the left to the right edge */
    bool dust;
};

static double distance(double x, double y, const double from[2], const double to[2])
{
    const double dx = to[0] - from[0], dy = to[1] - from[1];
    const double t = fmax(0, fmin(1, ((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy)));
    return hypot(x - from[0] - t * dx, y - from[1] - t * dy);
}

static struct ink_picture *draw(const struct page *page)
{
    static const double seven[][2] = { { 0.05, 0.05 }, { 0.7, 0.05 }, { 0.45, 0.45 }, { 0.3, 0.95 } };
    char header[64];
    const int length = snprintf(header, sizeof header, "P5 %zu %zu 255\n", page->width, page->height);
    const size_t size = (size_t)length + page->height * page->width;
    unsigned char *bytes = malloc(size);
    uint32_t random = 12345;
    memcpy(bytes, header, (size_t)length);
    for (size_t y = 0; y < page->height; y++) {
        for (size_t x = 0; x < page->width; x++) {
            double nearest = 1e9;
            for (size_t i = 0; i + 1 < sizeof seven / sizeof seven[0]; i++)
                nearest = fmin(nearest, distance(((double)x + 0.5 - page->left) / page->size,
                                                 ((double)y + 0.5 - page->top) / page->size, seven[i], seven[i + 1]));
            const double ink = fmax(0, fmin(1, page->pen / 2 - nearest * page->size + 0.5));
            random = random * 1664525 + 1013904223;
            double level = page->ground + (page->ink - page->ground) * ink;
            level += page->noise * ((double)(random >> 8) / (1 << 23) - 1);
            level += page->shade * ((double)x / (double)page->width - 0.5);
            if (page->dust && (y * page->width + x) % 1999 == 77)
                level = page->ink;
            bytes[(size_t)length + y * page->width + x] = (unsigned char)fmax(0, fmin(255, level + 0.5));
        }
    }
    struct ink_picture *picture = decode_good(bytes, size, "page");
    free(bytes);
    return picture;
}

static void fit_good(const struct ink_picture *picture, enum ink_fit fit, struct ink_shape shape, uint8_t *pixels)
{
    struct ink_error err = { 0 };
    if (ink_picture_fit(picture, fit, shape, pixels, &err) != INK_OK)
        fail_msg("%s", err.message);
}

static double mean_difference(const uint8_t *a, const uint8_t *b, size_t size)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += fabs((double)a[i] - b[i]);
    return sum / (double)size;
}

/* As MNIST's are: a box of 20, the centre of mass in pixel (14, 14), full contrast, nothing else. */
static void assert_digit(const uint8_t pixels[28 * 28])
{
    double mass = 0, mass_x = 0, mass_y = 0;
    unsigned strongest = 0;
    size_t top = 28, bottom = 0, left = 28, right = 0;
    for (size_t y = 0; y < 28; y++) {
        for (size_t x = 0; x < 28; x++) {
            const unsigned level = pixels[y * 28 + x];
            mass += level;
            mass_x += (double)(x * level);
            mass_y += (double)(y * level);
            strongest = level > strongest ? level : strongest;
            if (level > 0) {
                top = y < top ? y : top;
                bottom = y > bottom ? y : bottom;
                left = x < left ? x : left;
                right = x > right ? x : right;
            }
        }
    }
    assert_true(mass > 0);
    assert_in_range((uintmax_t)strongest, 255, 255);
    assert_true(fabs(mass_x / mass - 14) <= 0.51 && fabs(mass_y / mass - 14) <= 0.51);
    const size_t height = bottom - top + 1, width = right - left + 1;
    assert_in_range(height > width ? height : width, 19, 20);
}

static void test_fit_digit(void **state)
{
    (void)state;
    static const struct page plain = { 200, 200, 40, 40, 120, 12, 0, 255, 0, 0, false };
    static const struct {
        const char *what;
        struct page page;
        double most; /* mean difference in levels */
    } rows[] = {
        { "shifted", { 200, 200, 5, 73, 120, 12, 0, 255, 0, 0, false }, 0.5 },
        { "inverted", { 200, 200, 40, 40, 120, 12, 255, 0, 0, 0, false }, 0.5 },
        { "shifted and inverted", { 400, 300, 150, 10, 120, 12, 255, 0, 0, 0, false }, 0.5 },
        { "twice the size", { 400, 400, 20, 90, 240, 24, 255, 0, 0, 0, false }, 2 },
        { "half the size", { 100, 120, 20, 20, 60, 6, 0, 255, 0, 0, false }, 3 },
        { "small", { 28, 28, 7, 4, 20, 2, 0, 255, 0, 0, false }, 8 },
        { "pencil on grey paper", { 200, 200, 40, 40, 120, 12, 170, 110, 0, 0, false }, 1.5 },
        { "noise", { 200, 200, 40, 40, 120, 12, 200, 50, 20, 0, false }, 4 },
        { "shade", { 200, 200, 40, 40, 120, 12, 180, 30, 2, 50, false }, 5 },
        { "dust", { 200, 200, 40, 40, 120, 12, 255, 0, 0, 0, true }, 3 },
        { "a photograph", { 1500, 2000, 700, 300, 600, 60, 190, 40, 25, 30, true }, 4 },
    };
    uint8_t reference[28 * 28], pixels[28 * 28];
    struct ink_picture *picture = draw(&plain);
    fit_good(picture, INK_FIT_DIGIT, digit_shape, reference);
    ink_picture_free(picture);
    assert_digit(reference);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        picture = draw(&rows[i].page);
        fit_good(picture, INK_FIT_DIGIT, digit_shape, pixels);
        ink_picture_free(picture);
        assert_digit(pixels);
        const double difference = mean_difference(reference, pixels, sizeof pixels);
        if (difference > rows[i].most)
            fail_msg("%s: mean difference %.2f, expected at most %.2f", rows[i].what, difference, rows[i].most);
    }
}

/* What is already as it should be stays as it is. */
static void test_fit_again(void **state)
{
    (void)state;
    uint8_t once[28 * 28], twice[28 * 28], bytes[14 + 28 * 28] = "P5 28 28 255\n";
    struct ink_picture *picture = draw(&(struct page){ 300, 200, 30, 60, 140, 20, 255, 0, 0, 0, false });
    fit_good(picture, INK_FIT_DIGIT, digit_shape, once);
    ink_picture_free(picture);
    memcpy(bytes + 13, once, sizeof once);
    picture = decode_good(bytes, 13 + sizeof once, "once");
    fit_good(picture, INK_FIT_DIGIT, digit_shape, twice);
    ink_picture_free(picture);
    for (size_t i = 0; i < sizeof once; i++)
        assert_int_equal(twice[i], once[i] < 255 / 16 ? 0 : once[i]);
}

/* Blue ink on yellow paper, for a network with three channels and one of another size. */
static void test_fit_colour(void **state)
{
    (void)state;
    uint8_t grey[28 * 28], colour[28 * 28 * 3], wide[12 * 40];
    unsigned char bytes[16 + 60 * 60 * 3] = "P6 60 60 255\n";
    for (size_t i = 0; i < (size_t)60 * 60; i++) {
        const bool ink = i % 60 > 25 && i % 60 < 32 && i / 60 > 10 && i / 60 < 50;
        memcpy(bytes + 13 + 3 * i, ink ? "\x10\x20\x80" : "\xf0\xe0\x60", 3);
    }
    struct ink_picture *picture = decode_good(bytes, 13 + 60 * 60 * 3, "colour");
    fit_good(picture, INK_FIT_DIGIT, digit_shape, grey);
    assert_digit(grey);
    fit_good(picture, INK_FIT_DIGIT, (struct ink_shape){ 28, 28, 3 }, colour);
    for (size_t i = 0; i < sizeof colour; i++)
        assert_int_equal(colour[i], grey[i / 3]);
    fit_good(picture, INK_FIT_DIGIT, (struct ink_shape){ 12, 40, 1 }, wide);
    assert_int_equal(wide[6 * 40 + 20], 255);
    ink_picture_free(picture);
}

static void test_fit_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        { LITERAL("P5 1 1 255\n\0") },
        { LITERAL("P5 1 1 255\n\377") },
        { LITERAL("P5 3 2 255\n\200\201\202\203\204\205") },
        { LITERAL("P6 1 1 255\nabc") },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink_error err = { 0 };
        uint8_t pixels[28 * 28];
        struct ink_picture *picture = decode_good(rows[i].bytes, rows[i].size, "blank.pgm");
        assert_int_equal(ink_picture_fit(picture, INK_FIT_DIGIT, digit_shape, pixels, &err), INK_BAD_INPUT);
        assert_non_null(strstr(err.message, "blank.pgm: no ink"));
        ink_picture_free(picture);
    }
}

/* Sizes and shapes that no digit has. */
static void test_fit_extremes(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {
        { 1, 2 }, { 2, 1 }, { 2, 2 }, { 1, 1000 }, { 1000, 1 }, { 3, 3000 }, { 513, 512 }
    };
    static const struct ink_shape shapes[] = { { 1, 1, 1 }, { 1, 1, 3 }, { 2, 1, 1 }, { 28, 28, 1 }, { 5, 300, 3 } };
    static uint8_t pixels[5 * 300 * 3];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t height = sizes[i][0], width = sizes[i][1];
        char header[64];
        const int length = snprintf(header, sizeof header, "P5 %zu %zu 255\n", width, height);
        const size_t size = (size_t)length + height * width;
        char *bytes = calloc(size, 1);
        memcpy(bytes, header, (size_t)length);
        bytes[(size_t)length + height * width / 2] = '\xff';
        struct ink_picture *picture = decode_good(bytes, size, "extreme");
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            memset(pixels, 0, sizeof pixels);
            const enum ink_status status = ink_picture_fit(picture, INK_FIT_DIGIT, shapes[s], pixels, NULL);
            assert_true(status == INK_OK || status == INK_BAD_INPUT); /* one dot in half a million may be too faint */
            if (status == INK_OK)
                assert_non_null(memchr(pixels, 255, shapes[s].height * shapes[s].width * shapes[s].channels));
            fit_good(picture, INK_FIT_RAW, shapes[s], pixels);
        }
        ink_picture_free(picture);
        free(bytes);
    }
}

/* ---- Fitting as it is -------------------------------------------------------------------------------------------- */

static void test_fit_raw(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        struct ink_shape shape;
        const char *pixels;
    } rows[] = {
        { LITERAL("P5 3 2 255\n\0\1\2\375\376\377"), { 2, 3, 1 }, "\0\1\2\375\376\377" },
        { LITERAL("P5 2 2 255\n\0\144\310\144"), { 1, 1, 1 }, "\144" },
        { LITERAL("P5 4 1 255\n\0\144\12\36"), { 1, 2, 1 }, "\62\24" },
        { LITERAL("P5 3 1 255\n\0\0\377"), { 1, 1, 1 }, "\125" },
        { LITERAL("P5 1 1 255\n\7"), { 2, 2, 3 }, "\7\7\7\7\7\7\7\7\7\7\7\7" },
        { LITERAL("P5 2 1 255\n\0\310"), { 1, 4, 1 }, "\0\62\226\310" },
        { LITERAL("P6 2 1 255\n\377\0\0\0\377\0"), { 1, 2, 1 }, "\114\226" },
        { LITERAL("P6 2 1 255\nabcdef"), { 1, 2, 3 }, "abcdef" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t pixels[16];
        struct ink_picture *picture = decode_good(rows[i].bytes, rows[i].size, "raw");
        fit_good(picture, INK_FIT_RAW, rows[i].shape, pixels);
        assert_memory_equal(pixels, rows[i].pixels,
                            rows[i].shape.height * rows[i].shape.width * rows[i].shape.channels);
        ink_picture_free(picture);
    }

    static const struct ink_shape bad[] = {
        { 28, 28, 2 }, { 0, 28, 1 }, { 28, 0, 1 }, { 28, 28, 0 }, { SIZE_MAX, 2, 1 }
    };
    struct ink_picture *picture = decode_good(LITERAL("P5 1 1 255\n\7"), "raw");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ink_error err = { 0 };
        uint8_t pixels[16];
        assert_int_equal(ink_picture_fit(picture, INK_FIT_RAW, bad[i], pixels, &err), INK_BAD_ARGUMENT);
        assert_non_null(strstr(err.message, "raw: a picture cannot become"));
        assert_int_equal(ink_picture_fit(picture, INK_FIT_DIGIT, bad[i], pixels, &err), INK_BAD_ARGUMENT);
    }
    ink_picture_free(picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_kinds),    cmocka_unit_test(test_png_half_alpha), cmocka_unit_test(test_png_damage),
        cmocka_unit_test(test_png_huge),     cmocka_unit_test(test_png_write),      cmocka_unit_test(test_pnm),
        cmocka_unit_test(test_malformed),    cmocka_unit_test(test_pnm_huge),       cmocka_unit_test(test_fit_digit),
        cmocka_unit_test(test_fit_again),    cmocka_unit_test(test_fit_colour),     cmocka_unit_test(test_fit_nothing),
        cmocka_unit_test(test_fit_extremes), cmocka_unit_test(test_fit_raw),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
