/* Evaluation image by image and by the mean over shifts, against sessions that are given the images one by one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inkling.h"

enum { HEIGHT = 6, WIDTH = 5, MOST_CHANNELS = 3, MOST = HEIGHT * WIDTH * MOST_CHANNELS, COUNT = 1100, CLASSES = 4 };

static size_t channels, size; /* of an image */
static uint8_t pixels[COUNT * MOST];
static uint16_t labels[COUNT];

static void check(enum ink_status status, const struct ink_error *err)
{
    if (status != INK_OK)
        fail_msg("%s", err->message);
}

static void shift(const uint8_t *from, int right, int down, uint8_t *to)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (size_t c = 0; c < channels; c++) {
                const int row = y - down, column = x - right;
                const bool inside = row >= 0 && row < HEIGHT && column >= 0 && column < WIDTH;
                to[(size_t)(y * WIDTH + x) * channels + c] =
                    inside ? from[(size_t)(row * WIDTH + column) * channels + c] : 0;
            }
}

/* Accuracy and loss of the mean, in double. */
static void expect(struct ink_session *session, int shifts, size_t *correct, double *loss)
{
    *correct = 0;
    *loss = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        double mean[CLASSES] = { 0.0 };
        for (int down = -shifts; down <= shifts; down++)
            for (int right = -shifts; right <= shifts; right++) {
                uint8_t moved[MOST + 64];
                float p[CLASSES];
                shift(pixels + i * size, right, down, moved);
                ink_session_run_bytes(session, moved, 1, p);
                for (size_t c = 0; c < CLASSES; c++)
                    mean[c] += (double)p[c] / ((2 * shifts + 1) * (2 * shifts + 1));
            }
        size_t best = 0;
        for (size_t c = 1; c < CLASSES; c++)
            best = mean[c] > mean[best] ? c : best;
        *correct += best == labels[i];
        *loss -= log(mean[labels[i]]) / COUNT;
    }
}

/* Each image's probabilities have the bits of a session's, for any number of threads. */
static void check_each(const struct ink_net *net, const struct ink_dataset *data, struct ink_session *session)
{
    static float each[COUNT * CLASSES + 1];
    struct ink_error err;
    for (size_t threads = 1; threads <= 3; threads++) {
        const struct ink_compute compute = { .threads = threads };
        memset(each, 0, sizeof each);
        each[COUNT * CLASSES] = 7.0f; /* what lies behind the array stays */
        check(ink_evaluate_each(net, data, &compute, each, &err), &err);
        for (size_t i = 0; i < COUNT; i++) {
            float p[CLASSES];
            ink_session_run_bytes(session, ink_dataset_pixels(data, i), 1, p);
            assert_memory_equal(p, each + i * CLASSES, sizeof p);
        }
        assert_true(each[COUNT * CLASSES] == 7.0f);
    }
}

/* A network for images of so many channels, of whose bytes one in `every` is not zero. */
static void check_network(const char *spec, size_t wanted_channels, uint32_t every)
{
    static const size_t shifts[] = { 0, 1, 2, 7 }; /* the last moves some images out of sight */
    struct ink_dataset *data = NULL;
    struct ink_net *net = NULL;
    struct ink_session *session = NULL;
    struct ink_error err;
    uint32_t random = 1;
    channels = wanted_channels;
    size = HEIGHT * WIDTH * channels;
    for (size_t i = 0; i < sizeof pixels; i++) {
        random = random * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)((random >> 8) % every == 0 ? random >> 24 : 0);
    }
    for (size_t i = 0; i < COUNT; i++)
        labels[i] = (uint16_t)(i % CLASSES);
    const struct ink_shape shape = { HEIGHT, WIDTH, channels };
    check(ink_dataset_wrap(&data, "noise", shape, COUNT, CLASSES, pixels, labels, &err), &err);
    check(ink_net_new(&net, shape, spec, "he", 1, &err), &err);
    check(ink_session_new(&session, net, 1, NULL, &err), &err);
    for (size_t s = 0; s < 4; s++) {
        size_t correct;
        double loss;
        expect(session, (int)shifts[s], &correct, &loss);
        for (size_t threads = 1; threads <= 3; threads++) {
            const struct ink_compute compute = { .threads = threads };
            struct ink_metrics metrics;
            check(ink_evaluate_shifted(net, data, shifts[s], &compute, &metrics, &err), &err);
            size_t diagonal = 0;
            for (size_t c = 0; c < CLASSES; c++)
                diagonal += metrics.confusion[c * CLASSES + c];
            assert_int_equal(metrics.correct, correct);
            assert_int_equal(diagonal, correct);
            assert_true(fabs(metrics.loss - loss) < 1e-5);
            ink_metrics_free(&metrics);
        }
    }
    check_each(net, data, session);
    struct ink_metrics metrics;
    assert_int_equal(ink_evaluate_shifted(net, data, 17, NULL, &metrics, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "17 pixels, expected at most 16"));
    assert_null(metrics.confusion);
    ink_session_free(session);
    ink_net_free(net);
    ink_dataset_free(data);
}

static void convolution(void **state)
{
    (void)state;
    check_network("conv 6 3x3 pad 1 relu, dense 4", 3, 1);
}

static void sparse_layer(void **state)
{
    (void)state;
    check_network("dense 9 relu, dense 4", 1, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(convolution), cmocka_unit_test(sparse_layer) };
    return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
