/*
 * Augmentation: the line of text; what it does to images, in known cases and in statistics over many samples; and that
 * training uses it, and validation does not. That threads, kernels and a pause change no bit of it is test_bits's.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/augment.h"

/* ---- The line of text -------------------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *meaning;
    } rows[] = {
        { "", "" },
        { "  ", "" },
        { "flip", "flip" },
        { "shift 0, rotate 0, erase 0%", "" },
        { "rotate 12,shift 2", "shift 2, rotate 12" },
        { " scale .12 , shear 7.5\t", "scale 12%, shear 7.5" },
        { "scale 12%, erase 1, contrast 1%", "scale 12%, erase 100%, contrast 1%" },
        { "contrast 100%, brightness 100%, erase 100%, flip, elastic 64, shear 45, scale 50%, rotate 180, shift 64",
          "shift 64, rotate 180, scale 50%, shear 45, elastic 64, flip, erase 100%, brightness 100%, contrast 100%" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink__augment augment, again;
        struct ink_error err;
        char text[256];
        if (ink__augment_parse(&augment, rows[i].text, &err) != INK_OK)
            fail_msg("'%s': %s", rows[i].text, err.message);
        ink__augment_print(&augment, text);
        assert_string_equal(text, rows[i].meaning);
        assert_int_equal(ink__augment_parse(&again, text, &err), INK_OK);
        for (size_t p = 0; p < INK__AUGMENT_PARTS; p++)
            assert_true(fabs(augment.most[p] - again.most[p]) <= 1e-9 * augment.most[p]);
    }
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "shft 2", "augment: column 1: expected a way to change an image, found 'shft' (did you mean 'shift'?)" },
        { "shift 2, rotat 3", "augment: column 10: expected a way to change an image, found 'rotat' (did you mean "
                              "'rotate'?)" },
        { "shift", "augment: column 6: expected a whole number of pixels from 0 to 64, found the end of the line" },
        { "shift 65", "augment: column 7: expected a whole number of pixels from 0 to 64, found '65'" },
        { "shift 1.5", "augment: column 8: expected ',' or the end of the line, found '.5'" },
        { "rotate -5", "augment: column 8: expected degrees from 0 to 180, found '-5'" },
        { "rotate 181", "augment: column 8: expected degrees from 0 to 180, found '181'" },
        { "scale 12", "augment: column 7: expected a share from 0 to 50%, such as 12% or 0.12, found '12'" },
        { "scale 51%", "augment: column 7: expected a share from 0 to 50%, such as 12% or 0.12, found '51%'" },
        { "erase nan", "augment: column 7: expected a chance from 0 to 100%, such as 25% or 0.25, found 'nan'" },
        { "flip flip", "augment: column 6: expected ',' or the end of the line, found 'flip'" },
        { "flip, flip", "augment: column 7: expected each word once, found 'flip'" },
        { "flip,", "augment: column 6: expected a way to change an image, found the end of the line" },
        { ",", "augment: column 1: expected a way to change an image, found ','" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ink__augment augment;
        struct ink_error err;
        assert_int_equal(ink__augment_parse(&augment, rows[i].text, &err), INK_BAD_ARGUMENT);
        assert_string_equal(err.message, rows[i].message);
    }
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

enum { SIDE = 41, CENTRE = SIDE / 2, SIZE = SIDE * SIDE };

static struct ink__augmenter *augmenter_of(const char *text, struct ink_shape shape, const char *kernels)
{
    struct ink__augment augment;
    struct ink__augmenter *a = NULL;
    struct ink_error err;
    if (ink__augment_parse(&augment, text, &err) != INK_OK ||
        ink__augmenter_new(&a, &augment, shape, ink__kernels_find(kernels), 2, &err) != INK_OK)
        fail_msg("%s: %s", text, err.message);
    return a;
}

static const uint8_t *apply(const struct ink__augmenter *a, uint32_t sample, const uint8_t *image)
{
    const struct ink__philox_key key = { .seed = 3, .epoch = 1, .sample = sample, .use = INK__USE_AUGMENT };
    return ink__augmenter_apply(a, &key, 0, image);
}

static void fill_noise(uint8_t *image, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        image[i] = (uint8_t)(state >> 24);
    }
}

/* A blot around (x, y), wide enough for its centre of mass to be found to a fraction of a pixel. */
static void draw_blot(uint8_t *image, double x, double y)
{
    memset(image, 0, SIZE);
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column++)
            image[row * SIDE + column] =
                (uint8_t)lround(255.0 * exp(-((column - x) * (column - x) + (row - y) * (row - y)) / 8.0));
}

