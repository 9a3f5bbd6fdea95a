/* Pictures fitted to the input of a network: as a digit, and as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoded.h"

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
        cmocka_unit_test(test_fit_digit),   cmocka_unit_test(test_fit_again),    cmocka_unit_test(test_fit_colour),
        cmocka_unit_test(test_fit_nothing), cmocka_unit_test(test_fit_extremes), cmocka_unit_test(test_fit_raw),
    };
    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