/* The centre of mass, from the image's centre. */
static void find_blot(const uint8_t *image, double *x, double *y)
{
    double mass = 0.0;
    *x = *y = 0.0;
    for (int i = 0; i < SIZE; i++) {
        mass += image[i];
        *x += (double)image[i] * (i % SIDE - CENTRE);
        *y += (double)image[i] * (i / SIDE - CENTRE);
    }
    *x /= mass;
    *y /= mass;
}

static const struct ink_shape square = { SIDE, SIDE, 1 };
enum { SAMPLES = 4000 };

/* Draws that should be uniform in [-most, most] are: bounds, mean, variance and reach. `error` is what measuring may
 * add. */
static void assert_uniform(const char *what, const double *draws, double most, double error)
{
    double sum = 0.0, squares = 0.0, least = INFINITY, greatest = -INFINITY;
    for (size_t i = 0; i < SAMPLES; i++) {
        sum += draws[i];
        squares += draws[i] * draws[i];
        least = fmin(least, draws[i]);
        greatest = fmax(greatest, draws[i]);
    }
    const double mean = sum / SAMPLES, ratio = squares / SAMPLES / (most * most / 3.0);
    if (least < -most - error || greatest > most + error || least > -0.97 * most || greatest < 0.97 * most ||
        fabs(mean) > 0.05 * most || fabs(ratio - 1.0) > 0.08)
        fail_msg("%s: %g to %g, mean %g, variance %g of the expected; expected -%g to %g", what, least, greatest, mean,
                 ratio, most, most);
}

static void test_nothing(void **state)
{
    (void)state;
    uint8_t image[SIZE];
    struct ink__augmenter *a = augmenter_of("", square, NULL);
    fill_noise(image, SIZE);
    for (uint32_t i = 0; i < 10; i++)
        assert_ptr_equal(apply(a, i, image), image);
    ink__augmenter_free(a);
}

/* The result is the image moved by whole pixels, black where it came from outside; every move comes, equally often. */
static void test_shift(void **state)
{
    (void)state;
    enum { MOST = 2, MOVES = 2 * MOST + 1 };
    static const struct ink_shape shape = { 9, 12, 3 };
    const int h = 9, w = 12, channels = 3;
    uint8_t image[9 * 12 * 3];
    size_t times[MOVES][MOVES] = { { 0 } };
    struct ink__augmenter *a = augmenter_of("shift 2", shape, NULL);
    fill_noise(image, sizeof image);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const uint8_t *found = apply(a, i, image);
        size_t fits = 0;
        for (int dy = -MOST; dy <= MOST; dy++) {
            for (int dx = -MOST; dx <= MOST; dx++) {
                bool same = true;
                for (int k = 0; k < h * w * channels && same; k++) {
                    const int y = k / channels / w - dy, x = k / channels % w - dx;
                    const bool inside = y >= 0 && y < h && x >= 0 && x < w;
                    same = found[k] == (inside ? image[(y * w + x) * channels + k % channels] : 0);
                }
                fits += same;
                times[dy + MOST][dx + MOST] += same;
            }
        }
        assert_int_equal(fits, 1);
    }
    for (size_t i = 0; i < MOVES * MOVES; i++) /* 160 expected, 12.4 one deviation */
        assert_in_range(times[i / MOVES][i % MOVES], 100, 220);
    ink__augmenter_free(a);
}

static void test_flip(void **state)
{
    (void)state;
    uint8_t image[SIZE], once[SIZE];
    size_t flipped = 0;
    struct ink__augmenter *a = augmenter_of("flip", square, NULL);
    fill_noise(image, SIZE);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        memcpy(once, apply(a, i, image), SIZE);
        const bool same = memcmp(once, image, SIZE) == 0;
        for (size_t k = 0; k < SIZE && !same; k++)
            assert_int_equal(once[k], image[k / SIDE * SIDE + SIDE - 1 - k % SIDE]);
        flipped += !same;
        assert_memory_equal(apply(a, i, once), image, SIZE); /* twice is not at all */
    }
    assert_in_range(flipped, SAMPLES / 2 - 160, SAMPLES / 2 + 160); /* 5 deviations */
    ink__augmenter_free(a);
}

static void test_rotate(void **state)
{
    (void)state;
    static double angles[SAMPLES];
    const double most[] = { 12.0, 170.0 };
    const char *const lines[] = { "rotate 12", "rotate 170" };
    uint8_t image[SIZE];
    for (size_t l = 0; l < 2; l++) {
        struct ink__augmenter *a = augmenter_of(lines[l], square, NULL);
        draw_blot(image, CENTRE, CENTRE - 12.0);
        for (uint32_t i = 0; i < SAMPLES; i++) {
            double x, y;
            find_blot(apply(a, i, image), &x, &y);
            assert_true(fabs(hypot(x, y) - 12.0) < 0.05);
            angles[i] = atan2(x, -y) * 180.0 / 3.14159265358979323846;
        }
        assert_uniform(lines[l], angles, most[l], 0.2);
        ink__augmenter_free(a);
    }
}

static void test_scale(void **state)
{
    (void)state;
    static double shares[SAMPLES];
    uint8_t image[SIZE];
    struct ink__augmenter *a = augmenter_of("scale 20%", square, NULL);
    draw_blot(image, CENTRE + 8.0, CENTRE + 4.0);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        double x, y;
        find_blot(apply(a, i, image), &x, &y);
        assert_true(fabs(x - 2.0 * y) < 0.1);
        shares[i] = x / 8.0 - 1.0;
    }
    assert_uniform("scale", shares, 0.2, 0.01);
    ink__augmenter_free(a);
}

static void test_shear(void **state)
{
    (void)state;
    static double angles[SAMPLES];
    uint8_t image[SIZE];
    struct ink__augmenter *a = augmenter_of("shear 30", square, NULL);
    draw_blot(image, CENTRE, CENTRE - 10.0);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        double x, y;
        find_blot(apply(a, i, image), &x, &y);
        assert_true(fabs(y + 10.0) < 0.1);
        angles[i] = atan2(x, -y) * 180.0 / 3.14159265358979323846;
    }
    assert_uniform("shear", angles, 30.0, 0.3);
    ink__augmenter_free(a);
}

/* How far blots move: never more than the nodes, the same in both directions, and not the same at both ends. */
static void test_elastic(void **state)
{
    (void)state;
    uint8_t image[SIZE];
    double sum = 0.0, squares[2] = { 0.0 }, together = 0.0;
    struct ink__augmenter *a = augmenter_of("elastic 4", square, NULL);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        double x[2], y[2];
        for (size_t end = 0; end < 2; end++) {
            draw_blot(image, CENTRE + (end == 0 ? -12.0 : 12.0), CENTRE);
            find_blot(apply(a, i, image), &x[end], &y[end]);
            x[end] -= end == 0 ? -12.0 : 12.0;
            assert_true(hypot(x[end], y[end]) < 4.0 * sqrt(2.0));
        }
        sum += x[0] + y[0];
        squares[0] += x[0] * x[0];
        squares[1] += y[0] * y[0];
        together += x[0] * x[1];
    }
    /* A weight squared is 0.479 on average along a side, so the variance of a nudge, 4^2 / 3, becomes about 1.2. */
    assert_true(fabs(sum / SAMPLES) < 0.2);
    for (size_t d = 0; d < 2; d++)
        assert_true(squares[d] / SAMPLES > 0.8 && squares[d] / SAMPLES < 1.6);
    assert_true(fabs(together / SAMPLES) < 0.1);
    ink__augmenter_free(a);
}

static void test_light(void **state)
{
    (void)state;
    static double draws[SAMPLES];
    uint8_t image[SIZE];
    struct ink__augmenter *a = augmenter_of("brightness 30%", square, NULL);
    memset(image, 180, SIZE);
    image[0] = 0;
    image[1] = 250;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const uint8_t *found = apply(a, i, image);
        const double expected = fmin(found[2] / 180.0 * 250.0, 255.0);
        assert_int_equal(found[0], 0);
        assert_true(fabs(found[1] - expected) < 1.5);
        draws[i] = found[2] / 180.0 - 1.0;
    }
    assert_uniform("brightness", draws, 0.3, 0.5 / 180.0);
    ink__augmenter_free(a);

    a = augmenter_of("contrast 30%", square, NULL);
    for (size_t i = 0; i < SIZE; i++)
        image[i] = i % 2 == 0 ? 60 : 180;
    const double mean = (60.0 * (SIZE / 2 + 1) + 180.0 * (SIZE / 2)) / SIZE;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const uint8_t *found = apply(a, i, image);
        assert_true(fabs((found[0] - mean) * (180.0 - mean) - (found[1] - mean) * (60.0 - mean)) < 1.5 * 60.0);
        draws[i] = (found[1] - found[0]) / 120.0 - 1.0;
    }
    assert_uniform("contrast", draws, 0.3, 1.0 / 120.0);
    ink__augmenter_free(a);
}

/* What changed lies in a rectangle whose sides are as they should be, all of it noise; the rest did not change. */
static void test_erase(void **state)
{
    (void)state;
    uint8_t image[SIZE];
    size_t erased = 0, least = SIDE, greatest = 0, noise[256] = { 0 }, bytes = 0;
    struct ink__augmenter *a = augmenter_of("erase 25%", square, NULL);
    memset(image, 7, SIZE);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const uint8_t *found = apply(a, i, image);
        size_t top = SIDE, bottom = 0, left = SIDE, right = 0;
        if (found == image)
            continue;
        erased++;
        for (size_t k = 0; k < SIZE; k++) {
            if (found[k] == 7)
                continue;
            const size_t y = k / SIDE, x = k % SIDE;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
            left = x < left ? x : left;
            right = x > right ? x : right;
        }
        for (size_t y = top; y <= bottom; y++)
            for (size_t x = left; x <= right; x++, bytes++)
                noise[found[y * SIDE + x]]++;
        const size_t rows = bottom - top + 1, columns = right - left + 1;
        const size_t smaller = rows < columns ? rows : columns, larger = rows < columns ? columns : rows;
        least = smaller < least ? smaller : least;
        greatest = larger > greatest ? larger : greatest;
    }
    assert_in_range(erased, SAMPLES / 4 - 140, SAMPLES / 4 + 140); /* 5 deviations */
    assert_in_range(least, 6, 7);                                  /* 15% of 41 */
    assert_in_range(greatest, 24, 25);                             /* 60% */
    for (size_t i = 0; i < 256; i++)
        assert_true(fabs((double)noise[i] * 256.0 / (double)bytes - 1.0) < 0.2);
    ink__augmenter_free(a);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

#define EVERYTHING "shift 2, rotate 12, scale 12%, shear 8, elastic 3, flip, erase 50%, brightness 20%, contrast 20%"

static void test_keys(void **state)
{
    (void)state;
    static const struct ink_shape shape = { 13, 21, 3 };
    static const struct ink__philox_key keys[] = {
        { 1, 0, 0, INK__USE_AUGMENT }, { 2, 0, 0, INK__USE_AUGMENT }, { 1, 1, 0, INK__USE_AUGMENT },
        { 1, 0, 1, INK__USE_AUGMENT }, { 1, 0, 0, INK__USE_DROPOUT },
    };
    enum { KEYS = 5, BYTES = 13 * 21 * 3 };
    uint8_t image[BYTES], results[KEYS][BYTES];
    fill_noise(image, BYTES);
    for (size_t k = 0; ink_kernels_name(k) != NULL; k++) {
        struct ink__augmenter *a = augmenter_of(EVERYTHING, shape, ink_kernels_name(k));
        for (size_t times = 0; times < 2; times++)
            for (size_t i = 0; i < KEYS; i++) {
                const uint8_t *found = ink__augmenter_apply(a, &keys[i], times, image);
                if (k == 0 && times == 0)
                    memcpy(results[i], found, BYTES);
                assert_memory_equal(found, results[i], BYTES);
            }
        ink__augmenter_free(a);
    }
    for (size_t i = 1; i < KEYS; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(results[i], results[j], BYTES);
}

/* What one part draws does not depend on which others are asked for. */
static void test_independence(void **state)
{
    (void)state;
    uint8_t image[SIZE], moved[SIZE];
    struct ink__augmenter *alone = augmenter_of("shift 3", square, NULL);
    struct ink__augmenter *more = augmenter_of("shift 3, brightness 0.0001%, erase 0.0001%, flip", square, NULL);
    draw_blot(image, CENTRE, CENTRE); /* symmetric: a flip alone does nothing to it */
    for (uint32_t i = 0; i < 100; i++) {
        memcpy(moved, apply(alone, i, image), SIZE);
        assert_memory_equal(apply(more, i, image), moved, SIZE);
    }
    ink__augmenter_free(alone);
    ink__augmenter_free(more);
}

/* ---- Training ---------------------------------------------------------------------------------------------------- */

/* One epoch with steps too small to matter, so that what is measured is the images. */
static struct ink_epoch_stats measure(const char *augment)
{
    const struct ink_dataset_options drawn = { .synthetic_count = 100 };
    struct ink_dataset *data = NULL;
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    struct ink_epoch_stats stats = { 0 };
    struct ink_error err;
    const struct ink_train_options options = {
        .epochs = 1, .batch = 20, .validation = 20, .optimizer = "sgd", .learning_rate = 1e-30, .augment = augment
    };
    if (ink_dataset_open(&data, "synthetic", INK_TRAIN, &drawn, &err) != INK_OK ||
        ink_net_new(&net, ink_dataset_shape(data), "conv 4 3x3, dense 10", NULL, 1, &err) != INK_OK ||
        ink_trainer_new(&trainer, net, data, &options, &err) != INK_OK ||
        ink_trainer_epoch(trainer, &stats, &err) != INK_OK)
        fail_msg("%s", err.message);
    ink_trainer_free(trainer);
    ink_net_free(net);
    ink_dataset_free(data);
    return stats;
}

static void test_training(void **state)
{
    (void)state;
    const struct ink_epoch_stats plain = measure(NULL), none = measure(""), augmented = measure(EVERYTHING);
    assert_true(none.loss == plain.loss);
    assert_true(fabs(augmented.loss - plain.loss) > 1e-3);
    assert_true(none.validation_loss == plain.validation_loss);
    assert_true(augmented.validation_loss == plain.validation_loss);
}

static void test_refused(void **state)
{
    (void)state;
    struct ink_dataset *data = NULL;
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    struct ink_error err;
    const struct ink_dataset_options drawn = { .synthetic_count = 10 };
    const struct ink_train_options options = { .augment = "shift 2, rotat 3" };
    assert_int_equal(ink_dataset_open(&data, "synthetic", INK_TRAIN, &drawn, &err), INK_OK);
    assert_int_equal(ink_net_new(&net, ink_dataset_shape(data), "dense 10", NULL, 1, &err), INK_OK);
    assert_int_equal(ink_trainer_new(&trainer, net, data, &options, &err), INK_BAD_ARGUMENT);
    assert_null(trainer);
    assert_non_null(strstr(err.message, "column 10"));
    ink_net_free(net);
    ink_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_wrong_lines), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_shift),    cmocka_unit_test(test_flip),        cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_scale),    cmocka_unit_test(test_shear),       cmocka_unit_test(test_elastic),
        cmocka_unit_test(test_light),    cmocka_unit_test(test_erase),       cmocka_unit_test(test_keys),
        cmocka_unit_test(test_training), cmocka_unit_test(test_refused),     cmocka_unit_test(test_independence),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
